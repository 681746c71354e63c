package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// theToken must never be shown.
const theToken = "s3cr3t-t0k3n-of-the-agent"

// kubeconfig writes a file with contexts that all lead to address.
func kubeconfig(t *testing.T, address, current string, contexts ...string) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\ncurrent-context: %q\nclusters:\n- name: c-%s\n  cluster: {server: %q}\nusers:\n- name: u\n  user: {token: %s}\ncontexts:\n",
		current, filepath.Base(t.Name()), address, theToken)
	for _, name := range contexts {
		fmt.Fprintf(&b, "- name: %q\n  context: {cluster: c-%s, user: u, namespace: elsewhere}\n", name, filepath.Base(t.Name()))
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// answering is an API server that gives every request the same answer.
func answering(t *testing.T, code int, status metav1.Status) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		if code == http.StatusOK {
			fmt.Fprint(w, `{"major":"1","minor":"36"}`)
			return
		}
		status.TypeMeta, status.Status, status.Code = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, "Failure", int32(code)
		_ = json.NewEncoder(w).Encode(status)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestConnectFindsItsContext(t *testing.T) {
	t.Parallel()
	var agent string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		fmt.Fprint(w, `{}`)
	}))
	defer s.Close()
	first := kubeconfig(t, s.URL, "", "one")
	second := kubeconfig(t, s.URL, "two", "two", "group/project:agent")
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kubeconfig(t, s.URL, "at-home", "at-home"), filepath.Join(home, ".kube", "config")); err != nil {
		t.Fatal(err)
	}
	list := strings.Join([]string{first, "", "/nonexistent", second}, string(filepath.ListSeparator))
	tests := []struct {
		name    string
		o       ConnectOptions
		context string
	}{
		{"current", ConnectOptions{Kubeconfig: list}, "two"},
		{"by name, in the first file", ConnectOptions{Kubeconfig: list, Context: "one"}, "one"},
		{"an agent's", ConnectOptions{Kubeconfig: list, Context: "group/project:agent"}, "group/project:agent"},
		{"home", ConnectOptions{Home: home}, "at-home"},
		{"not home", ConnectOptions{Kubeconfig: list, Home: home}, "two"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Namespace, tt.o.UserAgent = "gateway", "aigw-ci/1.0"
			c, err := Connect(t.Context(), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if c.context != tt.context || agent != "aigw-ci/1.0" || c.rest.QPS >= 0 {
				t.Errorf("context %q, user agent %q, QPS %v", c.context, agent, c.rest.QPS)
			}
			// Helm takes the namespace from here.
			if ns, _, err := c.getter.ToRawKubeConfigLoader().Namespace(); ns != "gateway" || err != nil {
				t.Errorf("the getter's namespace is %q, %v", ns, err)
			}
			if _, err := c.getter.ToRESTMapper(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestConnectErrors(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		o         ConnectOptions
		want      []string
		temporary bool
	}{
		{"nothing at all", ConnectOptions{Home: t.TempDir()}, []string{"KUBECONFIG", "kubernetes.context", "ci_access"}, false},
		{"no file", ConnectOptions{Kubeconfig: "/nonexistent", Context: "group/project:agent"}, []string{"group/project:agent", "/nonexistent", "ci_access"}, false},
		{"broken", ConnectOptions{Kubeconfig: broken}, []string{"reading the kubeconfig", broken}, false},
		{"unknown context", ConnectOptions{Kubeconfig: kubeconfig(t, closed.URL, "a", "a", "group/project:agent"), Context: "group/project:agnet"},
			[]string{`"group/project:agnet"`, "a, group/project:agent", "kubernetes.context"}, false},
		{"no current context", ConnectOptions{Kubeconfig: kubeconfig(t, closed.URL, "", "a", "b")}, []string{"a, b"}, false},
		{"nobody listens", ConnectOptions{Kubeconfig: kubeconfig(t, closed.URL, "a", "a")}, []string{closed.URL, `"a"`, "nothing listens"}, true},
		{"unauthorized", ConnectOptions{Kubeconfig: kubeconfig(t, answering(t, 401, metav1.Status{Message: "Unauthorized"}).URL, "a", "a")}, []string{"Unauthorized", "ci_access"}, false},
		{"forbidden", ConnectOptions{Kubeconfig: kubeconfig(t, answering(t, 403, metav1.Status{Message: "no"}).URL, "a", "a")}, []string{"role.yaml"}, false},
		{"overloaded", ConnectOptions{Kubeconfig: kubeconfig(t, answering(t, 503, metav1.Status{Message: "later"}).URL, "a", "a")}, []string{"later"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Namespace = "gateway"
			_, err := Connect(t.Context(), tt.o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
			if strings.Contains(err.Error(), theToken) {
				t.Errorf("the token is in %q", err)
			}
			var temporary interface{ Temporary() bool }
			if got := errors.As(err, &temporary) && temporary.Temporary(); got != tt.temporary {
				t.Errorf("temporary %v, want %v: %v", got, tt.temporary, err)
			}
		})
	}
}

func TestSilentServersAreGivenUp(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"half an answer": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	}
	for name, handler := range tests {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(handler)
			defer s.Close()
			client := &http.Client{Transport: &patience{http.DefaultTransport, 50 * time.Millisecond}}
			start := time.Now()
			got, err := client.Get(s.URL)
			if err == nil {
				_, err = got.Body.Read(make([]byte, 1))
				if err == nil {
					_, err = got.Body.Read(make([]byte, 1))
				}
				_ = got.Body.Close()
			}
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(start) > 10*time.Second {
				t.Errorf("after %v: %v, want a timeout", time.Since(start), err)
			}
		})
	}
}

// A watch may pause.
func TestWatchesMayPause(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		time.Sleep(300 * time.Millisecond)
		fmt.Fprint(w, "x")
	}))
	defer s.Close()
	client := &http.Client{Transport: &patience{http.DefaultTransport, 100 * time.Millisecond}}
	got, err := client.Get(s.URL + "?watch=true")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if _, err := got.Body.Read(make([]byte, 1)); err != nil && err.Error() != "EOF" {
		t.Error(err)
	}
}
