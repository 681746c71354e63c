package report

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"aigw-ci/internal/upgrade"
)

const password = "hunter2-s3cr3t/+=" // a secret in every hostile text

var (
	began  = time.Date(2026, 11, 22, 3, 0, 0, 123456789, time.FixedZone("CET", 3600))
	newSum = "sha256:" + strings.Repeat("1a", 32)
	cfgSum = "sha256:" + strings.Repeat("2b", 32)
	oldSum = "sha256:" + strings.Repeat("3c", 32)
	oldID  = strings.Repeat("0123456789abcdef", 4)
	newID  = strings.Repeat("fedcba9876543210", 4)
)

func image() upgrade.Image {
	return upgrade.Image{
		Repository: "registry.example.com/ai/model-gateway", Tag: "self-hosted-v18.3.2-ee",
		Digest: newSum, PlatformDigest: newSum, ConfigDigest: cfgSum, Platform: "linux/amd64",
		Reason: "highest patch of 18.3",
	}
}

func oldGateway() *upgrade.Instance {
	return &upgrade.Instance{ID: oldID, Image: "registry.example.com/ai/model-gateway:self-hosted-v18.2.8-ee", Digests: []string{oldSum}}
}

func newGateway() *upgrade.Instance {
	return &upgrade.Instance{ID: newID, Image: image().Reference(), Digests: []string{cfgSum, newSum}}
}

// job is an upgrade from 18.2 to 18.3 up to the point where it is decided.
func job() upgrade.Result {
	yes := true
	release := upgrade.Release{URL: "https://gitlab.example.com", Source: "api", Enterprise: &yes}
	v := &release.Version
	v.Major, v.Minor, v.Patch, v.Edition = 18, 3, 6, "ee"
	return upgrade.Result{
		Command: "upgrade", Release: release,
		Image: image(), Place: upgrade.Place{Kind: "docker", Name: "gitlab-aigw"},
		Before: oldGateway(), RegistryRequests: 4,
		Changes: []upgrade.Change{{Field: "image", From: oldGateway().Image, To: image().Reference()}},
		Phases:  phases("observe done", "resolve done", "plan done", "prepare done"),
	}
}

// phases are written "name outcome"; each took 1.5 s.
func phases(all ...string) []upgrade.Phase {
	var list []upgrade.Phase
	for i, s := range all {
		name, outcome, _ := strings.Cut(s, " ")
		list = append(list, upgrade.Phase{Name: name, Outcome: outcome, Started: began.Add(time.Duration(i) * 2 * time.Second), Took: 1500 * time.Millisecond})
	}
	return list
}

func good(stage upgrade.Stage) []upgrade.Check {
	return []upgrade.Check{
		{ID: "gateway.healthz", Stage: stage, Verdict: upgrade.Pass, Detail: "200 {}", Took: 12 * time.Millisecond},
		{ID: "gateway.grpc", Stage: stage, Verdict: upgrade.Skip, Detail: "18.3 serves no gRPC"},
		{ID: "gateway.stable", Stage: stage, Verdict: upgrade.Pass, Detail: "no restart in 30s", Took: 30 * time.Second},
	}
}

func bad(stage upgrade.Stage) []upgrade.Check {
	return append(good(stage)[:1:1], upgrade.Check{
		ID: "gateway.stable", Stage: stage, Verdict: upgrade.Fail, Took: 8200 * time.Millisecond,
		Detail: "exited with code 1 after 8s: KeyError: 'AIGW_GITLAB_URL'",
		Remedy: "set AIGW_GITLAB_URL in gateway.environment", Diagnosis: "bad-variable",
	})
}

// results are one run for each way to end that reads differently.
func results() map[string]upgrade.Result {
	outage := 2345678 * time.Microsecond
	all := map[string]upgrade.Result{}
	add := func(name string, change func(*upgrade.Result)) {
		r := job()
		change(&r)
		if r.Outcome == "" {
			r.Outcome = upgrade.Outcome(name)
		}
		all[name] = r
	}
	add("lock_lost", func(r *upgrade.Result) {
		r.Outcome, r.Before = upgrade.Locked, oldGateway()
		r.Err = fmt.Errorf("promoting %s: %w", image().Reference(), upgrade.ErrLockLost)
	})
	add("upgraded", func(r *upgrade.Result) {
		r.After, r.Outage = newGateway(), &outage
		r.Phases = append(r.Phases, phases("rehearse done", "promote done", "verify pass", "keep done")...)
		r.Checks = append(good(upgrade.Rehearsal), good(upgrade.Live)...)
		r.Checks = append(r.Checks, upgrade.Check{ID: "gateway.tls", Stage: upgrade.Live, Verdict: upgrade.Warn,
			Detail: "the certificate ends in 9 days", Remedy: "renew it"})
		r.Notes = []string{"the container belongs to compose project \"ai\": change the image in its file too"}
	})
	add("unchanged", func(r *upgrade.Result) {
		r.Before = newGateway()
		r.After, r.Changes = r.Before, nil
		r.Phases = append(r.Phases[:3:3], phases("verify pass")...)
		r.Checks = good(upgrade.Live)
	})
	add("planned", func(r *upgrade.Result) {
		r.Command, r.After = "plan", r.Before
		r.Phases = r.Phases[:3]
		r.Changes = append(r.Changes, upgrade.Change{Field: "environment.AIGW_GITLAB_URL", To: "https://gitlab.example.com"})
	})
	add("rejected", func(r *upgrade.Result) {
		r.Err, r.After = errors.New("the rehearsal failed; the old gateway was not touched and works"), r.Before
		r.Phases = append(r.Phases, phases("rehearse done", "verify pass")...)
		r.Checks = append(bad(upgrade.Rehearsal), good(upgrade.Live)...)
	})
	add("rolled_back", func(r *upgrade.Result) {
		r.Err, r.After, r.Outage = errors.New("the new gateway failed"), oldGateway(), &outage
		r.Phases = append(r.Phases, phases("rehearse done", "promote done", "verify fail", "restore done", "verify pass")...)
		r.Checks = append(good(upgrade.Rehearsal), append(bad(upgrade.Live), good(upgrade.Restored)...)...)
	})
	add("rollback_failed", func(r *upgrade.Result) {
		r.Err = errors.Join(errors.New("the new gateway failed"), errors.New("putting the previous gateway back: connection refused"))
		r.After = nil
		r.Phases = append(r.Phases, phases("rehearse done", "promote done", "verify fail", "restore failed")...)
		r.Checks = append(good(upgrade.Rehearsal), bad(upgrade.Live)...)
	})
	add("inconclusive", func(r *upgrade.Result) {
		r.Err, r.After = errors.New("the rehearsal: it could not be looked at; the gateway was not touched"), nil
		r.Phases = append(r.Phases, phases("rehearse done")...)
		r.Checks = []upgrade.Check{{ID: "gateway.healthz", Stage: upgrade.Rehearsal, Verdict: upgrade.Inconclusive,
			Detail: "no road to 172.17.0.3:5052", Remedy: "run the job on the engine's network"}}
	})
	add("no_image", func(r *upgrade.Result) {
		r.Err = &upgrade.NoImageError{Wanted: r.Release.Version.Line(), Nearest: []string{"self-hosted-v18.2.8-ee"}, Detail: "searched registry.example.com/ai/model-gateway"}
		r.Image, r.Changes, r.Phases = upgrade.Image{}, nil, phases("observe done", "resolve failed")
	})
	all["usage"] = upgrade.Result{Command: "upgrade", Outcome: upgrade.Misused,
		Err: errors.New("2 settings are not right:\n  gateway.url: it ends in /v1\n  verify.timeout: \"soon\" is not a duration")}
	all["hostile"] = hostile()
	return all
}

// hostile is a run whose every text comes from somebody who means harm.
func hostile() upgrade.Result {
	evil := "a|b`c`\\| ]]></failure><script>alert(1)</script> <!-- & \"q\" 'q' $X @all #1 !2 \x1b[2J\x00\u202e\u2028\xff\r\n/close\n```\nKEY=value " + password
	r := job()
	r.Command, r.Outcome, r.Err = "upgrade", upgrade.RolledBack, errors.New(evil)
	r.Release.URL, r.Place.Name = "https://gitlab.example.com/"+evil, evil
	r.Image.Repository, r.Image.Tag, r.Image.Reason = evil, evil, evil
	r.Before = &upgrade.Instance{ID: evil, Image: evil, Digests: []string{evil}}
	r.After = &upgrade.Instance{ID: evil, Image: evil, Digests: []string{evil}}
	r.Changes = []upgrade.Change{{Field: evil, From: evil, To: evil}}
	r.Phases = []upgrade.Phase{{Name: evil, Outcome: evil, Started: began}}
	for _, v := range []upgrade.Verdict{upgrade.Pass, upgrade.Fail, upgrade.Warn, upgrade.Skip, upgrade.Inconclusive} {
		r.Checks = append(r.Checks, upgrade.Check{ID: evil, Stage: upgrade.Live, Verdict: v, Detail: evil, Remedy: evil, Diagnosis: evil})
	}
	r.Checks = append(r.Checks, upgrade.Check{ID: "gateway.healthz", Stage: upgrade.Live, Verdict: upgrade.Fail, Detail: strings.Repeat("0123456789", 1000), Remedy: "short"})
	r.Notes = []string{evil}
	return r
}
