package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClusterThatDoesNotHelp has the program meet API servers that do not let it
// work: it says why, reports it, and does not wait for what cannot come.
func TestClusterThatDoesNotHelp(t *testing.T) {
	t.Parallel()
	status := func(code int, reason string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":"no, %s","code":%d}`, reason, reason, code)
		}
	}
	forbidden := http.NewServeMux()
	forbidden.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"major":"1","minor":"34","gitVersion":"v1.34.0"}`)
	})
	forbidden.HandleFunc("/", status(http.StatusForbidden, "Forbidden"))

	for name, tt := range map[string]struct {
		server http.Handler
		code   int
		says   string
	}{
		"who are you":   {status(http.StatusUnauthorized, "Unauthorized"), 1, "connecting to the cluster"},
		"a web page":    {http.RedirectHandler("/login", http.StatusFound), 1, "connecting to the cluster"},
		"no rights":     {forbidden, 1, "no, Forbidden"},
		"never answers": {http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), 1, "connecting to the cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.server)
			defer server.Close()
			ctx, stop := context.WithTimeout(t.Context(), 3*time.Second) // and then somebody cancels the job
			defer stop()
			code, said, reports := runOnCluster(ctx, t, server.URL)
			if code != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, tt.code, tt.says, said)
			}
			if err := keptContract(reports, code); err != nil {
				t.Error(err)
			}
			if err := leaks([]string{"canary"}, said, reports); err != nil {
				t.Error(err)
			}
		})
	}
}

// runOnCluster plans for a release on the cluster with an API server at address.
func runOnCluster(ctx context.Context, t *testing.T, address string) (code int, said, reports string) {
	t.Helper()
	dir := t.TempDir()
	kubeconfig, reports := filepath.Join(dir, "config"), filepath.Join(dir, "reports")
	err := os.WriteFile(kubeconfig, []byte(`
apiVersion: v1
kind: Config
current-context: it
clusters: [{name: it, cluster: {server: "`+address+`"}}]
users: [{name: me, user: {token: token-canary}}]
contexts: [{name: it, context: {cluster: it, user: me}}]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code = run(ctx, []string{"plan"}, system{
		environ: []string{
			"KUBECONFIG=" + kubeconfig, "AIGW_CI_TARGET=kubernetes", "AIGW_CI_REPORT_DIR=" + reports,
			"AIGW_CI_GITLAB_URL=https://gitlab.example.com", "AIGW_CI_GITLAB_VERSION=18.2.1-ee",
			"AIGW_CI_KUBERNETES_CHART_USER=deploy", "AIGW_CI_KUBERNETES_CHART_PASSWORD=password-canary",
			"AIGW_CI_LOG_LEVEL=debug",
		},
		stdin: strings.NewReader(""), stdout: &out, stderr: &out, pace: hurried,
	})
	return code, out.String(), reports
}
