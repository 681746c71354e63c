package main

import (
	"context"
	"crypto/rand"
	"strconv"

	"aigw-ci/internal/config"
	"aigw-ci/internal/docker"
)

// connectEngine makes the gateway's container the target.
func (a *assembly) connectEngine(ctx context.Context) error {
	engine, err := a.reachEngine(ctx)
	if err != nil {
		return err
	}
	a.close = engine.Close
	s := a.settings
	a.target = docker.NewTarget(engine, docker.TargetOptions{
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
		Log:             a.log.Logger(),
	})
	return nil
}

// reachEngine reaches the Docker Engine of the standard variables.
func (a *assembly) reachEngine(ctx context.Context) (*docker.Engine, error) {
	o := a.system.engine()
	o.Log = a.log.Logger()
	return docker.Connect(ctx, o)
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
