package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

const gatewayImage = "registry.example.com/model-gateway:self-hosted-v18.5.2-ee@sha256:1111111111111111111111111111111111111111111111111111111111111111"

var theWorkload = workload{deployment: "ai-gateway", container: "ai-gateway", image: gatewayImage}

// deployed is a Deployment of image with its newest ReplicaSet.
func deployed(image string) (*appsv1.Deployment, *appsv1.ReplicaSet) {
	labels := map[string]string{"app.kubernetes.io/name": "ai-gateway"}
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "ai-gateway", Image: image}}},
	}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "ai-gateway", Namespace: "gateway", UID: "deployment", Generation: 2},
		Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 2},
	}
	return d, replicaSet(d, "ai-gateway-new")
}

// replicaSet is what the Deployment's controller makes of d.
func replicaSet(d *appsv1.Deployment, name string) *appsv1.ReplicaSet {
	s := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "gateway", UID: types.UID(name), Labels: map[string]string{"app.kubernetes.io/name": "ai-gateway"},
			OwnerReferences:   []metav1.OwnerReference{{UID: d.UID, Controller: new(true)}},
			CreationTimestamp: metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		},
		Spec: appsv1.ReplicaSetSpec{Template: *d.Spec.Template.DeepCopy()},
	}
	s.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = strings.TrimPrefix(name, "ai-gateway-")
	return s
}

// podOf is a pod of a ReplicaSet, running and ready unless change says otherwise.
func podOf(s *appsv1.ReplicaSet, name string, change func(p *corev1.Pod, c *corev1.ContainerStatus)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "gateway", UID: types.UID(name), Labels: map[string]string{"app.kubernetes.io/name": "ai-gateway"},
			OwnerReferences: []metav1.OwnerReference{{UID: s.UID, Controller: new(true)}},
		},
		Spec: *s.Spec.Template.Spec.DeepCopy(),
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "ai-gateway", Ready: true, Started: new(true), Image: "x",
				ImageID: "registry.example.com/model-gateway@sha256:" + strings.Repeat("1", 64),
				State:   corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			}},
		},
	}
	if change != nil {
		change(p, &p.Status.ContainerStatuses[0])
	}
	return p
}

func unready(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }

func waits(reason, message string) func(*corev1.Pod, *corev1.ContainerStatus) {
	return func(p *corev1.Pod, c *corev1.ContainerStatus) {
		unready(p)
		c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
}

func crashes(restarts int32, state corev1.ContainerState, last *corev1.ContainerStateTerminated) func(*corev1.Pod, *corev1.ContainerStatus) {
	return func(p *corev1.Pod, c *corev1.ContainerStatus) {
		unready(p)
		c.RestartCount, c.State, c.LastTerminationState.Terminated = restarts, state, last
	}
}

func fakeCluster(objects ...runtime.Object) *Cluster {
	return &Cluster{api: fake.NewClientset(objects...), namespace: "gateway", log: slog.New(slog.DiscardHandler)}
}

func TestTroubled(t *testing.T) {
	failed := &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error"}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	ended := corev1.ContainerState{Terminated: failed}
	backOff := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	unschedulable := func(p *corev1.Pod, c *corev1.ContainerStatus) {
		p.Status.ContainerStatuses, p.Status.Phase = nil, corev1.PodPending
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes are available: 1 Insufficient cpu."}}
	}
	tests := []struct {
		name   string
		pod    func(*corev1.Pod, *corev1.ContainerStatus)
		change func(*appsv1.Deployment, *appsv1.ReplicaSet)
		event  string // of the pod
		want   string // reason; empty: not stuck
		within time.Duration
	}{
		{name: "ready"},
		{name: "starts slowly", pod: func(p *corev1.Pod, _ *corev1.ContainerStatus) { unready(p) }},
		{name: "restarted once", pod: crashes(1, running, failed)},
		{name: "ended once", pod: crashes(0, ended, nil)},
		{name: "ended twice", pod: crashes(1, ended, failed), want: "CrashLoopBackOff", within: time.Second},
		{name: "restarted twice", pod: crashes(2, running, failed), want: "CrashLoopBackOff", within: time.Second},
		{name: "backs off", pod: crashes(1, backOff, failed), want: "CrashLoopBackOff", within: time.Second},
		{name: "out of memory once", pod: crashes(1, running, &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}), want: "OOMKilled", within: time.Second},
		{name: "ready, with an old story", pod: func(p *corev1.Pod, c *corev1.ContainerStatus) {
			c.RestartCount, c.LastTerminationState.Terminated = 7, failed
		}},
		{name: "pull", pod: waits("ErrImagePull", "manifest unknown"), want: "ErrImagePull", within: 17 * time.Second},
		{name: "pull back-off", pod: waits("ImagePullBackOff", "Back-off pulling image"), want: "ImagePullBackOff", within: 17 * time.Second},
		{name: "never pull", pod: waits("ErrImageNeverPull", "not present"), want: "ErrImageNeverPull", within: time.Second},
		{name: "image name", pod: waits("InvalidImageName", "bad"), want: "InvalidImageName", within: time.Second},
		{name: "config", pod: waits("CreateContainerConfigError", `secret "x" not found`), want: "CreateContainerConfigError", within: 5 * time.Second},
		{name: "create", pod: waits("CreateContainerError", "no command"), want: "CreateContainerError", within: 5 * time.Second},
		{name: "being made", pod: waits("ContainerCreating", "")},
		{name: "scheduling", pod: unschedulable, want: "FailedScheduling", within: 17 * time.Second},
		{name: "an autoscaler helps", pod: unschedulable, event: "TriggeredScaleUp"},
		{name: "a node is cleared", pod: func(p *corev1.Pod, c *corev1.ContainerStatus) {
			unschedulable(p, c)
			p.Status.NominatedNodeName = "node1"
		}},
		{name: "a volume", pod: func(p *corev1.Pod, c *corev1.ContainerStatus) {
			waits("ContainerCreating", "")(p, c)
			p.Spec.NodeName = "node1"
		}, event: "FailedMount", want: "FailedMount", within: 32 * time.Second},
		{name: "quota", change: func(_ *appsv1.Deployment, s *appsv1.ReplicaSet) {
			s.Status.Conditions = []appsv1.ReplicaSetCondition{{Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota"}}
		}, want: "FailedCreate", within: 7 * time.Second},
		{name: "deadline", pod: func(p *corev1.Pod, _ *corev1.ContainerStatus) { unready(p) }, change: func(d *appsv1.Deployment, _ *appsv1.ReplicaSet) {
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: `ReplicaSet "ai-gateway-new" has timed out progressing.`}}
		}, want: "ProgressDeadlineExceeded", within: time.Second},
		{name: "the deadline of an earlier rollout", change: func(d *appsv1.Deployment, _ *appsv1.ReplicaSet) {
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: `ReplicaSet "ai-gateway-old" has timed out progressing.`}}
		}},
		{name: "a pod on its way out", pod: func(p *corev1.Pod, c *corev1.ContainerStatus) {
			crashes(5, backOff, failed)(p, c)
			p.DeletionTimestamp, p.Finalizers = new(metav1.Now()), []string{"example.com/x"}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, s := deployed(gatewayImage)
				if tt.change != nil {
					tt.change(d, s)
				}
				p := podOf(s, "ai-gateway-new-1", tt.pod)
				objects := []runtime.Object{d, s, p}
				if tt.event != "" {
					objects = append(objects, &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "gateway"}, InvolvedObject: corev1.ObjectReference{UID: p.UID}, Reason: tt.event, Message: "the cluster's words"})
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				start := time.Now()
				err := fakeCluster(objects...).troubled(ctx, theWorkload)
				took := time.Since(start)
				if tt.want == "" {
					if err != nil {
						t.Fatalf("after %v: %v, want none", took, err)
					}
					return
				}
				var stuck *StuckError
				if !errors.As(err, &stuck) || stuck.Reason != tt.want {
					t.Fatalf("got %v, want %s", err, tt.want)
				}
				if took > tt.within {
					t.Errorf("took %v, want at most %v", took, tt.within)
				}
				if tt.pod != nil && stuck.Pod != p.Name {
					t.Errorf("pod %q, want %q", stuck.Pod, p.Name)
				}
			})
		})
	}
}

// One pull that fails is tried again by the node, and then went well.
func TestTroubleThatPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := deployed(gatewayImage)
		c := fakeCluster(d, s, podOf(s, "p", waits("ErrImagePull", "timeout")))
		go func() {
			time.Sleep(10 * time.Second)
			_, _ = c.api.CoreV1().Pods("gateway").Update(t.Context(), podOf(s, "p", waits("ContainerCreating", "")), metav1.UpdateOptions{})
			time.Sleep(10 * time.Second)
			_, _ = c.api.CoreV1().Pods("gateway").Update(t.Context(), podOf(s, "p", waits("ImagePullBackOff", "again")), metav1.UpdateOptions{})
		}()
		start := time.Now()
		err := c.troubled(t.Context(), theWorkload)
		if took := time.Since(start); err == nil || took < 35*time.Second || took > 38*time.Second {
			t.Errorf("after %v: %v, want ImagePullBackOff 15 s after the second begin", took, err)
		}
	})
}

// The old gateway's troubles are no reason to give up on the new one, or on the way
// back to one that worked.
func TestTroublesOfOthersArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := crashes(5, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}, &corev1.ContainerStateTerminated{ExitCode: 1})
		d, s := deployed(gatewayImage)
		c := fakeCluster(d, s, podOf(s, "broken", broken))
		w, err := c.before(t.Context(), theWorkload)
		if err != nil || w.passed != s.UID {
			t.Fatalf("before: %+v, %v", w, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.troubled(ctx, w); err != nil {
			t.Errorf("before the change: %v", err)
		}
		next, newer := deployed("registry.example.com/model-gateway:self-hosted-v18.5.3-ee")
		newer.Name, newer.UID = "ai-gateway-newer", "ai-gateway-newer"
		_, err = c.api.AppsV1().Deployments("gateway").Update(t.Context(), next, metav1.UpdateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.troubled(ctx, w); err != nil { // no ReplicaSet for it yet
			t.Errorf("after the change: %v", err)
		}
		for _, o := range []runtime.Object{newer, podOf(newer, "broken-too", broken)} {
			if err := c.api.(*fake.Clientset).Tracker().Add(o); err != nil {
				t.Fatal(err)
			}
		}
		var stuck *StuckError
		if err := c.troubled(t.Context(), w); !errors.As(err, &stuck) || stuck.Pod != "broken-too" {
			t.Errorf("got %v, want the new pod's trouble", err)
		}
	})
}

// A Deployment that somebody removes is not one that is still to be made.
func TestTroubledByARemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := deployed(gatewayImage)
		c := fakeCluster(d, s)
		w, err := c.before(t.Context(), theWorkload)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.api.AppsV1().Deployments("gateway").Delete(t.Context(), d.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var stuck *StuckError
		if err := c.troubled(ctx, w); !errors.As(err, &stuck) || stuck.Reason != reasonRemoved || stuck.Judged() {
			t.Errorf("got %v, want a removal", err)
		}
		if err := c.troubled(ctx, theWorkload); err != nil { // for whom there was none before
			t.Errorf("got %v, want patience", err)
		}
	})
}

func TestStuckErrorTells(t *testing.T) {
	t.Parallel()
	e := &StuckError{Reason: "CrashLoopBackOff", Pod: "p", Message: "ended", Events: []string{"Warning BackOff"}, LastLines: []string{"boom"}}
	for _, want := range []string{"pod p", "CrashLoopBackOff", "ended", "Warning BackOff", "boom"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%q is not in %q", want, e)
		}
	}
	if !e.Judged() || (&StuckError{Reason: "FailedScheduling"}).Judged() {
		t.Error("a crash is a verdict on the image, a full cluster is not")
	}
}
