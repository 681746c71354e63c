package main

import (
	"context"
	"time"

	"aigw-ci/internal/docker"
	"aigw-ci/internal/rake"
	"aigw-ci/internal/verify"
)

// rake is the check gitlab.rake.
func (a *assembly) rake() verify.Probe {
	s := a.settings
	mode := rake.Mode(s.Verify.GitLab)
	if a.node == (rake.Way{}) && mode == rake.Required {
		mode = rake.Auto // what is required are the checks with gitlab.token; a way to GitLab's node few pipelines have
	}
	return rake.Check(rake.Options{
		Mode:         mode,
		Way:          a.node,
		Runner:       a.onNode(),
		Root:         a.root,
		User:         s.Verify.RakeUser,
		SwitchFlagOn: s.Verify.RakeFlag,
		GatewayURL:   s.Gateway.URL,
		Redactor:     a.redact,
		Log:          a.log.Logger(),
	})
}

// onNode runs commands on the GitLab node. It is reached when a command is run, and
// not before: for most runs of the program, never.
func (a *assembly) onNode() rake.Runner {
	switch a.node.Kind {
	case rake.Docker:
		return rake.RunnerFunc(a.inContainer)
	case rake.Kubernetes:
		return rake.RunnerFunc(a.inToolbox)
	case rake.SSH:
		return rake.RunnerFunc(a.overSSH)
	}
	return nil // this machine, or none
}

func (a *assembly) inContainer(ctx context.Context, command []string) (stdout, stderr []byte, exit int, err error) {
	engine, err := a.reachEngine(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = engine.Close(end) // nothing was left on it
	}()
	return engine.Exec(ctx, a.node.Name, command)
}

func (a *assembly) overSSH(ctx context.Context, command []string) (stdout, stderr []byte, exit int, err error) {
	o := a.system.engine()
	o.Host, o.Log = a.node.URL(), a.log.Logger()
	return docker.SSHRun(ctx, o, command)
}
