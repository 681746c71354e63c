package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/secret"
)

func pair(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	ci := []string{"CI_REGISTRY", "registry.example.com:5050", "CI_REGISTRY_USER", "gitlab-ci-token", "CI_REGISTRY_PASSWORD", "job-token"}
	file := t.TempDir()
	write(t, filepath.Join(file, "config.json"),
		`{"auths":{"registry.example.com:5050":{"auth":"`+pair("file", "from-file")+`"},"other.example.com":{"auth":"`+pair("file", "other")+`"}},"HttpHeaders":{"X":"y"}}`)
	home := t.TempDir()
	write(t, filepath.Join(home, ".docker", "config.json"), `{"auths":{"registry.example.com:5050":{"username":"home","password":"from-home"}}}`)
	auths := func(s string) []string {
		return []string{"DOCKER_AUTH_CONFIG", `{"auths":{` + s + `},"credHelpers":{},"unknown":1}`}
	}
	is := func(user, password, source string) Credential {
		return Credential{Username: user, Password: secret.Value(password), Source: source}
	}
	for _, tt := range []struct {
		name       string
		env        []string
		options    func(*Options)
		repository string // default: registry.example.com:5050/group/image
		want       Credential
	}{
		{name: "none"},
		{name: "settings", options: login("alice", "pass"), env: ci, want: is("alice", "pass", "registry.user")},
		{name: "settings are for the first repository's registry", options: login("alice", "pass"), repository: "docker.io/gitlab/model-gateway"},
		{name: "the job's own", env: ci, want: is("gitlab-ci-token", "job-token", "CI_REGISTRY_USER")},
		{name: "the job's own, elsewhere", env: ci, repository: "registry.example.com/group/image"},
		{name: "deploy token before the job's own", env: append(ci, "CI_DEPLOY_USER", "deploy", "CI_DEPLOY_PASSWORD", "token"), want: is("deploy", "token", "CI_DEPLOY_USER")},
		{name: "variable before the job's own", env: append(auths(`"registry.example.com:5050":{"auth":"`+pair("env", "a:b")+`"}`), ci...), want: is("env", "a:b", "DOCKER_AUTH_CONFIG")},
		{name: "variable for another registry", env: append(auths(`"registry.example.com":{"auth":"`+pair("env", "x")+`"}`), ci...), want: is("gitlab-ci-token", "job-token", "CI_REGISTRY_USER")},
		{name: "variable before the file", env: append(auths(`"https://registry.example.com:5050/v2/":{"auth":"`+pair("env", "x")+`"}`), "DOCKER_CONFIG", file), want: is("env", "x", "DOCKER_AUTH_CONFIG")},
		{name: "file before the job's own", env: append([]string{"DOCKER_CONFIG", file}, ci...), want: is("file", "from-file", filepath.Join(file, "config.json"))},
		{name: "file at home", env: []string{"HOME", home}, want: is("home", "from-home", filepath.Join(home, ".docker", "config.json"))},
		{name: "no file", env: append([]string{"HOME", "/nonexistent", "DOCKER_CONFIG", "/nonexistent"}, ci...), want: is("gitlab-ci-token", "job-token", "CI_REGISTRY_USER")},
		{name: "Docker Hub by its old key", repository: "gitlab/model-gateway", env: auths(`"https://index.docker.io/v1/":{"auth":"` + pair("hub", "x") + `"}`), want: is("hub", "x", "DOCKER_AUTH_CONFIG")},
		{name: "Docker Hub by name", repository: "docker.io/gitlab/model-gateway", env: auths(`"docker.io":{"auth":"` + pair("hub", "x") + `"}`), want: is("hub", "x", "DOCKER_AUTH_CONFIG")},
		{name: "longest path", env: auths(`"registry.example.com:5050":{"auth":"` + pair("all", "x") + `"},"registry.example.com:5050/group":{"auth":"` + pair("group", "x") +
			`"},"registry.example.com:5050/gro":{"auth":"` + pair("gro", "x") + `"},"registry.example.com:5050/group/image/more":{"auth":"` + pair("more", "x") + `"}`), want: is("group", "x", "DOCKER_AUTH_CONFIG")},
		{name: "empty entry", env: append(auths(`"registry.example.com:5050":{}`), ci...), want: is("gitlab-ci-token", "job-token", "CI_REGISTRY_USER")},
		{name: "identity token", env: auths(`"registry.example.com:5050":{"auth":"` + pair("u", "") + `","identitytoken":"id"}`),
			want: Credential{Username: "u", IdentityToken: "id", Source: "DOCKER_AUTH_CONFIG"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Repositories: []string{"registry.example.com:5050/group/image"}, Transport: roundTrip(nil), Environment: env(tt.env...)}
			if tt.options != nil {
				tt.options(&o)
			}
			r, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			repository := tt.repository
			if repository == "" {
				repository = o.Repositories[0]
			}
			got, err := r.Credentials(t.Context(), repository)
			if err != nil || got != tt.want {
				t.Errorf("from %s: user %q (%v), want %s: %q", got.Source, got.Username, err, tt.want.Source, tt.want.Username)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNewReportsEveryProblemAndNoSecret(t *testing.T) {
	t.Parallel()
	_, err := New(Options{
		Repositories: []string{"registry.example.com/a:tag", "registry.example.com/UPPER", strings.Repeat("a", 10_000)},
		Tag:          "no tag!",
		Transport:    roundTrip(nil),
		User:         "alice",
		Environment:  env("DOCKER_AUTH_CONFIG", `{"auths":{"registry.example.com":{"auth":`+hidden+`}}}`),
	})
	for _, want := range []string{
		`"registry.example.com/a:tag" names a tag`, `"registry.example.com/UPPER" is not a repository`, `"aaaa`,
		`image.tag "no tag!" is not a tag`, "registry.user and registry.password belong together", "DOCKER_AUTH_CONFIG is not a docker configuration",
	} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(fmt.Sprint(err), hidden) || len(err.Error()) > 2000 {
		t.Errorf("error %v", err)
	}
}

func TestCredentialsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"not base64":  `{"auths":{"registry.example.com":{"auth":"` + hidden + `!"}}}`,
		"no colon":    `{"auths":{"registry.example.com":{"auth":"` + base64.StdEncoding.EncodeToString([]byte(hidden)) + `"}}}`,
		"evil helper": `{"credHelpers":{"registry.example.com":"../../bin/sh"}}`,
		"no helper":   `{"credHelpers":{"registry.example.com":"is-not-installed"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := New(Options{Repositories: []string{"registry.example.com/a"}, Transport: roundTrip(nil), Environment: env("DOCKER_AUTH_CONFIG", value)})
			if err != nil {
				t.Fatal(err)
			}
			cred, err := r.Credentials(t.Context(), "registry.example.com/a")
			if err == nil || cred != (Credential{}) || strings.Contains(err.Error(), hidden) || !strings.Contains(err.Error(), "DOCKER_AUTH_CONFIG") {
				t.Errorf("%v, error %v", cred, err)
			}
		})
	}
	if _, err := parseDockerConfig("DOCKER_AUTH_CONFIG", make([]byte, maxDockerConfig+1)); err == nil {
		t.Error("a configuration of more than a megabyte was read")
	}
}

func TestDockerConfigHelpers(t *testing.T) {
	t.Parallel()
	var asked []string
	config := &dockerConfig{
		CredHelpers: map[string]string{"helped.example.com": "one", "https://index.docker.io/v1/": "hub"},
		CredsStore:  "desktop", source: "config.json", log: quiet(),
		run: func(_ context.Context, name, server string) (Credential, error) {
			asked = append(asked, name+" "+server)
			switch name {
			case "one":
				return Credential{IdentityToken: "id"}, nil
			case "desktop":
				return Credential{}, fmt.Errorf("starting: %w", exec.ErrNotFound)
			}
			return Credential{}, nil
		},
	}
	for host, want := range map[string]Credential{
		"helped.example.com": {IdentityToken: "id", Source: "docker-credential-one, named in config.json"},
		"index.docker.io":    {},
		"public.example.com": {}, // the store is somebody's desktop
	} {
		got, err := config.find(t.Context(), host, "a/b")
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", host, got.Source, err)
		}
	}
	for _, want := range []string{"one helped.example.com", "hub https://index.docker.io/v1/", "desktop public.example.com"} {
		if !strings.Contains(strings.Join(asked, ","), want) {
			t.Errorf("asked %q, not %q", asked, want)
		}
	}
}

// Real programs, found by their name alone. Not parallel: PATH belongs to the process.
func TestRunHelper(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	for name, body := range map[string]string{
		"good":    `read server; printf '{"ServerURL":"%s","Username":"%s","Secret":"for %s"}' "$server" "$1" "$server"`,
		"token":   `printf '{"Username":"<token>","Secret":"id"}'`,
		"empty":   `echo "credentials not found in native keychain"; exit 1`,
		"broken":  `echo ` + hidden + `; exit 3`,
		"babbles": `echo ` + hidden,
		"floods":  `head -c 1000000 /dev/zero`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		want Credential
		err  string
	}{
		{"good", Credential{Username: "get", Password: "for registry.example.com"}, ""},
		{"token", Credential{IdentityToken: "id"}, ""},
		{"empty", Credential{}, ""},
		{"broken", Credential{}, "exit status 3"},
		{"babbles", Credential{}, "not a credential"},
		{"floods", Credential{}, "not a credential"},
		{"missing", Credential{}, "not found"},
		{"../good", Credential{}, "not the name"},
		{"good; id", Credential{}, "not the name"},
		{"-good", Credential{}, "not the name"},
		{"", Credential{}, "not the name"},
	} {
		got, err := runHelper(t.Context(), tt.name, "registry.example.com")
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b secret.Value) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || strings.Contains(fmt.Sprint(err), hidden) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
		}
	}
	if _, err := runHelper(t.Context(), "missing", "x"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("error %v, want exec.ErrNotFound", err)
	}
}
