package verify

import (
	"context"
	"strings"
	"testing"

	"aigw-ci/internal/upgrade"
)

func TestDigest(t *testing.T) {
	t.Parallel()
	const index, platform, config = "sha256:aaaa", "sha256:bbbb", "sha256:cccc"
	wanted := image(before)
	wanted.Digest, wanted.PlatformDigest, wanted.ConfigDigest = index, platform, config
	newer := image("self-hosted-v18.4.1-ee")
	newer.Digest = index
	for _, tt := range []struct {
		name    string
		image   upgrade.Image
		runs    []string
		release string
		verdict upgrade.Verdict
		detail  string
	}{
		{"index", wanted, []string{index}, "", upgrade.Pass, index},
		{"platform manifest", wanted, []string{platform}, "", upgrade.Pass, ""},
		{"config", wanted, []string{config}, "", upgrade.Pass, ""},
		{"a stale name beside the right one", wanted, []string{"sha256:dddd", index}, "", upgrade.Pass, ""},
		{"another", wanted, []string{"sha256:dddd"}, "18.3.1-ee", upgrade.Fail, "runs sha256:dddd, and should run registry.example.com/model-gateway:self-hosted-v18.3.1-ee@" + index},
		{"another, of an older line", wanted, []string{"sha256:dddd", "registry.example.com/model-gateway:self-hosted-v18.2.8-ee"}, "18.3.1-ee", upgrade.Fail, "skew: this gateway is of 18.2, older than GitLab 18.3"},
		{"another, of a newer line", wanted, []string{"sha256:dddd", "registry.example.com:5000/model-gateway:self-hosted-v18.5.0-ee@sha256:dddd"}, "18.3.1-ee", upgrade.Fail, "newer than GitLab 18.3, which is known to break"},
		{"another, of the same line", wanted, []string{"sha256:dddd", "m:self-hosted-v18.3.0-ee"}, "18.3.1-ee", upgrade.Fail, index},
		{"unknown", wanted, nil, "", upgrade.Inconclusive, "does not tell"},
		{"any will do", upgrade.Image{}, []string{"sha256:dddd"}, "", upgrade.Skip, ""},
		{"no digest is no match", upgrade.Image{Repository: "m", Tag: before}, []string{""}, "", upgrade.Fail, ""},
		{"pinned across lines", newer, []string{index}, "18.3.1-ee", upgrade.Warn, "skew: this gateway is of 18.4, newer than GitLab 18.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own := serve(t, gatewayAPI(nil))
			own.state = func(context.Context) (upgrade.State, error) {
				return upgrade.State{Status: upgrade.Running, Started: started, Digests: tt.runs}, nil
			}
			s := upgrade.Subject{Gateway: own, Image: tt.image, Glance: true}
			if tt.release != "" {
				s.Release = release(t, tt.release)
			}
			checks := judge(t, New(quick()), s)
			want(t, checks, Digest, tt.verdict, tt.detail)
		})
	}
}

func TestEnding(t *testing.T) {
	t.Parallel()
	for text, state := range map[string]upgrade.State{
		"exit code 1":        {ExitCode: 1},
		"out of memory":      {ExitCode: 137, OOM: true},
		"cannot be run":      {ExitCode: 127},
		"137: killed":        {ExitCode: 137},
		"segmentation fault": {ExitCode: 139},
		"told to stop":       {ExitCode: 143},
		"by itself":          {},
		"no such device":     {ExitCode: 128, Error: "no such device"},
	} {
		if got := ending(state); !strings.Contains(got, text) {
			t.Errorf("%+v: %q, want it to say %q", state, got, text)
		}
	}
}
