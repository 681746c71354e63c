package kubernetes

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"aigw-ci/internal/upgrade"
)

var (
	ones = "sha256:" + strings.Repeat("1", 64)
	twos = "sha256:" + strings.Repeat("2", 64)
)

func TestState(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const byTag = "registry.example.com/model-gateway:self-hosted-v18.5.2-ee"
	good := upgrade.State{Status: upgrade.Running, Started: made, Health: "healthy", Image: gatewayImage, Digests: []string{ones}, Replicas: 1, Ready: 1}
	with := func(change func(*upgrade.State)) upgrade.State {
		s := good
		change(&s)
		return s
	}
	oom := &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	imageID := func(id string) func(*corev1.Pod, *corev1.ContainerStatus) {
		return func(_ *corev1.Pod, c *corev1.ContainerStatus) { c.ImageID = id }
	}
	tests := []struct {
		name     string
		image    string
		replicas int32
		pods     []func(*corev1.Pod, *corev1.ContainerStatus)
		want     upgrade.State
	}{
		{name: "one", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){nil}, want: good},
		{name: "scaled to nothing", want: upgrade.State{Status: upgrade.Exited, Image: gatewayImage, Error: "Deployment ai-gateway is scaled to 0 replicas"}},
		{name: "no pod yet", replicas: 2, want: upgrade.State{Status: upgrade.Created, Image: gatewayImage, Replicas: 2}},
		{name: "the worst counts", replicas: 3, pods: []func(*corev1.Pod, *corev1.ContainerStatus){
			nil, crashes(2, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}, oom), nil,
		}, want: with(func(s *upgrade.State) {
			s.Status, s.Health, s.Restarts, s.ExitCode, s.OOM, s.Replicas, s.Ready = upgrade.Restarting, "", 2, 137, true, 3, 2
		})},
		{name: "ended just now", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){
			crashes(0, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}, nil),
		}, want: with(func(s *upgrade.State) {
			s.Status, s.Health, s.ExitCode, s.Ready = upgrade.Restarting, "", 3, 0
		})},
		{name: "cannot be started", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){
			func(p *corev1.Pod, c *corev1.ContainerStatus) {
				waits("CreateContainerConfigError", `secret "x" not found`)(p, c)
				c.ImageID = ""
			},
		}, want: upgrade.State{Status: upgrade.Created, Image: gatewayImage, Replicas: 1, Error: `CreateContainerConfigError: secret "x" not found`}},
		{name: "a pull is tried again", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){
			func(p *corev1.Pod, c *corev1.ContainerStatus) { waits("ErrImagePull", "timeout")(p, c); c.ImageID = "" },
		}, want: upgrade.State{Status: upgrade.Created, Image: gatewayImage, Replicas: 1}},
		{name: "starting", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){
			func(p *corev1.Pod, c *corev1.ContainerStatus) { unready(p); c.Started = new(false) },
		}, want: with(func(s *upgrade.State) { s.Health, s.Ready = "starting", 0 })},
		{name: "an evicted pod counts as a restart", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){
			func(p *corev1.Pod, c *corev1.ContainerStatus) {
				unready(p)
				p.Status.Phase, p.Status.Reason, p.Status.ContainerStatuses = corev1.PodFailed, "Evicted", nil
			}, nil,
		}, want: with(func(s *upgrade.State) { s.Restarts = 1 })},
		{name: "a terminating pod is not looked at", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){
			nil, func(p *corev1.Pod, c *corev1.ContainerStatus) {
				p.DeletionTimestamp, p.Finalizers = new(metav1.Now()), []string{"example.com/x"}
				c.ImageID, c.RestartCount = twos, 4
			},
		}, want: good},
		{name: "no digest is unknown", replicas: 1, pods: []func(*corev1.Pod, *corev1.ContainerStatus){imageID("")},
			want: with(func(s *upgrade.State) { s.Digests = nil })},
		{name: "one digest has several names", replicas: 2, pods: []func(*corev1.Pod, *corev1.ContainerStatus){nil, imageID(twos)},
			want: with(func(s *upgrade.State) { s.Digests, s.Replicas, s.Ready = []string{ones, twos}, 2, 2 })},
		{name: "a tag that was pushed again", image: byTag, replicas: 2, pods: []func(*corev1.Pod, *corev1.ContainerStatus){nil, imageID(twos)},
			want: with(func(s *upgrade.State) {
				s.Image, s.Digests, s.Strays, s.Replicas, s.Ready = byTag, []string{ones, twos}, []string{byTag + "@" + twos}, 2, 2
			})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.image == "" {
				tt.image = gatewayImage
			}
			d, s := deployed(tt.image)
			d.Spec.Replicas = &tt.replicas
			objects := []runtime.Object{d, s}
			for i, change := range tt.pods {
				objects = append(objects, podOf(s, "p"+string(rune('a'+i)), change))
			}
			got, err := fakeCluster(objects...).gateway(theWorkload).State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestStateOfNothing(t *testing.T) {
	t.Parallel()
	got, err := fakeCluster().gateway(theWorkload).State(t.Context())
	if err != nil || got.Status != upgrade.Missing {
		t.Errorf("got %+v, %v, want missing", got, err)
	}
}

func TestOldReplicaSetsAreStrays(t *testing.T) {
	t.Parallel()
	d, s := deployed(gatewayImage)
	before, old := deployed("registry.example.com/model-gateway:self-hosted-v18.4.0-ee")
	old.Name, old.UID = "ai-gateway-old", "ai-gateway-old"
	got, err := fakeCluster(d, s, old, podOf(s, "new", nil), podOf(old, "old", nil)).gateway(theWorkload).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{before.Spec.Template.Spec.Containers[0].Image}, got.Strays); diff != "" || got.Ready != 1 {
		t.Errorf("strays (-want +got)\n%s%d ready, want 1", diff, got.Ready)
	}
}

// Whoever removes a pod that was restarted hides nothing.
func TestReplacedPodsHideNoRestart(t *testing.T) {
	t.Parallel()
	d, s := deployed(gatewayImage)
	c := fakeCluster(d, s, podOf(s, "a", func(_ *corev1.Pod, c *corev1.ContainerStatus) { c.RestartCount = 1 }))
	g := c.gateway(theWorkload)
	first, err := g.State(t.Context())
	if err != nil || first.Restarts != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	pods := c.api.CoreV1().Pods("gateway")
	if err := pods.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := pods.Create(t.Context(), podOf(s, "b", nil), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	second, err := g.State(t.Context())
	if err != nil || second.Restarts != 1 || !second.Started.Equal(first.Started) {
		t.Errorf("after the pod was replaced: %+v, %v", second, err)
	}
}

func TestDigestOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                      "",
		ones:                                    ones,
		"registry.example.com:5000/a/b@" + ones: ones,
		"docker-pullable://registry.example.com/a@" + ones: ones,
		"docker://" + ones:                  ones,
		"registry.example.com/a:tag":        "",
		"sha256:1111":                       "",
		strings.ToUpper(ones):               "",
		"sha256:" + strings.Repeat("A", 64): "",
	} {
		if got := digestOf(in); got != want {
			t.Errorf("digestOf(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzDigestOf(f *testing.F) {
	f.Add("repo@" + ones)
	f.Add("docker-pullable://x@sha256:")
	f.Fuzz(func(t *testing.T, s string) {
		if d := digestOf(s); d != "" && (!strings.HasSuffix(s, d) || len(d) != 71) {
			t.Errorf("digestOf(%q) = %q", s, d)
		}
	})
}
