package docker

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/mount"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/version"
)

// Require gives the recipe what gateways of line to need and it does not have, and
// refuses what it cannot give. The gateway before was of line from; the zero line
// when there was none, or nobody knows.
//
// Keys are generated from random. They become a part of the container's environment,
// which the next upgrade copies, so they last; those that are there are kept.
func (r *Recipe) Require(from, to version.Line, gitlabURL string, random io.Reader) (Findings, error) {
	var found Findings
	for _, gap := range gateway.Crossing(from, to, r.lookup) {
		switch {
		case gap.Bad != nil:
			found.refuse("%s", gap)
			continue
		case gap.Key:
			key, err := gateway.GenerateKey(random)
			if err != nil {
				return found, fmt.Errorf("generating %s: %w", gap.Name, err)
			}
			r.Set(gap.Name, key)
		case gap.Fills():
			r.Set(gap.Name, secret.Value(gap.Value(gitlabURL)))
		}
		found.note("%s", gap)
	}
	if stale := gateway.StaleCommand(slices.Concat(r.Config.Entrypoint, r.Config.Cmd), to); stale != "" {
		found.refuse("it starts %s, and images of %s have %s: %s", clean(stale, 100), to, gateway.For(to).Command, gateway.CommandMoved.Cure())
	}
	r.demote(from, to, &found)
	r.suspect(&found)
	return found, nil
}

// lookup is a variable of the recipe. The gateway takes an empty one for none.
func (r *Recipe) lookup(name string) (value string, set bool) {
	value, _ = variables(r.Config.Env).get(name)
	return value, value != ""
}

// demote tells of files that a gateway could write as root and cannot any more.
func (r *Recipe) demote(from, to version.Line, found *Findings) {
	user := gateway.For(to).User
	if from == (version.Line{}) || r.Config.User != "" || gateway.For(from).User != "root" || user == "root" {
		return
	}
	var writable []string
	for _, bind := range r.HostConfig.Binds {
		if _, target := bindEnds(bind); !slices.Contains(bindOptions(bind), "ro") {
			writable = append(writable, target)
		}
	}
	for _, m := range r.HostConfig.Mounts {
		if (m.Type == mount.TypeBind || m.Type == mount.TypeVolume) && !m.ReadOnly {
			writable = append(writable, m.Target)
		}
	}
	if len(writable) > 0 {
		slices.Sort(writable)
		found.note("gateways of this version run as the user %s, and no longer as root: what they write to must be writable for that user: %s",
			user, clean(strings.Join(writable, ", "), 300))
	}
}

// suspect tells of settings with which a gateway starts and does not do its work.
// Whether they are a failure is for the gate to judge.
func (r *Recipe) suspect(found *Findings) {
	is := func(name string, wanted bool) bool {
		value, set := r.lookup(name)
		return set && gateway.IsTrue(value) == wanted
	}
	for _, name := range []string{"AIGW_AUTH__BYPASS_EXTERNAL", "AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER", "AIGW_AUTH__BYPASS_JWT_SIGNATURE"} {
		if is(name, true) {
			found.tell(name+" is on", gateway.AuthenticationOff)
		}
	}
	if is("DUO_WORKFLOW_AUTH__ENABLED", false) {
		found.tell("DUO_WORKFLOW_AUTH__ENABLED is off", gateway.AuthenticationOff)
	}
	if is("AIGW_CUSTOM_MODELS__ENABLED", false) {
		found.tell("AIGW_CUSTOM_MODELS__ENABLED is off", gateway.NotSelfHosted)
	}
}

// tell notes something that the catalogue knows.
func (f *Findings) tell(what string, id gateway.DiagnosisID) {
	f.note("%s: %s; %s", what, gateway.Known(id).Cause, id.Cure())
}

func (f *Findings) add(more Findings) {
	f.Notes = append(f.Notes, more.Notes...)
	f.Refusals = append(f.Refusals, more.Refusals...)
}
