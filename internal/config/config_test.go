package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/secret"
)

// files are the files of a test, by path.
type files map[string]string

func (f files) open(name string) (fs.File, error) {
	all := make(fstest.MapFS)
	for name, text := range f {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all.Open(path.Clean(name))
}

func load(t *testing.T, from Sources, in files) (Settings, []string, []string) {
	t.Helper()
	from.Open = in.open
	settings, warnings, err := Load(t.Context(), from)
	if err == nil {
		return settings, warnings, nil
	}
	wrong, ok := errors.AsType[*Error](err)
	if !ok || len(wrong.Problems) == 0 {
		t.Fatalf("error is %T: %v", err, err)
	}
	var problems []string
	text := err.Error()
	for _, p := range wrong.Problems {
		problems = append(problems, p.String())
		if !strings.Contains(text, p.String()) {
			t.Errorf("the error does not contain %q", p)
		}
	}
	return settings, warnings, problems
}

// good loads settings that must be accepted without a warning.
func good(t *testing.T, from Sources, in files) Settings {
	t.Helper()
	settings, warnings, problems := load(t, from, in)
	if problems != nil || warnings != nil {
		t.Fatalf("problems %q, warnings %q", problems, warnings)
	}
	return settings
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	want := Settings{
		Image: Image{Repositories: []string{
			"registry.gitlab.com/gitlab-org/modelops/applied-ml/code-suggestions/ai-assist/model-gateway",
			"docker.io/gitlab/model-gateway",
		}},
		Target:  "docker",
		Gateway: Gateway{Environment: Environment{}},
		Docker:  Docker{Container: "gitlab-aigw", Network: "bridge", Restart: "unless-stopped"},
		Kubernetes: Kubernetes{Namespace: "ai-gateway", Release: "ai-gateway", Chart: Chart{
			Repository: "https://gitlab.com/api/v4/projects/gitlab-org%2fcharts%2fai-gateway-helm-chart/packages/helm/devel", Name: "ai-gateway",
		}},
		Verify:   Verify{Timeout: 300 * time.Second, Hold: 30 * time.Second, Successes: 3, GitLab: "auto"},
		Rehearse: true,
		Rollback: true,
		Report:   Report{Dir: "aigw-ci"},
		Log:      Log{Level: slog.LevelInfo, Format: "text"},
	}
	if diff := cmp.Diff(want, good(t, Sources{}, nil)); diff != "" {
		t.Error(diff)
	}
}

func TestEverySettingFromEverySource(t *testing.T) {
	t.Parallel()
	byDefault := good(t, Sources{}, nil)
	bundle, key := certificate(t), privateKey(t)
	in := files{
		"ca.pem": bundle, "gw.pem": bundle, "sign.key": key,
		"gw.env": "ANTHROPIC_API_KEY=sk-12345678\n",
		".aigw.yml": `
gitlab: {url: "https://gitlab.example.com/git/", token: glpat-1234567890, version: 18.2.1-ee}
image:
  repository: [registry.example.com:5000/mirror/model-gateway, gitlab/model-gateway]
  tag: self-hosted-v18.2.8-ee
  platform: linux/arm64/v8
registry: {user: deploy, password: s3cr3t-word}
ca_file: ca.pem
target: docker
gateway:
  url: https://aigw.example.com:8443/
  environment:
    AIGW_LOGGING__LEVEL: debug
    AIGW_FASTAPI__METRICS_PORT: 8083
    DUO_WORKFLOW_AUTH__OIDC_CUSTOMER_PORTAL_URL: ""
  environment_from:
    - gw.env
    - AIGW_SELF_SIGNED_JWT__SIGNING_KEY=sign.key
  ca_bundle: gw.pem
docker:
  container: aigw
  ports: ["127.0.0.1:5052:5052", "[::1]:50052:50052/tcp"]
  network: duo
  restart: on-failure:5
  memory: 4g
  mounts:
    - /srv/cache:/var/tmp/cache
    - cache:/cache:ro
  reload: nginx-proxy, grpc-proxy
verify: {timeout: 10m, hold: 0, successes: 5, gitlab: required, repair_url: true, rake: docker:gitlab, rake_user: alice, rake_flag: true}
rehearse: false
rollback: true
report: {dir: out/reports}
log: {level: debug, format: json}
`}
	want := Settings{
		GitLab:   GitLab{URL: "https://gitlab.example.com/git", Token: "glpat-1234567890", Version: "18.2.1-ee"},
		Image:    Image{[]string{"registry.example.com:5000/mirror/model-gateway", "gitlab/model-gateway"}, "self-hosted-v18.2.8-ee", "linux/arm64/v8"},
		Registry: Registry{"deploy", "s3cr3t-word"},
		CAFiles:  []string{"ca.pem"},
		CAs:      [][]byte{[]byte(bundle)},
		Target:   "docker",
		Gateway: Gateway{
			URL: "https://aigw.example.com:8443",
			Environment: Environment{
				"AIGW_LOGGING__LEVEL": "debug", "AIGW_FASTAPI__METRICS_PORT": "8083", "DUO_WORKFLOW_AUTH__OIDC_CUSTOMER_PORTAL_URL": "",
				"ANTHROPIC_API_KEY": "sk-12345678", "AIGW_SELF_SIGNED_JWT__SIGNING_KEY": secret.Value(strings.TrimSpace(key)),
			},
			EnvironmentFrom: []string{"gw.env", "AIGW_SELF_SIGNED_JWT__SIGNING_KEY=sign.key"},
			CAFile:          "gw.pem", CABundle: []byte(bundle),
		},
		Docker: Docker{
			Container: "aigw", Ports: []string{"127.0.0.1:5052:5052", "[::1]:50052:50052"}, Network: "duo", Restart: "on-failure:5",
			Memory: 4 << 30, Mounts: []string{"/srv/cache:/var/tmp/cache", "cache:/cache:ro"}, Reload: []string{"nginx-proxy", "grpc-proxy"},
		},
		Kubernetes: byDefault.Kubernetes,
		Verify:     Verify{10 * time.Minute, 0, 5, "required", true, "docker:gitlab", "alice", true},
		Rollback:   true,
		Report:     Report{"out/reports"},
		Log:        Log{slog.LevelDebug, "json"},
	}
	if diff := cmp.Diff(want, good(t, Sources{}, in)); diff != "" {
		t.Errorf("from the file: %s", diff)
	}

	// The same from the environment, and, but for secrets, from the command line.
	values := map[string]string{
		"gitlab.url": "https://gitlab.example.com/git/", "gitlab.token": "glpat-1234567890\n", "gitlab.version": " 18.2.1-ee ",
		"image.repository": "registry.example.com:5000/mirror/model-gateway,gitlab/model-gateway", "image.tag": "self-hosted-v18.2.8-ee",
		"image.platform": "linux/arm64/v8", "registry.user": "deploy", "registry.password": "s3cr3t-word", "ca_file": "ca.pem", "target": "docker",
		"gateway.url":              "https://aigw.example.com:8443/",
		"gateway.environment":      "AIGW_LOGGING__LEVEL=debug\nAIGW_FASTAPI__METRICS_PORT=8083\n# offline:\nDUO_WORKFLOW_AUTH__OIDC_CUSTOMER_PORTAL_URL=\n",
		"gateway.environment_from": "gw.env\nAIGW_SELF_SIGNED_JWT__SIGNING_KEY=sign.key", "gateway.ca_bundle": "gw.pem",
		"docker.container": "aigw", "docker.ports": "127.0.0.1:5052:5052, [::1]:50052:50052/tcp", "docker.network": "duo", "docker.restart": "on-failure:5",
		"docker.memory": "4g", "docker.mounts": "/srv/cache:/var/tmp/cache,cache:/cache:ro", "docker.reload": "nginx-proxy,grpc-proxy,",
		"verify.timeout": "10m", "verify.hold": "0", "verify.successes": "5", "verify.gitlab": "required", "verify.repair_url": "true",
		"verify.rake": "docker:gitlab", "verify.rake_user": "alice", "verify.rake_flag": "true", "rehearse": "false", "rollback": "true",
		"report.dir": "out/reports", "log.level": "debug", "log.format": "json",
	}
	var environ []string
	flags, secrets := make(map[string]string), []string(nil)
	for _, s := range Catalogue() {
		value, ok := values[s.Name]
		if !ok && !strings.HasPrefix(s.Name, "kubernetes.") { // which are for the other target
			t.Errorf("this test does not know %s", s.Name)
		}
		environ = append(environ, s.Variable+"="+value)
		if s.Secret {
			secrets = append(secrets, s.Variable+"="+value)
		} else {
			flags[s.Name] = value
		}
	}
	if diff := cmp.Diff(want, good(t, Sources{Environ: environ}, files{"ca.pem": bundle, "gw.pem": bundle, "sign.key": key, "gw.env": in["gw.env"]})); diff != "" {
		t.Errorf("from the environment: %s", diff)
	}
	if diff := cmp.Diff(want, good(t, Sources{Environ: secrets, Flags: flags}, files{"ca.pem": bundle, "gw.pem": bundle, "sign.key": key, "gw.env": in["gw.env"]})); diff != "" {
		t.Errorf("from the command line: %s", diff)
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	const file, env, flag = "https://file.example.com", "https://env.example.com", "https://flag.example.com"
	for _, tt := range []struct {
		name            string
		file, env, flag string
		server          string
		want            string
	}{
		{"flag over all", file, env, flag, "https://ci.example.com", flag},
		{"environment over file", file, env, "", "https://ci.example.com", env},
		{"file over default", file, "", "", "https://ci.example.com", file},
		{"default", "", "", "", "https://ci.example.com/", "https://ci.example.com"},
		{"nothing", "", "", "", "", ""},
		{"blank counts as not set", file, "  ", "", "", file},
		{"line break counts as not set", file, "\n", "", "", file},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := good(t, Sources{
				Environ: []string{"AIGW_CI_GITLAB_URL=" + tt.env, "CI_SERVER_URL=" + tt.server},
				Flags:   map[string]string{"gitlab.url": tt.flag},
			}, files{".aigw.yml": "gitlab:\n  url: " + tt.file})
			if got.GitLab.URL != tt.want {
				t.Errorf("got %q, want %q", got.GitLab.URL, tt.want)
			}
		})
	}
}

// GitLab sets every unused component input to an empty string.
func TestEmptyCountsAsNotSet(t *testing.T) {
	t.Parallel()
	from := Sources{Flags: map[string]string{}}
	text := ""
	for _, s := range Catalogue() {
		from.Environ = append(from.Environ, s.Variable+"=")
		from.Flags[s.Name] = ""
		levels := strings.Split(s.Name, ".")
		for i, level := range levels[:len(levels)-1] {
			section := strings.Repeat("  ", i) + level + ":\n"
			if !strings.Contains(text, section) {
				text += section
			}
		}
		text += strings.Repeat("  ", len(levels)-1) + levels[len(levels)-1] + ":\n"
	}
	want := good(t, Sources{}, nil)
	if diff := cmp.Diff(want, good(t, from, files{".aigw.yml": text})); diff != "" {
		t.Error(diff)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, warnings, problems := load(t, Sources{
		Environ: []string{
			"AIGW_CI_VERIFY_TIMEOUT=soon",
			"AIGW_CI_REHEARSE=maybe",
			"AIGW_CI_GITLAB_ULR=https://gitlab.example.com",
			"AIGW_CI_REGISTRY_USER=deploy",
			"AIGW_GITLAB_URL=belongs to the gateway",
		},
		Flags: map[string]string{"gateway.url": "https://aigw.example.com/v1", "gitlab.token": "glpat-1234567890", "docker.networks": "x"},
		Need:  [][]string{{"gitlab.url", "gitlab.version"}, {"rehearse"}},
	}, files{".aigw.yml": `
gitlab:
  ulr: https://gitlab.example.com
verify:
  successes: 0
docker:
  ports:
    - 5052
  reload: [gitlab-aigw]
kubernetes:
  namespace: x
  chrat: {version: 0.15.1}
  chart: {versoin: 0.15.1}
mirror: x
`})
	want := []string{
		`"docker.networks" (command line): there is no such setting`,
		`gitlab.token (command line): every process on the machine can read the command line: set AIGW_CI_GITLAB_TOKEN`,
		`gitlab.ulr (.aigw.yml:3): there is no such setting: did you mean gitlab.url?`,
		`kubernetes.chrat (.aigw.yml:12): there is no such setting: did you mean kubernetes.chart?`,
		`kubernetes.chart.versoin (.aigw.yml:13): there is no such setting: did you mean kubernetes.chart.version?`,
		`mirror (.aigw.yml:14): there is no such setting: see the table of settings`,
		`--gateway-url (command line): it ends in /v1: give the base address alone (/v1 belongs to the addresses of models)`,
		`docker.ports (.aigw.yml:8): "5052" is no published port such as 5052:5052 or 127.0.0.1:5052:5052`,
		`AIGW_CI_VERIFY_TIMEOUT (environment): "soon" is no duration such as 90s or 5m`,
		`verify.successes (.aigw.yml:5): "0" is no whole number from 1 to 100`,
		`AIGW_CI_REHEARSE (environment): "maybe" is neither true nor false`,
		`AIGW_CI_REGISTRY_USER (environment): registry.password is not set: an account needs both`,
		`kubernetes.namespace (.aigw.yml:11): it is for the target kubernetes, and target is docker: leave it out, or set target to kubernetes`,
		`docker.reload (.aigw.yml:9): gitlab-aigw is the gateway itself: name the containers beside it`,
		`gitlab.url or gitlab.version (nowhere): it is not set: the instance whose gateway this is; set --gitlab-url, AIGW_CI_GITLAB_URL, or gitlab.url in .aigw.yml`,
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`the variable AIGW_CI_GITLAB_ULR belongs to no setting and is ignored: did you mean AIGW_CI_GITLAB_URL?`}, warnings); diff != "" {
		t.Error(diff)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	one := &Error{Problems: []Problem{{"log.level", ".aigw.yml:2", "no"}}}
	want := "a setting is wrong:\n  log.level (.aigw.yml:2): no\nnothing was contacted or changed: correct this and run again"
	if diff := cmp.Diff(want, one.Error()); diff != "" {
		t.Error(diff)
	}
	more := &Error{append(one.Problems, Problem{"", "x.yml", "bad"}), 3}
	want = "5 settings are wrong:\n  log.level (.aigw.yml:2): no\n  x.yml: bad\n  and 3 more\nnothing was contacted or changed: correct this and run again"
	if diff := cmp.Diff(want, more.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestNeed(t *testing.T) {
	t.Parallel()
	need := [][]string{{"gitlab.url", "gitlab.version"}}
	for name, from := range map[string]Sources{
		"first":   {Environ: []string{"AIGW_CI_GITLAB_URL=https://gitlab.example.com"}, Need: need},
		"second":  {Flags: map[string]string{"gitlab.version": "18.2.1"}, Need: need},
		"default": {Environ: []string{"CI_SERVER_URL=https://gitlab.example.com"}, Need: need},
	} {
		if _, _, problems := load(t, from, nil); problems != nil {
			t.Errorf("%s: %q", name, problems)
		}
	}
	if _, _, problems := load(t, Sources{Environ: []string{"CI_SERVER_URL="}, Need: need}, nil); len(problems) != 1 {
		t.Errorf("nothing given: %q", problems)
	}
	if _, _, problems := load(t, Sources{Need: [][]string{{"gitlab.token"}}}, nil); len(problems) != 1 || strings.Contains(problems[0], "--") {
		t.Errorf("a secret has no flag: %q", problems)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ environ, want string }{
		{"AIGW_CI_TOTALLY_DIFFERENT=1", "the variable AIGW_CI_TOTALLY_DIFFERENT belongs to no setting and is ignored"},
		{"AIGW_CI_IMAGE_TAG=latest", "image.tag: latest is not a stable tag"},
		{"AIGW_CI_IMAGE_TAG=self-hosted-18.2.1-ee", "did you mean self-hosted-v18.2.1-ee?"},
		{"AIGW_CI_DOCKER_MOUNTS=/srv/hf:/home/aigateway/.hf", "hides a part of the image"},
		{"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_AUTH__BYPASS_EXTERNAL=True", "everyone may use the gateway"},
		{"AIGW_CI_TARGET=kubernetes AIGW_CI_KUBERNETES_HOST=aigw.example.com", "without TLS"},
		{"CI_SERVER_TLS_CA_FILE=gone.pem", "CI_SERVER_TLS_CA_FILE is ignored: there is no file gone.pem"},
	} {
		_, warnings, problems := load(t, Sources{Environ: strings.Fields(tt.environ)}, nil)
		if problems != nil || len(warnings) != 1 || !strings.Contains(warnings[0], tt.want) {
			t.Errorf("%s: problems %q, warnings %q, want one with %q", tt.environ, problems, warnings, tt.want)
		}
	}
	_, warnings, _ := load(t, Sources{Environ: []string{"AIGW_CI_REHEARSE=0", "AIGW_CI_ROLLBACK=0"}}, nil)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "both off") {
		t.Errorf("neither rehearse nor rollback: %q", warnings)
	}
}

func TestUnknownVariablesAreBounded(t *testing.T) {
	t.Parallel()
	var environ []string
	for i := range 500 {
		environ = append(environ, fmt.Sprintf("AIGW_CI_%s_%d=x", strings.Repeat("X", 5000), i))
	}
	_, warnings, _ := load(t, Sources{Environ: environ}, nil)
	if len(warnings) != mostItems+1 || len(warnings[0]) > 200 {
		t.Errorf("%d warnings, the first of %d bytes", len(warnings), len(warnings[0]))
	}
}
