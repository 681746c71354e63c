package config

import (
	"slices"
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
		{"target", "kubernetes", ""},
		{"kubernetes.namespace", "duo-2", ""},
		{"kubernetes.release", "duo.gateway", ""},
		{"kubernetes.context", "infrastructure/clusters:production", ""},
		{"kubernetes.chart.repository", "https://gitlab.example.com/api/v4/projects/7/packages/helm/stable/", "https://gitlab.example.com/api/v4/projects/7/packages/helm/stable"},
		{"kubernetes.chart.repository", "oci://registry.example.com:5000/mirror/charts/", "oci://registry.example.com:5000/mirror/charts"},
		{"kubernetes.chart.repository", "oci://registry.example.com", ""},
		{"kubernetes.chart.version", "v0.15.1-rc.1+build.7", ""},
		{"kubernetes.host", "AIGW.Example.com", "aigw.example.com"},
		{"kubernetes.values", "\n  a: {b: [1, two]}\n  c: ~\n", ""},
		{"kubernetes.values", "a: &x {b: 1}\nc: *x\n", ""},
		{"verify.gitlab", "off", ""},
		{"verify.rake", "local", ""},
		{"verify.rake", "docker:gitlab", ""},
		{"verify.rake", "kubernetes:gitlab", ""},
		{"verify.rake", "ssh:git@gitlab.example.com", ""},
		{"verify.rake", "ssh:git@[2001:db8::1]:2222", ""},
		{"verify.rake_user", "alice.b-c", ""},
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
		"target":            {{"podman", "one of docker, kubernetes"}, {"Docker", "one of docker"}},
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
		"docker.reload":        {{"a b", "name"}},
		"kubernetes.namespace": {{"Duo", "namespace"}, {"-a", "namespace"}, {"a.b", "namespace"}, {strings.Repeat("a", 64), "namespace"}},
		"kubernetes.release":   {{"Duo", "release"}, {"a_b", "release"}, {strings.Repeat("a", 54), "53"}},
		"kubernetes.context":   {{"a\x00b", "control characters"}},
		"kubernetes.chart.repository": {
			{"charts.example.com", "neither https"}, {"/srv/charts", "kubernetes.chart.path"}, {"git+https://x.example.com", "neither https"},
			{"https://user:hunter2@charts.example.com", "a user or a password"}, {"https://charts.example.com?token=hunter2", "query"},
			{"https://charts.example.com#", "fragment"}, {"https://", "host name"}, {"https://charts.example.com:0", "port"},
			{"https://charts.example.com/index.yaml", "index.yaml"},
			{"oci://", "no repository"}, {"oci://u:hunter2@registry.example.com/charts", "no repository"},
			{"oci://registry.example.com/charts:1.0.0", "no repository"}, {"oci://registry.example.com/a//b", "no repository"},
		},
		"kubernetes.chart.name":     {{"ai-gateway/ai-gateway", "name of a chart"}, {"../x", "name of a chart"}, {strings.Repeat("a", 129), "name of a chart"}},
		"kubernetes.chart.version":  {{"0.15", "version"}, {"latest", "version"}, {">=0.1.0", "version"}, {"0.01.0", "version"}, {"1.0.0 ", "version"}},
		"kubernetes.chart.path":     {{"a\x00b", "control characters"}},
		"kubernetes.chart.user":     {{"a:b", "account"}},
		"kubernetes.chart.password": {{"a b", "blanks"}},
		"kubernetes.host": {
			{"https://aigw.example.com", "URL"}, {"aigw.example.com:443", "no host name"}, {"*.example.com", "no host name"},
			{"10.0.0.1", "no host name"}, {"aigw..example.com", "no host name"}, {strings.Repeat("a.", 127) + "example", "no host name"},
		},
		"kubernetes.tls_cert": {{"-----BEGIN CERTIFICATE----- hunter2", "type File"}},
		"kubernetes.tls_key":  {{"-----BEGIN PRIVATE KEY----- hunter2", "type File"}},
		"kubernetes.values": {
			{"hunter2", "names with values"}, {"- hunter2", "names with values"}, {"a: [hunter2", "no valid YAML"},
			{"a: 1\nb: 2\na: hunter2", "line 3: this name is already there, in line 1"}, {"a: 1\n---\nb: 2\n", "more than one document"},
			{"a: *hunter2", "no valid YAML"}, {"a: \xff", "UTF-8"}, {"a: \n" + strings.Repeat("#", largestFile), "bytes, more than"},
			{"[hunter2]: x", "before the : a name"},
		},
		"verify.timeout":    {{"300", "write 300s"}, {"5 min", "duration"}, {"0s", "between"}, {"-5s", "between"}, {"7h", "between"}},
		"verify.hold":       {{"-1s", "between"}, {"x", "duration"}},
		"verify.successes":  {{"0", "whole number"}, {"101", "whole number"}, {"3.0", "whole number"}, {"three", "whole number"}},
		"verify.gitlab":     {{"on", "one of auto, required, off"}},
		"verify.repair_url": {{"yes", "true nor false"}},
		"verify.rake": {
			{"gitlab", "none of local"}, {"local:x", "none of local"}, {"docker:", "name of a container"}, {"docker:a b", "name of a container"}, {"docker:-x", "name of a container"},
			{"kubernetes:", "name of a namespace"}, {"kubernetes:a/b", "name of a namespace"}, {"ssh:gitlab.example.com", "USER@HOST"},
			{"ssh:git@", "USER@HOST"}, {"ssh:git@-oProxyCommand=id", "USER@HOST"}, {"ssh:-x@gitlab.example.com", "USER@HOST"},
			{"ssh:git@gitlab.example.com:0", "USER@HOST"}, {"ssh:git@gitlab.example.com:", "USER@HOST"}, {"ssh:git@gitlab.example.com/x", "USER@HOST"},
		},
		"verify.rake_user": {{"a b", "GitLab user"}, {"a]; id", "GitLab user"}, {"a,b", "GitLab user"}, {"-a", "GitLab user"}},
		"verify.rake_flag": {{"on", "true nor false"}},
		"rehearse":         {{"yes", "true nor false"}, {"2", "true nor false"}},
		"rollback":         {{"nein", "true nor false"}},
		"report.dir":       {{"a\x00b", "control characters"}},
		"log.level":        {{"trace", "one of debug, info, warn, error"}, {"INFO", "one of"}, {"info+1", "one of"}},
		"log.format":       {{"xml", "one of text, json"}},
	}
	for _, s := range Catalogue() {
		cases, ok := tests[s.Name]
		file := []string{"ca_file", "gateway.ca_bundle", "gateway.environment_from", "kubernetes.values_files"}
		if !ok && s.Type != Map && !slices.Contains(file, s.Name) {
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
		target := "AIGW_CI_TARGET=docker"
		if strings.HasPrefix(s.Name, "kubernetes.") {
			target = "AIGW_CI_TARGET=kubernetes"
		}
		_, _, problems := load(t, Sources{Environ: []string{target, s.Variable + "=" + huge}}, nil)
		if len(problems) == 0 || len(problems[0]) > 300 {
			t.Errorf("%s: %d problems", s.Name, len(problems))
		}
		if s.Type != List {
			continue
		}
		_, _, problems = load(t, Sources{Environ: []string{target, s.Variable + "=" + strings.Repeat("a,", 100000)}}, nil)
		if len(problems) != 1 || !strings.Contains(problems[0], "100000 values") {
			t.Errorf("%s: %.300q", s.Name, problems)
		}
	}
}

func TestContradictions(t *testing.T) {
	t.Parallel()
	bundle := certificate(t)
	cert, key := pair(t)
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
		{"a namespace for docker", []string{"AIGW_CI_KUBERNETES_NAMESPACE=duo"}, "AIGW_CI_KUBERNETES_NAMESPACE (environment): it is for the target kubernetes, and target is docker"},
		{"a container for kubernetes", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_DOCKER_CONTAINER=duo"}, "AIGW_CI_DOCKER_CONTAINER (environment): it is for the target docker, and target is kubernetes"},
		{"chart user without password", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_CHART_USER=deploy"}, "kubernetes.chart.password is not set"},
		{"chart in two places", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_CHART_PATH=x.tgz", "AIGW_CI_KUBERNETES_CHART_REPOSITORY=oci://registry.example.com/x"}, "KUBERNETES_CHART_REPOSITORY (environment): kubernetes.chart.path is set"},
		{"certificate without key", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_HOST=a.example.com", "AIGW_CI_KUBERNETES_TLS_CERT=ca.pem"}, "kubernetes.tls_key is not set"},
		{"key without certificate", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_HOST=a.example.com", "AIGW_CI_KUBERNETES_TLS_KEY=ca.pem"}, "kubernetes.tls_cert is not set"},
		{"certificate without host", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_TLS_CERT=tls.crt", "AIGW_CI_KUBERNETES_TLS_KEY=tls.key"}, "kubernetes.host is not set"},
		{"another's key", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_HOST=a.example.com", "AIGW_CI_KUBERNETES_TLS_CERT=ca.pem", "AIGW_CI_KUBERNETES_TLS_KEY=tls.key"}, "ca.pem and tls.key make no pair: private key"},
		{"no values in a file of values", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_VALUES_FILES=list.yml"}, "AIGW_CI_KUBERNETES_VALUES_FILES (list.yml:1): names with values"},
		{"no file of values", []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_VALUES_FILES=gone.yml"}, "there is no file gone.yml"},
		{"repair, and do not look", []string{"AIGW_CI_VERIFY_GITLAB=off", "AIGW_CI_VERIFY_REPAIR_URL=true", "AIGW_CI_GATEWAY_URL=https://a.example.com"}, "verify.gitlab is off"},
		{"repair with nothing", []string{"AIGW_CI_VERIFY_REPAIR_URL=true"}, "gateway.url is not set"},
		{"required without a token", []string{"AIGW_CI_VERIFY_GITLAB=required"}, "gitlab.token is not set"},
		{"a user for no task", []string{"AIGW_CI_VERIFY_RAKE_USER=alice"}, "verify.rake is not set"},
		{"consent to no task", []string{"AIGW_CI_VERIFY_RAKE_FLAG=true"}, "verify.rake is not set"},
		{"a bad address of its own", []string{"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=gitlab"}, "AIGW_GITLAB_URL: it has no scheme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, problems := load(t, Sources{Environ: tt.environ}, files{"ca.pem": bundle, "tls.crt": cert, "tls.key": key, "list.yml": "- a\n"})
			if len(problems) != 1 || !strings.Contains(problems[0], tt.want) {
				t.Errorf("got %q, want one with %q", problems, tt.want)
			}
		})
	}
	for name, environ := range map[string][]string{
		"GitLab on localhost, told to the gateway by another name": {
			"AIGW_CI_GITLAB_URL=http://127.0.0.1:8080", "AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=http://172.17.0.1:8080",
		},
		"a context for everybody":   {"KUBE_CONTEXT=group/project:agent"},
		"nothing consented":         {"AIGW_CI_VERIFY_REPAIR_URL=false", "AIGW_CI_VERIFY_RAKE_FLAG=false"},
		"one port on two addresses": {"AIGW_CI_DOCKER_PORTS=127.0.0.1:5052:5052,10.0.0.1:5052:5052"},
	} {
		if _, _, problems := load(t, Sources{Environ: environ}, nil); problems != nil {
			t.Errorf("%s: %q", name, problems)
		}
	}
}
