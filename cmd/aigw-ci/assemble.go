package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"aigw-ci/internal/gitlab"
	"aigw-ci/internal/rake"
	"aigw-ci/internal/registry"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/transport"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/verify"
)

// assembly is the program's parts, put together from the settings.
type assembly struct {
	*session
	road     *http.Transport
	web      http.RoundTripper // road, for what is read whole
	gitlab   *gitlab.Client
	registry *registry.Registry
	node     rake.Way // to the machine that GitLab itself runs on; zero when none is set

	// What connect reaches. Without it the target has a name, and nothing else.
	target upgrade.Target
	close  func(context.Context) error
}

// assemble puts together what looks at GitLab and at registries. It contacts nobody.
func assemble(s *session) (*assembly, error) {
	road, err := transport.New(transport.Options{CAs: s.settings.CAs, UserAgent: userAgent(), Proxy: s.proxy()})
	if err != nil {
		return nil, err
	}
	a := &assembly{session: s, road: road, target: unreached{place: s.place()}}
	if a.node, err = rake.Parse(s.settings.Verify.Rake); err != nil {
		return nil, err
	}
	a.web = &transport.Steady{Base: &transport.Agent{Base: road, Name: userAgent()}, Window: a.pace.window}
	log := s.log.Logger()

	o := gitlab.Options{
		URL:       s.settings.GitLab.URL,
		Token:     s.settings.GitLab.Token,
		Version:   s.settings.GitLab.Version,
		Transport: a.web,
		Patience:  a.pace.patience,
		Redactor:  s.redact,
		Log:       log,
	}
	o.Predefined.ServerURL, o.Predefined.Version = s.getenv("CI_SERVER_URL"), s.getenv("CI_SERVER_VERSION")
	if a.gitlab, err = gitlab.New(o); err != nil {
		return nil, err
	}

	var realms []string
	if u, err := url.Parse(s.settings.GitLab.URL); err == nil && u.Host != "" {
		realms = append(realms, u.Host)
	}
	a.registry, err = registry.New(registry.Options{
		Repositories:  s.settings.Image.Repositories,
		Tag:           s.settings.Image.Tag,
		Transport:     a.web,
		User:          s.settings.Registry.User,
		Password:      s.settings.Registry.Password,
		Environment:   s.getenv,
		TrustedRealms: realms,
		Redactor:      s.redact,
		Log:           log,
	})
	return a, err
}

// unreached is a target that only its name is known of.
type unreached struct {
	upgrade.Target
	place upgrade.Place
}

func (u unreached) Place() upgrade.Place { return u.place }

// connect reaches the target.
func (a *assembly) connect(ctx context.Context) error {
	if a.settings.Target == onKubernetes {
		return a.connectCluster(ctx)
	}
	return a.connectEngine(ctx)
}

// job is the job with all its parts.
func (a *assembly) job() *upgrade.Job {
	gate := a.gate()
	job := &upgrade.Job{
		GitLab:   a.gitlab,
		Images:   a.registry,
		Target:   a.target,
		Gate:     gate,
		Platform: a.settings.Image.Platform,
		Rehearse: a.settings.Rehearse,
		Rollback: a.settings.Rollback,
		Patience: a.pace.patience,
		Evidence: a.evidence,
		Log:      a.log.Logger(),
		Section: func(phase, title string) func() {
			return a.log.Section(phase, title, phase == "prepare" || phase == "keep")
		},
	}
	job.Watch = func(ctx context.Context, live upgrade.Gateway) func() (time.Duration, bool) {
		return a.watch(ctx, gate, live)
	}
	return job
}

func (a *assembly) gate() *verify.Gate {
	s := a.settings
	return verify.New(verify.Options{
		Timeout:    s.Verify.Timeout,
		Hold:       s.Verify.Hold,
		Successes:  s.Verify.Successes,
		Interval:   a.pace.look,
		GatewayURL: s.Gateway.URL,
		Detour:     s.Target == onKubernetes,
		GitLabURL:  gitlabForGateway(s.Gateway.Environment, s.GitLab.URL),
		GitLabHere: s.GitLab.URL,
		Transport:  a.road,
		UserAgent:  userAgent(),
		Redactor:   a.redact,
		Probes:     a.probes(),
		Log:        a.log.Logger(),
	})
}

// gitlabForGateway is GitLab's address as the gateway is told it.
func gitlabForGateway(environment map[string]secret.Value, otherwise string) string {
	if declared := environment["AIGW_GITLAB_URL"].Reveal(); declared != "" {
		return declared
	}
	return otherwise
}

// watch measures the outage, and saves the timeline where there was one.
func (a *assembly) watch(ctx context.Context, gate *verify.Gate, live upgrade.Gateway) func() (time.Duration, bool) {
	watcher, err := gate.Watch(ctx, live)
	if err != nil {
		a.log.Logger().Info("the outage cannot be measured", "why", err)
		return func() (time.Duration, bool) { return 0, false }
	}
	return func() (time.Duration, bool) {
		outage, timeline := watcher.Stop()
		if outage.Total > 0 {
			if data, err := json.MarshalIndent(timeline, "", "  "); err == nil {
				a.save(upgrade.Live, []upgrade.File{{Name: "probes.json", Data: data}}, "saved the probes from before, in and after the outage")
			}
		}
		return outage.Total, outage.Measured
	}
}
