package config

import (
	"strings"
	"testing"
)

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestAcceptedValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ setting, value, want string }{
		{"gitlab.url", "https://gitlab.example.com", ""},
		{"gitlab.url", "HTTPS://GitLab.Example.com:8443/gitlab//", "https://gitlab.example.com:8443/gitlab"},
		{"gitlab.url", "http://10.0.0.1:8080", ""},
		{"gitlab.url", "https://[2001:db8::1]/", "https://[2001:db8::1]"},
		{"gitlab.url", "https://gitlab/v1x", ""},
		{"gitlab.version", "v18.2.1-ee", "18.2.1-ee"},
		{"gitlab.version", "18.9.0-pre", ""},
		{"image.repository", "gitlab/model-gateway", ""},
		{"image.repository", "localhost:5000/model-gateway", ""},
		{"image.repository", "[2001:db8::1]:5000/a/b", ""},
		{"image.tag", "self-hosted-v18.2.8-ee", ""},
		{"image.tag", "self-hosted-v18.2.8-ee@sha256:" + hex64, ""},
		{"image.platform", "linux/amd64", ""},
		{"docker.ports", "5052:5052", ""},
		{"docker.ports", "0.0.0.0:5052:5052/tcp", "0.0.0.0:5052:5052"},
		{"docker.network", "host", ""},
		{"docker.restart", "no", ""},
		{"docker.memory", "512m", ""},
		{"docker.memory", "4GiB", ""},
		{"docker.memory", "2147483648", ""},
		{"docker.mounts", "cache:/cache:rw", ""},
		{"verify.timeout", "1h30m", ""},
		{"verify.hold", "0", ""},
		{"verify.successes", "007", "7"},
		{"rehearse", "TRUE", ""},
	} {
		s, ok := named(tt.setting)
		if !ok {
			t.Fatalf("no setting %s", tt.setting)
		}
		want := tt.want
		if want == "" {
			want = tt.value
		}
		if got, err := checkValue(s, tt.value); err != nil || got != want {
			t.Errorf("%s = %q: got %q, %v, want %q", tt.setting, tt.value, got, err, want)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	tests := map[string][]struct{ value, want string }{
		"gitlab.url": {
			{"gitlab.example.com", "no scheme"},
			{"ftp://gitlab.example.com", "scheme"},
			{"https://", "host name"},
			{"https://git lab.example.com", "URL"},
			{"https://gitlab_\u00e9.example.com", "host name"},
			{"https://gitlab..example.com", "host name"},
			{"https://" + strings.Repeat("a", 64) + ".example.com", "host name"},
			{"https://gitlab.example.com:0", "port"},
			{"https://gitlab.example.com:65536", "port"},
			{"https://gitlab.example.com:", "port"},
			{"https://user:hunter2@gitlab.example.com", "a user or a password"},
			{"https://hunter2@gitlab.example.com", "a user or a password"},
			{"https://gitlab.example.com?private_token=hunter2", "query"},
			{"https://gitlab.example.com?", "query"},
			{"https://gitlab.example.com#x", "fragment"},
			{"https://gitlab.example.com#", "fragment"},
			{"https://gitlab.example.com/v1", "/v1"},
			{"https://gitlab.example.com/v1/", "/v1"},
			{"https://gitlab.example.com/api/v4/", "/api/v4"},
			{"https://gitlab.example.com/a//b", "plain"},
			{"https://gitlab.example.com/../b", "plain"},
			{"https://gitlab.example.com\nx", "control characters"},
			{"https://gitlab.example.com/\xff", "UTF-8"},
			{"https://gitlab.example.com/" + strings.Repeat("a", longestText), "bytes, more than"},
		},
		"gitlab.token": {
			{"glpat 123", "blanks"},
			{"glpat-\u00e9", "special characters"},
			{"/builds/group/project.tmp/AIGW_CI_GITLAB_TOKEN", "path of a file"},
			{"$GITLAB_TOKEN", "did not replace"},
			{strings.Repeat("a", longestSecret+1), "bytes, more than"},
		},
		"gitlab.version": {
			{"18.2", "not a GitLab version"},
			{"latest", "not a GitLab version"},
			{"<html>", "not a GitLab version"},
		},
		"image.repository": {
			{"https://registry.example.com/a", "scheme"},
			{"registry.example.com/a:1", "image.tag"},
			{"registry.example.com/a@sha256:" + hex64, "image.tag"},
			{"Registry/A", "no repository"},
			{"registry.example.com", "no repository"},
			{"registry.example.com/", "no repository"},
			{"/a", "no repository"},
			{"a//b", "no repository"},
			{"-bad-.example.com/a", "no repository"},
			{"a/" + strings.Repeat("b", 255), "255"},
		},
		"image.tag": {
			{"model-gateway:self-hosted-v18.2.8-ee", "neither a tag"},
			{"registry.example.com/a:b", "image.repository"},
			{"sha256:" + hex64, "digest alone"},
			{"a@sha256:123", "64 digits"},
			{"a@" + hex64, "64 digits"},
			{"@sha256:" + hex64, "neither a tag"},
			{".a", "neither a tag"},
			{strings.Repeat("a", 129), "neither a tag"},
		},
		"image.platform":    {{"amd64", "platform"}, {"windows/amd64", "platform"}, {"linux/", "platform"}, {"linux/a/b/c", "platform"}},
		"registry.user":     {{"a:b", "account"}, {"a b", "account"}, {strings.Repeat("a", 256), "account"}},
		"registry.password": {{"a b", "blanks"}},
		"target":            {{"kubernetes", "it can be docker"}, {"Docker", "it can be docker"}},
		"gateway.url": {
			{"https://aigw.example.com/v1", "/v1"},
			{"http://localhost:5052", "localhost"},
			{"http://LOCALHOST.:5052", "localhost"},
			{"http://aigw.localhost", "localhost"},
			{"http://127.0.0.1:5052", "localhost"},
			{"http://127.1:5052", "localhost"},
			{"http://[::1]:5052", "localhost"},
			{"http://[::ffff:127.0.0.1]:5052", "localhost"},
			{"http://0.0.0.0:5052", "localhost"},
			{"aigw.example.com:50052", "no scheme"},
		},
		"docker.container": {{"a", "name"}, {"-a", "name"}, {"a/b", "name"}, {strings.Repeat("a", 129), "name"}},
		"docker.ports": {
			{"5052", "published port"}, {":5052", "published port"}, {"5052:", "published port"}, {"a:b", "published port"},
			{"0:5052", "published port"}, {"+1:5052", "published port"}, {"70000:5052", "published port"}, {"5052:5052/udp", "published port"},
			{"5000-5001:5000-5001", "published port"}, {"host:5052:5052", "published port"}, {"::1:5052:5052", "published port"},
			{"[127.0.0.1]:5052:5052", "published port"}, {"[fe80::1%eth0]:5052:5052", "published port"},
		},
		"docker.network": {{"none", "reaches no GitLab"}, {"container:x", "network"}},
		"docker.restart": {{"on-failure:x", "one of"}, {"sometimes", "one of"}},
		"docker.memory":  {{"lots", "memory"}, {"100m", "at least 512m"}, {"-1", "memory"}, {"1.5g", "memory"}, {"4t", "memory"}, {"99999999999999g", "memory"}, {"1mbk", "memory"}},
		"docker.mounts": {
			{"/a", "no mount"}, {"/a:/b:ro:z", "no mount"}, {"/a:/b:exec", "neither ro nor rw"}, {"./a:/b", "source"},
			{"/a/../b:/b", "source"}, {"/a:b", "target"}, {"/a:/", "target"}, {"/a:/b/", "target"},
		},
		"docker.reload":    {{"a b", "name"}},
		"verify.timeout":   {{"300", "write 300s"}, {"5 min", "duration"}, {"0s", "between"}, {"-5s", "between"}, {"7h", "between"}},
		"verify.hold":      {{"-1s", "between"}, {"x", "duration"}},
		"verify.successes": {{"0", "whole number"}, {"101", "whole number"}, {"3.0", "whole number"}, {"three", "whole number"}},
		"rehearse":         {{"yes", "true nor false"}, {"2", "true nor false"}},
		"rollback":         {{"nein", "true nor false"}},
		"report.dir":       {{"a\x00b", "control characters"}},
		"log.level":        {{"trace", "one of debug, info, warn, error"}, {"INFO", "one of"}, {"info+1", "one of"}},
		"log.format":       {{"xml", "one of text, json"}},
	}
	for _, s := range Catalogue() {
		cases, ok := tests[s.Name]
		if !ok && s.Type != Map && s.Name != "ca_file" && s.Name != "gateway.ca_bundle" && s.Name != "gateway.environment_from" {
			t.Errorf("%s: nothing is known to be wrong for it", s.Name)
		}
		for _, c := range cases {
			got, err := checkValue(s, c.value)
			if err == nil {
				t.Errorf("%s = %q is accepted as %q", s.Name, c.value, got)
				continue
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s = %q: %v, want %q", s.Name, c.value, err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 300 {
				t.Errorf("%s: the error says too much: %v", s.Name, err)
			}
		}
	}
}

// Every value is bounded, of whatever setting.
func TestAbsurdlyLongValues(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("9", 1<<16)
	for _, s := range Catalogue() {
		if s.Type == Map {
			continue
		}
		_, _, problems := load(t, Sources{Environ: []string{s.Variable + "=" + huge}}, nil)
		if len(problems) == 0 || len(problems[0]) > 300 {
			t.Errorf("%s: %d problems", s.Name, len(problems))
		}
		if s.Type != List {
			continue
		}
		_, _, problems = load(t, Sources{Environ: []string{s.Variable + "=" + strings.Repeat("a,", 100000)}}, nil)
		if len(problems) != 1 || !strings.Contains(problems[0], "100000 values") {
			t.Errorf("%s: %.300q", s.Name, problems)
		}
	}
}

func TestContradictions(t *testing.T) {
	t.Parallel()
	bundle := certificate(t)
	for _, tt := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"user without password", []string{"AIGW_CI_REGISTRY_USER=deploy"}, "AIGW_CI_REGISTRY_USER (environment): registry.password is not set"},
		{"password without user", []string{"AIGW_CI_REGISTRY_PASSWORD=word-word"}, "AIGW_CI_REGISTRY_PASSWORD (environment): registry.user is not set"},
		{"ports on the host's network", []string{"AIGW_CI_DOCKER_NETWORK=host", "AIGW_CI_DOCKER_PORTS=5052:5052"}, "docker.network is host"},
		{"a host port twice", []string{"AIGW_CI_DOCKER_PORTS=5052:5052,127.0.0.1:5052:50052"}, "want the same port"},
		{"a host port twice, one address", []string{"AIGW_CI_DOCKER_PORTS=[::1]:5052:5052,[::1]:5052:50052"}, "want the same port"},
		{"a target twice", []string{"AIGW_CI_DOCKER_MOUNTS=/a:/c,/b:/c:ro"}, "have the same target"},
		{"the gateway reloads itself", []string{"AIGW_CI_DOCKER_CONTAINER=aigw", "AIGW_CI_DOCKER_RELOAD=aigw"}, "the gateway itself"},
		{"CA bundle twice", []string{"AIGW_CI_GATEWAY_CA_BUNDLE=ca.pem", "AIGW_CI_GATEWAY_ENVIRONMENT=SSL_CERT_FILE=/x"}, "it sets SSL_CERT_FILE"},
		{"gateway is GitLab", []string{"AIGW_CI_GITLAB_URL=https://a.example.com", "AIGW_CI_GATEWAY_URL=https://A.example.com/"}, "same as gitlab.url"},
		{"GitLab on localhost", []string{"AIGW_CI_GITLAB_URL=http://localhost:3000"}, "AIGW_CI_GITLAB_URL (environment): it leads to the machine that asks"},
		{"GitLab on localhost by default", []string{"CI_SERVER_URL=http://127.0.0.1"}, "CI_SERVER_URL (environment): it leads to the machine that asks"},
		{"a bad address of its own", []string{"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=gitlab"}, "AIGW_GITLAB_URL: it has no scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, problems := load(t, Sources{Environ: tt.environ}, files{"ca.pem": bundle})
			if len(problems) != 1 || !strings.Contains(problems[0], tt.want) {
				t.Errorf("got %q, want one with %q", problems, tt.want)
			}
		})
	}
	for name, environ := range map[string][]string{
		"GitLab on localhost, told to the gateway by another name": {
			"AIGW_CI_GITLAB_URL=http://127.0.0.1:8080", "AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=http://172.17.0.1:8080",
		},
		"one port on two addresses": {"AIGW_CI_DOCKER_PORTS=127.0.0.1:5052:5052,10.0.0.1:5052:5052"},
	} {
		if _, _, problems := load(t, Sources{Environ: environ}, nil); problems != nil {
			t.Errorf("%s: %q", name, problems)
		}
	}
}
