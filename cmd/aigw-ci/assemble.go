package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"aigw-ci/internal/config"
	"aigw-ci/internal/docker"
	"aigw-ci/internal/gitlab"
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
	gitlab   *gitlab.Client
	registry *registry.Registry
	engine   *docker.Engine // nil until connect
}

// assemble puts together what looks at GitLab and at registries. It contacts nobody.
func assemble(s *session) (*assembly, error) {
	road, err := transport.New(transport.Options{CAs: s.settings.CAs, UserAgent: userAgent(), Proxy: s.proxy()})
	if err != nil {
		return nil, err
	}
	a := &assembly{session: s, road: road}
	web := &transport.Agent{Base: road, Name: userAgent()}
	log := s.log.Logger()

	o := gitlab.Options{
		URL:       s.settings.GitLab.URL,
		Token:     s.settings.GitLab.Token,
		Version:   s.settings.GitLab.Version,
		Transport: web,
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
		Transport:     web,
		User:          s.settings.Registry.User,
		Password:      s.settings.Registry.Password,
		Environment:   s.getenv,
		TrustedRealms: realms,
		Redact:        s.redact.Add,
		Log:           log,
	})
	return a, err
}

// connect reaches the engine.
func (a *assembly) connect(ctx context.Context) (err error) {
	o := a.system.engine()
	o.Log = a.log.Logger()
	a.engine, err = docker.Connect(ctx, o)
	return err
}

// job is the job with all its parts. Without an engine it has no target.
func (a *assembly) job() *upgrade.Job {
	gate := a.gate()
	job := &upgrade.Job{
		GitLab:   a.gitlab,
		Images:   a.registry,
		Target:   a.target(),
		Gate:     gate,
		Platform: a.settings.Image.Platform,
		Rehearse: a.settings.Rehearse,
		Rollback: a.settings.Rollback,
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

func (a *assembly) target() upgrade.Target {
	s := a.settings
	log := a.log.Logger()
	return docker.NewTarget(a.engine, docker.TargetOptions{
		Container:    s.Docker.Container,
		Repositories: s.Image.Repositories,
		Install: docker.InstallOptions{
			Ports:     s.Docker.Ports,
			Network:   s.Docker.Network,
			Restart:   s.Docker.Restart,
			Memory:    memory(s.Docker.Memory),
			Mounts:    s.Docker.Mounts,
			GitLabURL: s.GitLab.URL,
		},
		Declared:        docker.Declared{Environment: s.Gateway.Environment, CABundle: s.Gateway.CABundle},
		Reload:          s.Docker.Reload,
		ForeignPlatform: s.Image.Platform != "",
		Who:             a.who(),
		Credentials:     a.credentials,
		Ready:           s.Verify.Timeout,
		LockTTL:         a.pace.lockTTL,
		Redact:          a.redact.Add,
		Random:          rand.Reader,
		Log:             log,
	})
}

// memory is an amount as docker run takes it; empty is no limit.
func memory(b config.Bytes) string {
	if b == 0 {
		return ""
	}
	return strconv.FormatInt(int64(b), 10)
}

// credentials are what the engine shows the registry: the same as we do.
func (a *assembly) credentials(ctx context.Context, repository string) (docker.Credentials, error) {
	c, err := a.registry.Credentials(ctx, repository)
	return docker.Credentials{User: c.Username, Password: c.Password, Token: c.IdentityToken, Source: c.Source}, err
}

func (a *assembly) gate() *verify.Gate {
	s := a.settings
	return verify.New(verify.Options{
		Timeout:    s.Verify.Timeout,
		Hold:       s.Verify.Hold,
		Successes:  s.Verify.Successes,
		Interval:   a.pace.look,
		GatewayURL: s.Gateway.URL,
		GitLabURL:  gitlabForGateway(s.Gateway.Environment, s.GitLab.URL),
		Transport:  a.road,
		UserAgent:  userAgent(),
		Redactor:   a.redact,
		Probes:     []verify.Probe{a.unchanged},
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

// unchanged is the check gitlab.version. It means something only for a gateway
// that was chosen for GitLab's version and has users.
func (a *assembly) unchanged(ctx context.Context, s upgrade.Subject) upgrade.Check {
	if s.Stage != upgrade.Live || s.Release.Version.Major == 0 {
		return upgrade.Check{ID: "gitlab.version", Verdict: upgrade.Skip, Detail: "looked at on the live gateway, when an image was chosen for GitLab's version"}
	}
	return a.gitlab.Unchanged(s.Release)(ctx)
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
