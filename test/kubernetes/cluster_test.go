//go:build kubernetes

package kubernetes

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// try runs a program with an administrator's kubeconfig and a home of the test's. It
// also serves after the test, when its context is over.
func (w *world) try(program string, arguments ...string) (string, error) {
	c := exec.Command(program, arguments...)
	c.Env = []string{"HOME=" + w.home, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + shared.kubeconfig}
	said, err := c.CombinedOutput()
	return strings.TrimSpace(string(said)), err
}

// kubectl runs a command in the test's namespace, which must succeed, and returns
// what it said.
func (w *world) kubectl(arguments ...string) string {
	w.Helper()
	said, err := w.try(shared.node, append([]string{"kubectl", "--namespace", w.namespace}, arguments...)...)
	if err != nil {
		w.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, said)
	}
	return said
}

// get reads a field of an object by its JSONPath: get("deployment/ai-gateway", "{.spec.replicas}").
func (w *world) get(object, path string) string {
	w.Helper()
	return w.kubectl("get", object, "--output", "jsonpath="+path)
}

// eventually waits for something to be so, and fails the test when it is not within
// half a minute.
func (w *world) eventually(what string, check func() bool) {
	w.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if check() {
			return
		}
	}
	w.Fatalf("waited in vain for %s", what)
}

// settles waits a little for something to be so. That it is, somebody else finds out.
func (w *world) settles(check func() bool) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && !check(); {
		time.Sleep(200 * time.Millisecond)
	}
}

// helm runs a command of helm 3 or 4 in the test's namespace, which must succeed.
func (w *world) helm(major int, arguments ...string) string {
	w.Helper()
	said, err := w.try(shared.helm[major], append([]string{"--namespace", w.namespace}, arguments...)...)
	if err != nil {
		w.Fatalf("helm %d %s: %v\n%s", major, strings.Join(arguments, " "), err, said)
	}
	return said
}

// byHand installs, or upgrades, the gateway as the documentation tells a person to,
// with more arguments of "helm upgrade": "--set=replicaCount=2".
// Source: docs.gitlab.com/install/install_ai_gateway.
func (w *world) byHand(major int, chartVersion, tag string, more ...string) {
	w.Helper()
	w.helm(major, "repo", "add", "ai-gateway", w.chartsURL, "--force-update")
	url := w.estate.GitLabURLAt(shared.host)
	w.helm(major, append([]string{
		"upgrade", "--install", release, "ai-gateway/ai-gateway", "--version", chartVersion,
		"--set=image.repository=" + w.repository(), "--set=image.tag=" + tag,
		"--set=gitlab.url=" + url, "--set=gitlab.apiUrl=" + url + "/api/v4/",
		"--timeout=60s", "--wait", "--wait-for-jobs",
	}, more...)...)
}

// service is the gateway's address through its Service. It is one that this machine
// reaches, and everything that happens to pods is behind it.
func (w *world) service() string {
	w.Helper()
	return "http://" + w.get("service/"+release, "{.spec.clusterIP}")
}

// forward is the gateway's address through a port-forward, which ends with the test.
func (w *world) forward(to string) string {
	w.Helper()
	c := exec.Command(shared.node, "kubectl", "--namespace", w.namespace, "port-forward", to, ":80")
	c.Env = []string{"HOME=" + w.home, "KUBECONFIG=" + shared.kubeconfig}
	out, err := c.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := c.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	// "Forwarding from 127.0.0.1:40001 -> 5052"
	line, err := bufio.NewReader(out).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) < 3 {
		w.Fatalf("kubectl port-forward %s: %v: %q", to, err, line)
	}
	return "http://" + words[2]
}

// as returns a kubeconfig for a service account of the test's namespace, which has
// the rights that the test has given to it. Its token lives for an hour.
func (w *world) as(account string) string {
	w.Helper()
	var config map[string]any
	if err := json.Unmarshal([]byte(w.kubectl("config", "view", "--raw", "--output=json")), &config); err != nil {
		w.Fatal(err)
	}
	config["users"] = []any{map[string]any{"name": "admin", "user": map[string]any{"token": w.kubectl("create", "token", account)}}}
	text, err := json.Marshal(config)
	if err != nil {
		w.Fatal(err)
	}
	path := filepath.Join(w.TempDir(), fmt.Sprintf("kubeconfig-%s", account))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.Fatal(err)
	}
	return path
}
