//go:build kubernetes

package kubernetes

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/canary"
	"aigw-ci/test/program"
)

// hunt is a world full of canaries: secrets that only Secrets may hold, and those that
// the chart made or a person wrote into the values, which are then in the release too.
type hunt struct {
	*world
	ours   canary.Canaries
	theirs canary.Canaries
}

// TestSecretsAreNeverSeen plants a canary wherever the program meets a secret, has it
// install, upgrade, fail, go back and only look, and after each run looks for the
// canaries: in what it said and reported, in the evidence, in every object of the
// namespace, in what Helm has stored and says of the release, and in the arguments of
// every process on this machine. What Helm runs the release with never has a secret in
// it that the program was told: it refers to Secrets.
func TestSecretsAreNeverSeen(t *testing.T) {
	t.Parallel()
	h := &hunt{world: newWorld(t)}
	h.robot()
	stop := h.ours.Watch(t.Context())
	settings := h.planted()
	run := func(command string, exit int, more ...string) {
		t.Helper()
		r := h.start(command, append(settings[:len(settings):len(settings)], more...)...).Wait()
		if r.Exit != exit {
			t.Errorf("%s: exit code %d, %s, not %d: %s", command, r.Exit, r.Outcome, exit, r.Error)
		}
		h.unseen(r)
	}
	run("plan", 0)
	run("upgrade", 0)
	h.made()
	run("verify", 0)
	h.estate.SetVersion("18.4.1-ee")
	run("upgrade", 0, "AIGW_CI_GATEWAY_ENVIRONMENT=AWS_SECRET_ACCESS_KEY="+h.ours.Word("a new value of a variable"))
	run("rollback", 0)

	// A release that says all it knows before it ends.
	h.blab(tag184)
	run("upgrade", 4)
	run("upgrade", 4, "AIGW_CI_REHEARSE=false")
	h.publish(tag184, gateway.Healthy)
	run("upgrade", 0)

	for _, status := range []int{401, 403, 500} {
		for _, repository := range []string{"http://", "oci://"} {
			server := httptest.NewServer(parrot(status))
			t.Cleanup(server.Close)
			for _, more := range [][]string{
				{"AIGW_CI_KUBERNETES_CHART_USER=deploy", "AIGW_CI_KUBERNETES_CHART_PASSWORD=" + h.ours.Value("a chart's password")},
				{"AIGW_CI_KUBERNETES_CHART_USER=", "AIGW_CI_KUBERNETES_CHART_PASSWORD=", "DOCKER_AUTH_CONFIG=" + h.dockerAuth(server.URL)},
			} {
				r := h.start("plan", append(append(settings[:len(settings):len(settings)], more...),
					"AIGW_CI_KUBERNETES_CHART_REPOSITORY="+strings.Replace(server.URL, "http://", repository, 1)+"/charts", "AIGW_CI_KUBERNETES_CHART_VERSION=9.9.9")...).Wait()
				if r.Exit != 1 || !strings.Contains(r.Error, "chart") {
					t.Errorf("%s, %d: exit code %d: %s", repository, status, r.Exit, r.Error)
				}
				h.unseen(r)
			}
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// planted are settings in which every secret is a canary.
func (h *hunt) planted() []string {
	h.Helper()
	h.ours.Plant("gitlab.token", gitlab.TokenReadAPI)
	cert, key := h.pair(host, time.Now().AddDate(0, 1, 0))
	h.ours.Plant("kubernetes.tls_key", read(h, key))
	file := filepath.Join(h.TempDir(), "canary")
	if err := os.WriteFile(file, []byte(h.ours.Value("a variable from a file")), 0o600); err != nil {
		h.Fatal(err)
	}
	charts := h.privateCharts()
	_, password, _ := strings.Cut(charts[3], "=")
	h.ours.Plant("kubernetes.chart.password", password)
	values, err := json.Marshal(map[string]any{
		"extraEnvironmentVariables": []any{map[string]string{"name": "OWN_TOKEN", "value": h.theirs.Value("kubernetes.values")}},
		"podAnnotations":            map[string]string{"example.com/own": h.theirs.Value("an annotation in kubernetes.values")},
	})
	if err != nil {
		h.Fatal(err)
	}
	return append(charts,
		"AIGW_CI_GATEWAY_ENVIRONMENT=AWS_SECRET_ACCESS_KEY="+h.ours.Word("a variable")+"\nHTTPS_PROXY=http://me:"+h.ours.Word("a proxy's password")+"@proxy.example.com\nNO_PROXY=*",
		"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=OWN_SECRET="+file,
		"AIGW_CI_KUBERNETES_HOST="+host, "AIGW_CI_KUBERNETES_TLS_CERT="+cert, "AIGW_CI_KUBERNETES_TLS_KEY="+key,
		"AIGW_CI_KUBERNETES_VALUES="+string(values),
		"CI_JOB_TOKEN="+h.ours.Word("CI_JOB_TOKEN"), "AIGW_CI_LOG_LEVEL=debug",
	)
}

// made plants the keys that the chart made itself, of which the program is never told.
func (h *hunt) made() {
	h.Helper()
	for _, name := range []string{"AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY"} {
		key, err := base64.StdEncoding.DecodeString(h.get("secret/"+release+"-jwt-keys", "{.data."+name+"}"))
		if err != nil || !strings.Contains(string(key), "PRIVATE KEY") {
			h.Fatalf("the chart made no %s: %v", name, err)
		}
		h.theirs.Plant("the chart's "+name, string(key))
	}
}

// dockerAuth is a Docker configuration with a canary for a server.
func (h *hunt) dockerAuth(address string) string {
	auth := base64.StdEncoding.EncodeToString([]byte("me:" + h.ours.Value("DOCKER_AUTH_CONFIG")))
	return fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, strings.TrimPrefix(address, "http://"), auth)
}

// blab publishes a gateway that says all it knows.
func (h *hunt) blab(tag string) {
	h.Helper()
	binary := filepath.Join(h.TempDir(), "blabber")
	if err := program.Build(h.Context(), binary, "./testdata/blabber"); err != nil {
		h.Fatal(err)
	}
	h.release(image.Options{Tag: tag, Binary: binary})
}

// unseen fails the test when a canary can be read where a run leaves something.
func (h *hunt) unseen(r program.Result) {
	h.Helper()
	var errs []error
	everywhere := func(where, text string) {
		errs = append(errs, h.ours.Seen(where, text), h.theirs.Seen(where, text))
	}
	everywhere("the output", r.Log)
	errs = append(errs, h.ours.SeenBelow(r.Dir), h.theirs.SeenBelow(r.Dir))
	everywhere("Leases and events", h.kubectl("get", "leases,events", "--output=json"))
	errs = append(errs, h.ours.Seen("objects", h.kubectl("get", "all,configmaps,ingresses,serviceaccounts,roles,rolebindings,networkpolicies", "--output=json")))

	var stored struct {
		Items []struct {
			Metadata struct{ Name string }
			Data     struct{ Release []byte }
		}
	}
	if err := json.Unmarshal([]byte(h.kubectl("get", "secrets", "--selector=owner=helm", "--output=json")), &stored); err != nil {
		h.Fatal(err)
	}
	for _, s := range stored.Items {
		payload, err := unpackRelease(s.Data.Release)
		if err != nil {
			h.Fatalf("%s: %v", s.Metadata.Name, err)
		}
		errs = append(errs, h.ours.Seen(s.Metadata.Name, string(payload)), h.theirs.Seen("what Helm says of "+s.Metadata.Name, said(h, payload)))
	}
	if len(stored.Items) > 0 {
		history := h.helm(4, "history", release, "--output", "json") + h.helm(4, "get", "notes", release)
		everywhere("the history", history)
	}
	if err := errors.Join(errs...); err != nil {
		h.Errorf("after a run that ended with %d, %s: %v", r.Exit, r.Outcome, err)
	}
}

// unpackRelease is a release as Helm stores it, in base64 and packed.
// Source: helm.sh/helm/v4/pkg/storage/driver, util.go.
func unpackRelease(stored []byte) ([]byte, error) {
	packed, err := base64.StdEncoding.DecodeString(string(stored))
	if err != nil {
		return nil, err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

// said is what Helm keeps of a release in words: its notes, its description, labels.
func said(t testing.TB, payload []byte) string {
	t.Helper()
	var r struct {
		Info   struct{ Description, Notes, Status string }
		Labels map[string]string
	}
	if err := json.Unmarshal(payload, &r); err != nil || r.Info.Description == "" {
		t.Errorf("a release without a description: %v", err)
	}
	return fmt.Sprintf("%+v", r)
}

// parrot answers with this status and repeats what it is told, again and again.
func parrot(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, password, _ := r.BasicAuth()
		told := strings.Repeat(r.Header.Get("Authorization")+" "+password+" ", 50)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Told", told)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"code": "DENIED", "message": told}}})
	})
}
