package main

import (
	"aigw-ci/internal/config"
	"aigw-ci/internal/gateway"
	"aigw-ci/internal/report"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// session is one command on its way: its settings, its log and its reports.
type session struct {
	command
	settings config.Settings
	redact   *secret.Redactor
	log      *report.Log
	dir      *report.Dir // nil when it cannot be written; then nothing is done
}

// open prepares log and reports. The session can be used also after an error, to
// say what is wrong.
func (c command) open(settings config.Settings) (*session, error) {
	s := &session{command: c, settings: settings, redact: secret.NewRedactor()}
	s.redact.Add(
		settings.GitLab.Token.Reveal(), settings.Registry.Password.Reveal(),
		settings.Kubernetes.TLSKey.Reveal(), settings.Kubernetes.Chart.Password.Reveal(),
	)
	s.redact.Add(c.proxyPasswords()...)
	for name, value := range settings.Gateway.Environment {
		if !gateway.Public(name) {
			s.redact.Add(value.Reveal())
		}
	}
	s.log = report.NewLog(c.stderr, report.Options{
		Level:    settings.Log.Level,
		Format:   settings.Log.Format,
		GitLab:   c.inGitLab(),
		Color:    c.colour(),
		Redactor: s.redact,
	})
	dir, err := report.Open(settings.Report.Dir, s.redact)
	if err != nil {
		return s, err
	}
	s.dir = dir
	return s, nil
}

// onKubernetes is the target that is not a Docker Engine.
const onKubernetes = "kubernetes"

// place names the target, as the settings do.
func (s *session) place() upgrade.Place {
	name := s.settings.Docker.Container
	if k := s.settings.Kubernetes; s.settings.Target == onKubernetes {
		name = k.Namespace + "/" + k.Release
	}
	return upgrade.Place{Kind: s.settings.Target, Name: name}
}

// failed is the result of a command that did not come to its job.
func (s *session) failed(outcome upgrade.Outcome, err error) upgrade.Result {
	return upgrade.Result{
		Command: s.name,
		Outcome: outcome,
		Err:     err,
		Place:   s.place(),
	}
}

// evidence saves what is known about a gateway that is about to go.
func (s *session) evidence(stage upgrade.Stage, files []upgrade.File) {
	s.save(stage, files, "saved what is known about the failed gateway")
}

// save writes files below evidence/, and says so in the log.
func (s *session) save(stage upgrade.Stage, files []upgrade.File, done string) {
	if err := s.dir.Evidence(stage, files); err != nil {
		s.log.Logger().Warn("not all evidence could be saved", "error", err)
		return
	}
	s.log.Logger().Info(done, "directory", s.settings.Report.Dir+"/evidence/"+string(stage))
}

// report writes the reports.
func (s *session) report(result upgrade.Result) {
	if s.dir == nil {
		return
	}
	err := s.dir.Write(report.Report{
		Result:     result,
		GatewayURL: s.settings.Gateway.URL,
		JobURL:     s.getenv("CI_JOB_URL"),
	})
	if err != nil {
		s.log.Logger().Error("writing the reports", "error", err)
	}
}

// close writes the last lines of the log. It returns what ends the program.
func (s *session) close(result upgrade.Result) error {
	if s.dir != nil {
		_ = s.dir.Close()
	}
	s.log.Verdict(result)
	if code := result.ExitCode(); code != 0 {
		return &endedError{code}
	}
	return nil
}
