//go:build kubernetes

package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
)

// taskOutputs are what GitLab's task writes in each of its forms.
const taskOutputs = "../../internal/rake/testdata"

// GitLab's own task runs in the toolbox of the chart that GitLab was installed with,
// and each of its forms is read there.
func TestRakeInToolbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(tag182, gateway.Healthy)
	w.run("upgrade", 0, "installed")
	way := []string{"AIGW_CI_VERIFY_RAKE=kubernetes:" + w.namespace, "AIGW_CI_VERIFY_RAKE_USER=root"}

	check := func(exit int, outcome, verdict string, texts ...string) {
		t.Helper()
		r := w.run("verify", exit, outcome, way...)
		if c := r.Check("gitlab.rake", "live"); c.Verdict != verdict {
			t.Errorf("gitlab.rake is %s, want %s: %s", c.Verdict, verdict, c.Detail)
		}
		r.Says(t, texts...)
	}
	check(6, "inconclusive", "inconclusive", "no pod with label app=toolbox is ready in namespace "+w.namespace)

	w.buildToolbox()
	for _, form := range []struct {
		file    string
		exits   int
		exit    int
		outcome string
		verdict string
		says    string
	}{
		{"v2.txt", 0, 0, "verified", "pass", ""},
		{"v4.txt", 0, 0, "verified", "pass", ""},
		{"v3-no-models.txt", 0, 0, "verified", "warn", "the models: WARNING"},
		{"v4-websocket.txt", 0, 1, "failed", "fail", "the Agent Platform's WebSocket: ERROR"}, // exit 0 is no pass
		{"none.txt", 0, 6, "inconclusive", "inconclusive", "gitlab.rake"},
	} {
		w.toolbox(form.file, form.exits)
		check(form.exit, form.outcome, form.verdict, form.says)
		w.kubectl("delete", "pod", "toolbox", "--grace-period=1", "--wait")
	}
}

// buildToolbox publishes the image of the toolbox, and what is in it.
func (w *world) buildToolbox() {
	w.Helper()
	binary := filepath.Join(w.TempDir(), "toolbox")
	if err := program.Build(w.Context(), binary, "aigw-ci/test/kubernetes/testdata/toolbox"); err != nil {
		w.Fatal(err)
	}
	built, err := image.Build(image.Options{Tag: tag184, Binary: binary})
	if err != nil {
		w.Fatal(err)
	}
	if err := w.estate.Registry.Push(lab.DockerHub, "toolbox", built); err != nil {
		w.Fatal(err)
	}
	dir := w.TempDir()
	script := "#!/home/aigateway/app/scripts/run.sh rake\n" // where the image has its one program
	if err := os.WriteFile(filepath.Join(dir, "gitlab-rake"), []byte(script), 0o755); err != nil {
		w.Fatal(err)
	}
	w.kubectl("create", "configmap", "toolbox", "--from-file="+dir, "--from-file="+taskOutputs)
}

// toolbox starts the pod, which says and ends as it is told.
func (w *world) toolbox(says string, exits int) {
	w.Helper()
	manifest := filepath.Join(w.TempDir(), "toolbox.yaml")
	text := fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: toolbox, labels: {app: toolbox}}
spec:
  containers:
  - name: sidecar
    image: %[1]s
  - name: toolbox
    image: %[1]s
    env:
    - {name: PATH, value: /opt/gitlab/bin}
    - {name: SAYS, value: %[2]s}
    - {name: EXITS, value: "%[3]d"}
    volumeMounts: [{name: rails, mountPath: /opt/gitlab/bin}]
  volumes: [{name: rails, configMap: {name: toolbox, defaultMode: 0755}}]
`, w.repository()+":toolbox", says, exits)
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	w.kubectl("apply", "--filename", manifest)
	w.kubectl("wait", "--for=condition=Ready", "pod/toolbox", "--timeout=60s")
}
