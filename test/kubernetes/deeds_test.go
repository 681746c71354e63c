//go:build kubernetes

package kubernetes

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"aigw-ci/test/crash"
)

// middle stands between the program and the API server: kubeconfig leads to it. It
// shows the API server the account of the program's own kubeconfig.
func (w *world) middle() (m *crash.Middle, kubeconfig string) {
	w.Helper()
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     string `json:"certificate-authority-data"`
				CAFile string `json:"certificate-authority"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	text, err := os.ReadFile(w.settings["KUBECONFIG"])
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil || len(config.Clusters) != 1 || len(config.Users) != 1 {
		w.Fatalf("the program's kubeconfig is not what as() writes: %v", err)
	}
	cluster := config.Clusters[0].Cluster
	ca, err := base64.StdEncoding.DecodeString(cluster.CA)
	if cluster.CAFile != "" {
		ca, err = os.ReadFile(cluster.CAFile)
	}
	if err != nil {
		w.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(ca)
	server, err := url.Parse(cluster.Server)
	if err != nil {
		w.Fatal(err)
	}
	m = &crash.Middle{
		Server: server,
		Way:    account{config.Users[0].User.Token, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: known}}},
		Name:   deed,
	}
	listening := httptest.NewServer(m)
	w.Cleanup(func() {
		listening.CloseClientConnections()
		listening.Close()
	})
	kubeconfig = filepath.Join(w.TempDir(), "kubeconfig")
	err = os.WriteFile(kubeconfig, []byte(`
apiVersion: v1
kind: Config
current-context: it
clusters: [{name: it, cluster: {server: "`+listening.URL+`"}}]
users: [{name: me, user: {}}]
contexts: [{name: it, context: {cluster: it, user: me}}]
`), 0o600)
	if err != nil {
		w.Fatal(err)
	}
	return m, kubeconfig
}

// account shows a token.
type account struct {
	token string
	http.RoundTripper
}

func (a account) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+a.token)
	return a.RoundTripper.RoundTrip(r)
}

// holder is how the program names itself in its lock, in these tests: a person.
const holder = "tester@"

// deed names what a request changes: "PATCH deployments ai-gateway". A dry run changes
// nothing, and neither does a question about rights, or a connection to a pod.
func deed(r *http.Request) crash.Deed {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Header.Get("Upgrade") != "" ||
		r.URL.Query().Has("dryRun") || strings.Contains(r.URL.Path, "/authorization.k8s.io/") {
		return crash.Deed{}
	}
	path := r.URL.Path
	if _, inside, ok := strings.Cut(path, "/namespaces/"); ok {
		_, path, _ = strings.Cut(inside, "/")
	}
	part := strings.Split(path, "/")
	resource, name := part[0], part[len(part)-1]
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return crash.Deed{}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if len(part) == 1 { // what is made has its name inside, where that is JSON
		var object struct{ Metadata struct{ Name string } }
		name = ""
		if json.Unmarshal(body, &object) == nil {
			name = object.Metadata.Name
		}
	}
	d := crash.Deed{Name: strings.TrimSpace(r.Method + " " + resource + " " + name)}
	if r.Method == http.MethodPut && resource == "leases" {
		d.Clock = true
		if !bytes.Contains(body, []byte(holder)) {
			d = crash.Deed{Name: "PUT leases given back"}
		}
	}
	return d
}
