package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

// maxOutput bounds each output of a program, in bytes. What comes after it is dropped.
const maxOutput = 1 << 20

// ExecToolbox runs a program in the toolbox of a GitLab that was installed with
// GitLab's chart, and returns what it wrote, at most 1 MiB of each, and its exit
// code. No shell is between. An error means that the program could not be run.
// Source: docs.gitlab.com/charts/charts/gitlab/toolbox.
func (c *Cluster) ExecToolbox(ctx context.Context, namespace string, argv []string) (stdout, stderr []byte, exit int, err error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, nil, 0, errors.New("no program to run in the toolbox")
	}
	pod, err := c.toolbox(ctx, namespace)
	if err != nil {
		return nil, nil, 0, err
	}
	var out, words bounded
	err = c.exec(ctx, pod, argv, remotecommand.StreamOptions{Stdout: &out, Stderr: &words})
	if code, ended := exitCode(err); ended {
		return out.Bytes(), words.Bytes(), code, nil
	}
	return out.Bytes(), words.Bytes(), 0, c.explain(fmt.Sprintf("running %s in pod %s/%s", clean(argv[0], 200), namespace, pod.pod), err)
}

// place is a container.
type place struct{ namespace, pod, container string }

// toolbox finds a pod that runs GitLab's toolbox; the youngest when there are several.
func (c *Cluster) toolbox(ctx context.Context, namespace string) (place, error) {
	pods, err := c.api.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=toolbox", Limit: mostObjects})
	if err != nil {
		return place{}, c.explain("looking for GitLab's toolbox in namespace "+namespace, err)
	}
	running := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil || !ready(&p) })
	if len(running) == 0 {
		return place{}, fmt.Errorf("looking for GitLab's toolbox: no pod with label app=toolbox is ready in namespace %s", namespace)
	}
	youngest := slices.MaxFunc(running, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	found := place{namespace, youngest.Name, youngest.Spec.Containers[0].Name}
	if containerOf(&youngest.Spec, "toolbox") != nil {
		found.container = "toolbox"
	}
	return found, nil
}

// exec runs a program in a container, as `kubectl exec` does: through a WebSocket, or
// SPDY where there is none. It ends with ctx.
func (c *Cluster) exec(ctx context.Context, in place, argv []string, streams remotecommand.StreamOptions) error {
	url := c.api.CoreV1().RESTClient().Post().Namespace(in.namespace).Resource("pods").Name(in.pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: in.container, Command: argv,
			Stdin: streams.Stdin != nil, Stdout: streams.Stdout != nil, Stderr: streams.Stderr != nil,
		}, scheme.ParameterCodec).URL()
	socket, err := remotecommand.NewWebSocketExecutor(c.rest, http.MethodGet, url.String())
	if err != nil {
		return err
	}
	plain, err := remotecommand.NewSPDYExecutor(c.rest, http.MethodPost, url)
	if err != nil {
		return err
	}
	executor, err := remotecommand.NewFallbackExecutor(socket, plain, upgradeRefused)
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, streams)
}

// exitCode is the exit code of a program that ran, given the error of exec.
func exitCode(err error) (code int, ended bool) {
	var exited exec.CodeExitError
	switch {
	case err == nil:
		return 0, true
	case errors.As(err, &exited):
		return exited.Code, true
	}
	return 0, false
}

// bounded keeps the first bytes of an output and takes the rest without keeping it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p[:min(len(p), max(0, maxOutput-b.Len()))])
	return len(p), nil
}
