package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw-ci/internal/config"
	"aigw-ci/internal/gateway"
	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/engine"
	labgateway "aigw-ci/internal/lab/gateway"
	labgitlab "aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/canary"
)

// settingCanaries are the values of all secret settings. The stand-ins know some of
// them; that is what makes these runs get far.
var settingCanaries = map[string]string{
	"gitlab.token":              labgitlab.TokenAdmin,
	"registry.password":         labgitlab.RegistryPassword,
	"kubernetes.chart.password": `chart+canary/"7<&>=`,
}

// hunt is a world full of canaries, and the runs of the program in it.
type hunt struct {
	*world
	canary.Canaries
	format  string
	reports string
	more    []string // settings, over those of the world
	tried   map[int]bool
}

// TestSecretsAreNeverSeen plants a canary wherever the program meets a secret, has it
// run to each of its exit codes, with everything in the log that it ever logs, and
// looks for the canaries in all that it left: the output, the reports, the evidence,
// the comment, what it told engine, GitLab and registry where others read it, and the
// arguments of its children.
func TestSecretsAreNeverSeen(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			h := &hunt{world: newWorld(t, nil), format: format, reports: filepath.Join(t.TempDir(), "reports"), tried: map[int]bool{}}
			h.adopted(t)
			h.looking(t)
			h.misused(t)
			h.refused(t)
			h.judged(t)
			h.disturbed(t)
			h.installed(t)
			for _, code := range exitCodes {
				if !h.tried[int(code)] {
					t.Errorf("no run ended with exit code %v", code)
				}
			}
		})
	}
}

// Every setting that is secret has a canary, also the next one that is added.
func TestEverySecretSettingHasACanary(t *testing.T) {
	t.Parallel()
	for _, s := range config.Catalogue() {
		if value := settingCanaries[s.Name]; s.Secret != (value != "") {
			t.Errorf("%s: secret is %v, and its canary %q", s.Name, s.Secret, value)
		}
	}
}

// adopted starts a gateway by hand, with secrets in all places where people put them.
func (h *hunt) adopted(t *testing.T) {
	t.Helper()
	for name, value := range settingCanaries {
		h.Plant(name, value)
	}
	key, err := os.ReadFile(h.key)
	if err != nil {
		t.Fatal(err)
	}
	h.Plant("the signing key", string(key))
	run := []string{"-d", "--name", "gitlab-aigw", "-p", h.address + ":5052:5052", "-p", h.address + ":50052:50052"}
	for name, value := range map[string]string{
		"AIGW_GITLAB_URL":          h.estate.GitLabURL,
		"AIGW_CUSTOMER_PORTAL_URL": "https://user:" + h.Word("a public address of the container") + "@customers.example.com",
		"AIGW_MODEL_KEYS__VENDOR":  h.Value("a model key of the container"),
		"OWN_SETTING":              h.Value("a variable of the container that nobody knows"),
		"OWN_JSON":                 `{"key": "` + h.Word("a JSON variable of the container") + `"}`,
		"HTTPS_PROXY":              "http://user:" + h.Word("a proxy of the container") + "@proxy.example.com",
		keyVariable:                string(key),
	} {
		run = append(run, "-e", name+"="+value)
		if !gateway.Public(name) {
			h.Plant("the container's "+name, value)
		}
	}
	if err := h.admin.run(append(run, h.estate.Repository()+":self-hosted-v18.2.8-ee")); err != nil {
		t.Fatal(err)
	}
	if c, err := h.admin.inspect("gitlab-aigw"); err != nil || !c.boots() {
		t.Fatalf("the gateway does not answer: %v", err)
	}
	file := filepath.Join(t.TempDir(), "own.env")
	if err := os.WriteFile(file, []byte("FROM_A_FILE='"+h.Word("an environment file")+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.estate.GitLab.SetGatewayURL("http://" + h.address + ":5052")
	h.estate.GitLab.AddMergeRequest(12, 7)
	h.well()
	h.more = []string{
		"AIGW_CI_GITLAB_TOKEN=" + settingCanaries["gitlab.token"],
		"AIGW_CI_REGISTRY_USER=" + labgitlab.RegistryUser,
		"AIGW_CI_REGISTRY_PASSWORD=" + settingCanaries["registry.password"],
		"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=" + h.estate.GitLabURL + "\nDECLARED=" + h.Word("gateway.environment"),
		"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=" + keyVariable + "=" + h.key + "\n" + file,
		"CI_JOB_TOKEN=" + h.Word("CI_JOB_TOKEN"),
		"AIGW_CI_LOG_LEVEL=debug", "AIGW_CI_LOG_FORMAT=" + h.format, "AIGW_CI_REPORT_DIR=" + h.reports,
		"AIGW_CI_VERIFY_HOLD=100ms", "AIGW_CI_VERIFY_SUCCESSES=1", "GITLAB_CI=true",
	}
}

// well is GitLab without a fault, but for somebody who listens.
func (h *hunt) well() {
	h.estate.GitLab.SetFaults(h.eavesdrop("/jwt/auth", ""), h.eavesdrop("/direct_access", ""))
	h.estate.Registry.SetFaults()
}

// run runs the program to an exit code, and looks for the canaries.
func (h *hunt) run(t *testing.T, code int, command string, more ...string) string {
	t.Helper()
	return h.runUntil(t, t.Context(), code, command, more...)
}

func (h *hunt) runUntil(t *testing.T, ctx context.Context, code int, command string, more ...string) string {
	t.Helper()
	var out bytes.Buffer
	got := run(ctx, strings.Split(command, " "), system{
		environ: slices.Concat(h.environ(), h.more, more), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hostname: "host.example.com", pace: hurried,
	})
	h.tried[got] = true
	if got != code {
		t.Errorf("%s: exit code %d, want %d\n%s", command, got, code, &out)
	}
	if err := h.search(out.String()); err != nil {
		t.Errorf("%s, exit code %d: %v", command, got, err)
	}
	return out.String()
}

// search looks for canaries wherever a run leaves something.
func (h *hunt) search(said string) error {
	errs := []error{h.Seen("the output", said), h.SeenBelow(h.reports), h.onEngine()}
	for _, n := range h.estate.GitLab.Notes(12, 7) {
		errs = append(errs, h.Seen("the comment", n.Body))
	}
	for _, e := range append(h.estate.GitLab.Log().Entries(), h.estate.Registry.Log().Entries()...) {
		errs = append(errs, h.Seen("the address of a request", e.URI))
	}
	return errors.Join(errs...)
}

// onEngine looks at everything of a container that is no setting of the gateway's,
// and at the addresses that the engine was asked for. What the program gave a
// container by itself, such as a key, is a secret from now on.
func (h *hunt) onEngine() error {
	if h.engine.Host() == "" {
		return nil
	}
	all, err := h.admin.all()
	errs := []error{err}
	for _, c := range all {
		for _, pair := range c.Config.Env {
			if name, value, _ := strings.Cut(pair, "="); strings.HasSuffix(name, "KEY") {
				h.Plant(c.Name+"'s "+name, value)
			}
		}
		labels, _ := json.Marshal(c.Config.Labels)
		errs = append(errs, h.Seen("the labels of "+c.Name, c.Name+" "+c.Config.Image+" "+string(labels)))
	}
	for _, call := range h.engine.Journal() {
		errs = append(errs, h.Seen("a call to the engine", call.Path+"?"+call.Query.Encode()))
	}
	return errors.Join(errs...)
}

// looking are the commands that only look.
func (h *hunt) looking(t *testing.T) {
	h.run(t, 0, "plan", "CI_SERVER_URL="+h.estate.GitLabURL, "CI_PROJECT_ID=12", "CI_MERGE_REQUEST_IID=7", "CI_JOB_NAME=plan")
	if len(h.estate.GitLab.Notes(12, 7)) != 1 {
		t.Error("there is no comment to look at")
	}
	h.run(t, 0, "resolve")
	for _, command := range []string{"version", "help", "completion bash", "upgrade --help"} {
		h.run(t, 0, command)
	}
	h.run(t, 6, "verify", "DOCKER_HOST=unix:///var/empty/docker.sock")
	h.run(t, 1, "plan", "DOCKER_HOST=ssh://deploy:"+h.Word("DOCKER_HOST")+"@127.0.0.1:1")
	h.run(t, 3, "plan", "AIGW_CI_GITLAB_VERSION=18.99.0-ee")

	// A child is told nothing in its arguments, which everybody on the machine reads.
	bin, argv := installed(t), filepath.Join(t.TempDir(), "argv")
	h.Plant("a credential helper", "helper-canary-"+h.format)
	for path, text := range map[string]string{
		filepath.Join(bin, "docker-credential-canary"): "#!/bin/sh\ncat /proc/$$/cmdline /proc/$PPID/cmdline - >>" + argv + "\necho '{\"Username\":\"" + labgitlab.RegistryUser + "\",\"Secret\":\"helper-canary-" + h.format + "\"}'\n",
		filepath.Join(bin, "config.json"):              `{"credHelpers":{"` + h.estate.RegistryHost + `":"canary"}}`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), filepath.Join(bin, "aigw-ci"), "plan")
	c.Env = slices.Concat(h.environ(), h.more, []string{"AIGW_CI_REGISTRY_USER=", "AIGW_CI_REGISTRY_PASSWORD=", "DOCKER_CONFIG=" + bin, "PATH=" + bin + ":" + os.Getenv("PATH")})
	stop := h.Watch(t.Context())
	said, _ := c.CombinedOutput()
	if err := stop(); err != nil {
		t.Error(err)
	}
	told, err := os.ReadFile(argv)
	if err != nil || c.ProcessState.ExitCode() != 1 || !strings.Contains(string(said), "docker-credential-canary") {
		t.Errorf("the helper was not asked: %v\n%s", err, said)
	}
	if err := errors.Join(h.search(string(said)), h.Seen("the arguments of a child or of its parent", strings.ReplaceAll(string(told), "\x00", " "))); err != nil {
		t.Error(err)
	}
}

// misused are settings with secrets where none belong.
func (h *hunt) misused(t *testing.T) {
	dir := t.TempDir()
	token := h.Word("a wrong place")
	for name, text := range map[string]string{
		"wrong.yml":    "gitlab: {token: " + token + ", tokn: " + token + ", url: 'https://me:" + token + "@gitlab.example.com'}\n" + token + ": 1\nregistry: {password: [" + token + "]}\n",
		"broken.yml":   "gitlab:\n  token: \"" + token + "\n",
		"wrong.env":    token + "\n1=" + token + "\nA=\"" + token + "\nB='" + token + "\n",
		"no-key.pem":   "-----BEGIN RSA PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte(token)) + "\n-----END RSA PRIVATE KEY-----\n",
		"docker.json":  `{"auths": {"` + h.estate.RegistryHost + `": {"auth": "` + token + `"}}}`,
		"no-json.json": `{"auths": ` + token,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, more := range []string{
		"AIGW_CI_GITLAB_URL=https://me:" + token + "@gitlab.example.com",
		"AIGW_CI_GITLAB_URL=https://gitlab.example.com/?private_token=" + token,
		"AIGW_CI_GITLAB_TOKEN=$" + token,
		"AIGW_CI_GITLAB_TOKEN=" + token + "\n" + token,
		"AIGW_CI_REGISTRY_USER=me:" + token,
		"AIGW_CI_GATEWAY_URL=https://" + token + "@gateway.example.com",
		"AIGW_CI_GATEWAY_ENVIRONMENT=" + token,
		"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=" + filepath.Join(dir, "wrong.env"),
		"AIGW_CI_IMAGE_REPOSITORY=https://me:" + token + "@registry.example.com/a/b",
		"AIGW_CI_KUBERNETES_CHART_PASSWORD=" + settingCanaries["kubernetes.chart.password"],
		"AIGW_CI_CA_FILE=" + filepath.Join(dir, "no-key.pem"),
		"AIGW_CI_VERIFY_RAKE=ssh://me:" + token + "@gitlab.example.com",
		"AIGW_CI_KUBERNETES_CHART_USER=me:" + token,
	} {
		h.run(t, 2, "plan", more)
	}
	for _, command := range []string{"upgrade --config " + dir + "/wrong.yml", "verify --config " + dir + "/broken.yml", "plan --gitlab-token=" + token, "rollback --registry-password=" + token} {
		h.run(t, 2, command)
	}
	h.run(t, 1, "resolve", "AIGW_CI_REGISTRY_USER=", "AIGW_CI_REGISTRY_PASSWORD=", `DOCKER_AUTH_CONFIG={"auths":{"`+h.estate.RegistryHost+`":{"auth":"`+token+`"}}}`)
	h.run(t, 1, "resolve", "AIGW_CI_REGISTRY_USER=", "AIGW_CI_REGISTRY_PASSWORD=", "DOCKER_AUTH_CONFIG={"+token)
}

// refused are runs with others who repeat what they are told.
func (h *hunt) refused(t *testing.T) {
	for _, tt := range []struct{ status, gitlab, token, registry int }{
		{200, 6, 1, 1}, {403, 1, 1, 1}, {500, 6, 1, 1},
	} {
		h.estate.GitLab.SetFaults(parrot(tt.status).On("", "/api/"))
		h.run(t, tt.gitlab, "plan")
		h.estate.GitLab.SetFaults(parrot(tt.status).On("", "/jwt/auth"))
		h.run(t, tt.token, "resolve", "AIGW_CI_GITLAB_VERSION=18.2.1-ee")
		h.well()
		h.estate.Registry.SetFaults(parrot(tt.status))
		h.run(t, tt.registry, "resolve")
		h.well()
	}
	echo := parrot(403).On("", "/jwt/auth")
	for range 10 {
		h.estate.GitLab.SetFaults(echo)
		h.run(t, 1, "resolve", "AIGW_CI_GITLAB_VERSION=18.2.1-ee")
		h.well()
	}
	h.run(t, 1, "resolve", "AIGW_CI_REGISTRY_PASSWORD="+h.Word("a wrong password"))
	h.run(t, 1, "resolve", "AIGW_CI_GITLAB_TOKEN="+h.Word("a wrong token"))

	// What Docker knows is shown to a registry that repeats it, in each of the ways in
	// which it is written there.
	for _, auth := range []string{
		`"auth": "` + base64.StdEncoding.EncodeToString([]byte("me:"+h.Value("an auth of DOCKER_AUTH_CONFIG"))) + `"`,
		`"username": "me", "password": "` + h.Word("a password of DOCKER_AUTH_CONFIG") + `"`,
		`"auth": "bWU6", "identitytoken": "` + h.Word("an identity token of DOCKER_AUTH_CONFIG") + `"`,
		`"registrytoken": "` + h.Word("a registry token of DOCKER_AUTH_CONFIG") + `"`,
	} {
		for _, path := range []string{"", "/jwt/auth"} {
			h.estate.GitLab.SetFaults(parrot(403).On("", "/jwt/auth"))
			if path == "" {
				h.estate.Registry.SetFaults(parrot(401))
			}
			h.run(t, 1, "resolve", "AIGW_CI_GITLAB_VERSION=18.2.1-ee", "AIGW_CI_REGISTRY_USER=", "AIGW_CI_REGISTRY_PASSWORD=",
				`DOCKER_AUTH_CONFIG={"auths": {"`+h.estate.RegistryHost+`": {`+auth+`}}}`)
			h.well()
		}
	}

	proxy := httptest.NewServer(parrot(http.StatusProxyAuthRequired).Serve(nil))
	defer proxy.Close()
	for name, address := range map[string]string{"HTTP_PROXY": "http://gitlab.example.com", "https_proxy": "https://gitlab.example.com"} {
		for _, user := range []string{"me:" + h.Word("a proxy's password"), h.Word("a proxy's token")} {
			said := h.run(t, map[string]int{"HTTP_PROXY": 1, "https_proxy": 6}[name], "resolve",
				"AIGW_CI_GITLAB_URL="+address, name+"="+strings.Replace(proxy.URL, "http://", "http://"+user+"@", 1))
			if !strings.Contains(strings.ToLower(said), "proxy") {
				t.Errorf("not through the proxy:\n%s", said)
			}
		}
	}
}

// judged are new versions that fail, and one that does not.
func (h *hunt) judged(t *testing.T) {
	h.run(t, 0, "verify")
	h.estate.GitLab.SetFaults(h.eavesdrop("/direct_access", "text/plain"))
	h.run(t, 0, "verify")
	h.well()
	h.estate.SetVersion("18.3.6-ee")
	h.publish(t, labgateway.CrashAtBoot)
	h.run(t, 4, "upgrade")
	if _, err := os.Stat(filepath.Join(h.reports, "evidence", "rehearsal", "inspect.json")); err != nil {
		t.Error(err)
	}

	h.publish(t, labgateway.DiesWithUsers)
	ctx, stop := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	users := &lab.Users{URL: "http://" + h.address + ":5052", Every: 20 * time.Millisecond}
	gone.Go(func() { users.Run(ctx) })
	h.run(t, 4, "upgrade", "AIGW_CI_VERIFY_HOLD=1s")
	h.run(t, 5, "upgrade", "AIGW_CI_VERIFY_HOLD=1s", "AIGW_CI_ROLLBACK=false")
	stop()
	gone.Wait()
	h.run(t, 0, "rollback")
	h.publish(t, labgateway.Healthy)
}

func (h *hunt) publish(t *testing.T, mode labgateway.Mode) {
	t.Helper()
	o := image.Options{Tag: "self-hosted-v18.3.1-ee", Mode: mode, After: 50 * time.Millisecond}
	if err := h.estate.PublishImage(o); err != nil {
		t.Fatal(err)
	}
}

// disturbed are runs that somebody interrupts, or is in the way of.
func (h *hunt) disturbed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun sync.Once
	h.listen(func(c engine.Call) {
		if deedOf(c).String() == "POST start gitlab-aigw.aigw-ci-rehearsal" {
			begun.Do(func() {
				h.run(t, 7, "upgrade", "AIGW_CI_REPORT_DIR="+h.reports+"/second")
				cancel()
			})
		}
	})
	h.runUntil(t, ctx, 8, "upgrade")
	h.listen(nil)
	h.run(t, 0, "upgrade")
}

// installed is a first install, for which the program makes a key of its own.
func (h *hunt) installed(t *testing.T) {
	if err := h.admin.do([]string{"rm", "-f", "gitlab-aigw"}); err != nil {
		t.Fatal(err)
	}
	h.run(t, 0, "upgrade", "AIGW_CI_GATEWAY_ENVIRONMENT_FROM=")
	h.run(t, 0, "verify")
}

// On Kubernetes there are more: the cluster's token, the chart's password and the key
// of a certificate. The API server repeats what it is told.
func TestSecretsOfTheClusterAreNeverSeen(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"plan", "upgrade", "verify", "rollback"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(parrot(http.StatusForbidden).Serve(nil))
			defer server.Close()
			h := &hunt{format: "text"}
			for name, value := range settingCanaries {
				h.Plant(name, value)
			}
			dir := t.TempDir()
			key, err := os.ReadFile(signingKey(t))
			if err != nil {
				t.Fatal(err)
			}
			h.Plant("the key of the certificate", string(key))
			for name, text := range map[string]string{
				"config": `{"apiVersion": "v1", "kind": "Config", "current-context": "it", "clusters": [{"name": "it", "cluster": {"server": "` + server.URL + `"}}],
					"users": [{"name": "me", "user": {"token": "` + h.Word("the kubeconfig") + `"}}], "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}]}`,
				"tls.key":    string(key),
				"tls.crt":    string(key), // somebody took the wrong file
				"values.yml": "secret: " + h.Word("the values") + "\nbroken: [\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			environ := []string{
				"KUBECONFIG=" + dir + "/config", "AIGW_CI_TARGET=kubernetes", "AIGW_CI_REPORT_DIR=" + dir + "/reports", "AIGW_CI_LOG_LEVEL=debug",
				"AIGW_CI_GITLAB_URL=https://gitlab.example.com", "AIGW_CI_GITLAB_VERSION=18.2.1-ee", "AIGW_CI_GITLAB_TOKEN=" + settingCanaries["gitlab.token"],
				"AIGW_CI_KUBERNETES_CHART_REPOSITORY=" + "https://charts.example.com", "AIGW_CI_KUBERNETES_CHART_USER=deploy", "AIGW_CI_KUBERNETES_CHART_PASSWORD=" + settingCanaries["kubernetes.chart.password"],
				"AIGW_CI_KUBERNETES_VALUES=secret: " + h.Word("kubernetes.values"),
			}
			for _, more := range [][]string{
				nil,
				{"AIGW_CI_KUBERNETES_HOST=aigw.example.com", "AIGW_CI_KUBERNETES_TLS_CERT=" + dir + "/tls.crt", "AIGW_CI_KUBERNETES_TLS_KEY=" + dir + "/tls.key"},
				{"AIGW_CI_KUBERNETES_VALUES_FILES=" + dir + "/values.yml"},
				{"AIGW_CI_KUBERNETES_VALUES=[" + h.Word("broken values")},
			} {
				var out bytes.Buffer
				code := run(t.Context(), []string{command}, system{environ: slices.Concat(environ, more), stdin: strings.NewReader(""), stdout: &out, stderr: &out, pace: hurried})
				if err := errors.Join(h.Seen("the output", out.String()), h.SeenBelow(dir+"/reports")); err != nil {
					t.Error(err)
				}
				if want := map[string]int{"verify": 6}[command]; more == nil && code != max(want, 1) || more != nil && code != 2 {
					t.Error(fmt.Errorf("%q: exit code %d\n%s", more, code, &out))
				}
			}
		})
	}
}
