//go:build kubernetes

package kubernetes

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aigw-ci/internal/upgrade"
)

// realCluster is a namespace of its own on the cluster of scripts/with-cluster.
func realCluster(t *testing.T) *Cluster {
	t.Helper()
	c, err := Connect(t.Context(), ConnectOptions{Kubeconfig: os.Getenv("KUBECONFIG"), Namespace: "default", UserAgent: "aigw-ci-test"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.api.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "aigw-test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.api.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{})
	})
	c.namespace = made.Name
	return c
}

// run makes a Deployment called ai-gateway of the pause image, changed by change.
func run(t *testing.T, c *Cluster, change func(*corev1.PodSpec)) workload {
	t.Helper()
	labels := map[string]string{"app": "ai-gateway"}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "ai-gateway"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			Containers:                   []corev1.Container{{Name: "ai-gateway", Image: pauseImage, ImagePullPolicy: corev1.PullNever}},
		}},
	}}
	change(&d.Spec.Template.Spec)
	if _, err := c.api.AppsV1().Deployments(c.namespace).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return workload{deployment: "ai-gateway", container: "ai-gateway"}
}

func TestRealTroubles(t *testing.T) {
	tests := []struct {
		name   string
		change func(*corev1.PodSpec)
		want   string
	}{
		{"no image", func(p *corev1.PodSpec) { p.Containers[0].Image = "127.0.0.1:1/none:1" }, "ErrImageNeverPull"},
		{"no registry", func(p *corev1.PodSpec) {
			p.Containers[0].Image, p.Containers[0].ImagePullPolicy = "127.0.0.1:1/none:1", corev1.PullAlways
		}, "ImagePullBackOff ErrImagePull"},
		{"no secret", func(p *corev1.PodSpec) {
			p.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}}}}
		}, "CreateContainerConfigError"},
		{"no room", func(p *corev1.PodSpec) { p.NodeSelector = map[string]string{"no": "such"} }, "FailedScheduling"},
		{"no account", func(p *corev1.PodSpec) { p.ServiceAccountName = "none" }, "FailedCreate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := realCluster(t)
			w := run(t, c, tt.change)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			start := time.Now()
			err := c.troubled(ctx, w)
			var stuck *StuckError
			if !errors.As(err, &stuck) || !strings.Contains(tt.want, stuck.Reason) {
				t.Fatalf("after %v: %v, want %s", time.Since(start), err, tt.want)
			}
			t.Logf("after %v: %v", time.Since(start).Round(time.Millisecond), err)
			state, err := c.gateway(w).State(t.Context())
			t.Logf("%+v, %v", state, err)
			files, err := c.gateway(w).Evidence(t.Context())
			if err != nil || len(files) < 2 {
				t.Errorf("%d files of evidence, %v", len(files), err)
			}
		})
	}
}

// pauseImage is one that the node of scripts/with-cluster has. Its program waits.
const pauseImage = "cluster.test/pause:1"

func TestRealLease(t *testing.T) {
	c := realCluster(t)
	o := leaseOptions{name: "aigw-ci.ai-gateway", who: "job 1", ttl: 3 * time.Second, place: upgrade.Place{Kind: "kubernetes", Name: "x/ai-gateway"}}
	lost, release, err := c.lock(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.lock(t.Context(), o); !errors.As(err, new(*upgrade.LockedError)) {
		t.Errorf("second: %v, want a LockedError", err)
	}
	select {
	case <-lost:
		t.Error("lost")
	case <-time.After(4 * time.Second):
	}
	if err := release(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, release, err = c.lock(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_ = release(t.Context())
	c.namespace = "there-is-no-such-namespace"
	if _, _, err := c.lock(t.Context(), o); !errors.Is(err, errNoNamespace) {
		t.Errorf("without a namespace: %v", err)
	}
}

func TestRealRights(t *testing.T) {
	c := realCluster(t)
	missing, err := c.missing(t.Context(), append(Rights(), OptionalRights()...))
	if err != nil || len(missing) > 0 {
		t.Errorf("an administrator misses %v, %v", missing, err)
	}
}

// A pod that runs refuses a port that nobody listens on; the image has no Python.
func TestRealForwardAndExec(t *testing.T) {
	c := realCluster(t)
	w := run(t, c, func(*corev1.PodSpec) {})
	g := c.gateway(w)
	var endpoint upgrade.Endpoint
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if endpoint, err = g.Endpoint(t.Context()); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", endpoint)
	state, err := g.State(t.Context())
	if err != nil || state.Status != upgrade.Running || state.Ready != 1 || len(state.Digests) == 0 {
		t.Errorf("state %+v, %v", state, err)
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: endpoint.Dial}}
	if _, err := client.Get(endpoint.HTTP); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want a refusal", err)
	}
	if _, err := g.DialFrom(t.Context(), "127.0.0.1:80"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want that it is not supported", err)
	}
}
