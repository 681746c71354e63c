package docker

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

var (
	line175  = version.Line{Major: 17, Minor: 5}
	line183  = version.Line{Major: 18, Minor: 3}
	line184  = version.Line{Major: 18, Minor: 4}
	line188  = version.Line{Major: 18, Minor: 8}
	line189  = version.Line{Major: 18, Minor: 9}
	gitlabIs = []string{"AIGW_GITLAB_URL=https://gitlab.example.com", "AIGW_GITLAB_API_URL=https://gitlab.example.com/api/v4/"}
)

func recipeWith(env ...string) Recipe {
	return Recipe{
		Config:     &container.Config{Env: slices.Concat(gitlabIs, env)},
		HostConfig: &container.HostConfig{},
	}
}

// Keys are generated once, and are the same for whoever takes the recipe: the
// rehearsal, and the gateway that is promoted. None shows.
func TestRequireAddsKeys(t *testing.T) {
	t.Parallel()
	mine, err := gateway.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := recipeWith("DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY="+mine.Reveal(), "AIGW_SELF_SIGNED_JWT__SIGNING_KEY=")
	found, err := r.Require(line188, line189, "https://gitlab.example.com", rand.Reader)
	if err != nil || len(found.Refusals) != 0 {
		t.Fatalf("%+v, %v", found, err)
	}
	text := strings.Join(found.Notes, "\n")
	if strings.Count(text, "will be added") != 4 || strings.Contains(text, "PRIVATE") {
		t.Errorf("notes %q, want three keys and DUO_WORKFLOW_AUTH__ENABLED", found.Notes)
	}
	for _, name := range gateway.For(line189).Keys {
		key, _ := r.lookup(name)
		if err := gateway.CheckKey(key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if kept := key == mine.Reveal(); kept != (name == "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY") {
			t.Errorf("%s is the user's key: %v", name, kept)
		}
	}
	for _, d := range Differences(nil, r, "new", ImageConfig{}) {
		if c := d.Change(); strings.Contains(c.From+c.To+d.String(), "PRIVATE") {
			t.Errorf("a change shows a key: %s", c.Field)
		}
	}
	rehearsal, _ := r.Rehearsal("gw.rehearsal")
	if diff := cmp.Diff(r.Config.Env, rehearsal.Config.Env); diff != "" {
		t.Error("the rehearsal has other keys")
	}
	before := slices.Clone(r.Config.Env)
	if found, err := r.Require(line189, line189, "https://gitlab.example.com", rand.Reader); err != nil || len(found.Notes) != 0 || !slices.Equal(before, r.Config.Env) {
		t.Errorf("the same again: %q, %v", found.Notes, err)
	}
}

func TestRequireRefuses(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	short := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(weak)}))
	for name, test := range map[string]struct {
		env, command []string
		from, to     version.Line
		want         string // in the one refusal; empty: none
	}{
		"bad PEM":                 {env: []string{"AIGW_SELF_SIGNED_JWT__SIGNING_KEY=hunter2"}, from: line188, to: line189, want: "no key in PEM format"},
		"too short":               {env: []string{"AIGW_SELF_SIGNED_JWT__VALIDATION_KEY=" + short}, from: line188, to: line189, want: "1024 bits"},
		"bad, within a line":      {env: []string{"AIGW_SELF_SIGNED_JWT__SIGNING_KEY=hunter2"}, from: line189, to: line189, want: "gateway.environment_from"},
		"bad, and not needed":     {env: []string{"AIGW_SELF_SIGNED_JWT__SIGNING_KEY=hunter2"}, from: line184, to: line188},
		"an old command":          {command: []string{"./run.sh"}, from: line175, to: line183, want: "so that the image's command is used"},
		"an old command, not yet": {command: []string{"./run.sh"}, from: line175, to: version.Line{Major: 18, Minor: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recipeWith(test.env...)
			r.Config.Cmd = test.command
			found, err := r.Require(test.from, test.to, "https://gitlab.example.com", rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(found.Refusals) == 0:
			case test.want == "" || len(found.Refusals) != 1 || !strings.Contains(found.Refusals[0], test.want):
				t.Errorf("refusals %q, want one with %q", found.Refusals, test.want)
			case strings.Contains(found.Refusals[0], "hunter2"):
				t.Errorf("the key shows: %q", found.Refusals)
			}
		})
	}
}

func TestRequireTells(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env      []string
		binds    []string
		user     string
		from, to version.Line
		want     string // in the only note; empty: no note
	}{
		"nothing":                {from: line183, to: line184},
		"bypass":                 {env: []string{"AIGW_AUTH__BYPASS_EXTERNAL=true"}, from: line183, to: line184, want: "AIGW_AUTH__BYPASS_EXTERNAL is on: authentication is switched off"},
		"bypass, off":            {env: []string{"AIGW_AUTH__BYPASS_EXTERNAL=false"}, from: line183, to: line184},
		"no authentication":      {env: []string{"DUO_WORKFLOW_AUTH__ENABLED=false"}, from: line183, to: line184, want: "DUO_WORKFLOW_AUTH__ENABLED is off"},
		"no models of one's own": {env: []string{"AIGW_CUSTOM_MODELS__ENABLED=false"}, from: line183, to: line184, want: "self-hosted-v"},
		"no root any more":       {binds: []string{"/srv/a:/a", "/srv/b:/b:ro"}, from: line175, to: line183, want: "writable for that user: /a"},
		"never was root":         {binds: []string{"/srv/a:/a"}, user: "1000", from: line175, to: line183},
		"only read":              {binds: []string{"/srv/b:/b:ro"}, from: line175, to: line183},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, err := gateway.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			r := recipeWith(append(test.env, "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY="+key.Reveal())...)
			r.HostConfig.Binds, r.Config.User = test.binds, test.user
			found, err := r.Require(test.from, test.to, "https://gitlab.example.com", rand.Reader)
			if err != nil || len(found.Refusals) != 0 {
				t.Fatalf("%+v, %v", found, err)
			}
			if got := strings.Join(found.Notes, "\n"); test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("notes %q, want %q", got, test.want)
			}
		})
	}
}

// What runs already and lacks something is told, and left as it is.
func TestAmiss(t *testing.T) {
	t.Parallel()
	image := upgrade.Image{Tag: "self-hosted-v18.9.0-ee"}
	r := recipeWith("AIGW_AUTH__BYPASS_EXTERNAL=true", "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY=hunter2")
	before := slices.Clone(r.Config.Env)
	notes := amiss(r, image)
	text := strings.Join(notes, "\n")
	for _, want := range []string{"DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY, which", "AIGW_SELF_SIGNED_JWT__SIGNING_KEY is not set", "BYPASS_EXTERNAL is on"} {
		if !strings.Contains(text, want) {
			t.Errorf("no word about %q in\n%s", want, text)
		}
	}
	if len(notes) != 5 || strings.Contains(text, "will be added") || strings.Contains(text, "hunter2") || !slices.Equal(before, r.Config.Env) {
		t.Errorf("notes %q", notes)
	}
	if notes := amiss(r, upgrade.Image{Digest: "sha256:1"}); notes != nil {
		t.Errorf("of an unknown line: %q", notes)
	}
}

func TestGeneratedKeysAreHidden(t *testing.T) {
	t.Parallel()
	var hidden bytes.Buffer
	target := &Target{options: TargetOptions{Redact: func(values ...string) { hidden.WriteString(strings.Join(values, "")) }}}
	r := recipeWith()
	if _, err := r.Require(line183, line184, "", rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, err := target.plan(upgrade.Replace, testImage, &blueprint{recipe: r}, Findings{}, nil); err != nil {
		t.Fatal(err)
	}
	if key, _ := r.lookup("DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY"); key == "" || !strings.Contains(hidden.String(), key) {
		t.Error("a generated key is not kept out of the log")
	}
}

func bound(specs ...string) network.PortMap {
	ports, err := ParsePorts(specs)
	if err != nil {
		panic(err)
	}
	return ports
}
