package kubernetes

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"aigw-ci/internal/upgrade"
)

// State implements upgrade.Gateway. It is about the replica that is worst off.
//
// Restarts counts every end of a process in the pods of the newest ReplicaSet, also
// in those that are gone since this handle first looked, and a pod that was evicted
// counts as one: whoever replaces a pod hides no restart. Started is when the
// ReplicaSet was made, once anything of it ran: it tells a new rollout, and neither
// autoscaling nor the drain of a node changes it.
func (h *handle) State(ctx context.Context) (upgrade.State, error) {
	r, err := h.cluster.rollout(ctx, h.workload)
	if apierrors.IsNotFound(err) {
		return upgrade.State{Status: upgrade.Missing}, nil
	}
	if err != nil {
		return upgrade.State{}, err
	}
	state := h.stateOf(r)
	state.Restarts = h.count(r)
	return state, nil
}

// count adds up how often a process ended. A pod's own count can go down, when its
// node forgets a container, and then the higher one holds.
func (h *handle) count(r rollout) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range r.pods {
		p := &r.pods[i]
		ended := 0
		if s := statusOf(p, h.container); s != nil {
			ended = int(s.RestartCount)
		}
		if finished(p) {
			ended++
		}
		h.seen[p.UID] = max(h.seen[p.UID], ended)
	}
	sum := 0
	for _, n := range h.seen {
		sum += n
	}
	return sum
}

func (h *handle) stateOf(r rollout) upgrade.State {
	state := upgrade.State{Status: upgrade.Created, Replicas: 1}
	if n := r.deployment.Spec.Replicas; n != nil {
		state.Replicas = int(*n)
	}
	if c := containerOf(&r.deployment.Spec.Template.Spec, h.container); c != nil {
		state.Image = clean(c.Image, 500)
	}
	if state.Replicas == 0 {
		state.Status, state.Error = upgrade.Exited, "Deployment "+h.deployment+" is scaled to 0 replicas"
		return state
	}
	var pods []*corev1.Pod
	for i := range r.pods {
		if p := &r.pods[i]; !finished(p) {
			pods = append(pods, p)
		}
	}
	for i, p := range pods {
		one := stateOf(p, h.container)
		if ready(p) {
			state.Ready++
		}
		if one.Status != upgrade.Created && r.newest != nil {
			state.Started = r.newest.CreationTimestamp.Time
		}
		if i == 0 || worse(one, state) {
			state.Status, state.ExitCode, state.OOM, state.Health, state.Error = one.Status, one.ExitCode, one.OOM, one.Health, one.Error
		}
	}
	state.Digests, state.Strays = running(pods, h.container, state.Image)
	for i := range r.others {
		if p := &r.others[i]; !finished(p) {
			if s := stray(p, h.container); !slices.Contains(state.Strays, s) {
				state.Strays = append(state.Strays, s)
			}
		}
	}
	return state
}

// worse reports whether a is worse off than b.
func worse(a, b upgrade.State) bool {
	order := []upgrade.Status{upgrade.Running, upgrade.Created, upgrade.Exited, upgrade.Restarting}
	if x, y := slices.Index(order, a.Status), slices.Index(order, b.Status); x != y {
		return x > y
	}
	health := []string{"healthy", "", "starting", "unhealthy"}
	return slices.Index(health, a.Health) > slices.Index(health, b.Health)
}

// stateOf is one pod's state. A container that waits with an error which only a
// person can end is one that could not be started; a pull that failed is not, it is
// tried again.
func stateOf(p *corev1.Pod, container string) upgrade.State {
	state := upgrade.State{Status: upgrade.Created}
	s := statusOf(p, container)
	if s == nil {
		return state
	}
	ended := s.State.Terminated
	if ended == nil {
		ended = s.LastTerminationState.Terminated
	}
	if ended != nil {
		state.ExitCode, state.OOM = int(ended.ExitCode), ended.Reason == reasonOOM
	}
	switch {
	case s.State.Running != nil:
		state.Status = upgrade.Running
		state.Health = "starting"
		if ready(p) {
			state.Health = "healthy"
		} else if s.Started != nil && *s.Started && s.LastTerminationState.Terminated == nil && wasReady(p) {
			state.Health = "unhealthy"
		}
	case s.State.Terminated != nil:
		state.Status = upgrade.Restarting // a Deployment's pods always restart
	case s.State.Waiting == nil:
	case s.State.Waiting.Reason == reasonCrashLoop:
		state.Status = upgrade.Restarting
	case hopeless[s.State.Waiting.Reason]:
		state.Error = clean(s.State.Waiting.Reason+": "+s.State.Waiting.Message, 500)
	}
	return state
}

// wasReady reports whether a pod that is not ready was so before: its readiness
// changed later than its containers were there to be asked.
func wasReady(p *corev1.Pod) bool {
	var turned, initialized corev1.PodCondition
	for _, c := range p.Status.Conditions {
		switch c.Type {
		case corev1.PodReady:
			turned = c
		case corev1.PodInitialized:
			initialized = c
		}
	}
	return turned.Status == corev1.ConditionFalse && initialized.LastTransitionTime.Before(&turned.LastTransitionTime)
}

// running are the digests of all pods, each once, and the images of those that run
// something else than the others although they were asked for the same. That happens
// with a tag that was pushed again between two pods, and only where the image is
// asked for by tag: nodes name one and the same digest in several ways.
func running(pods []*corev1.Pod, container, image string) (digests, strays []string) {
	var first string
	for _, p := range pods {
		s := statusOf(p, container)
		if s == nil {
			continue
		}
		digest := digestOf(s.ImageID)
		if digest == "" {
			continue // unknown is not different
		}
		if !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
		if first == "" {
			first = digest
		}
		if digest != first && !strings.Contains(image, "@") {
			strays = append(strays, image+"@"+digest)
		}
	}
	slices.Sort(strays)
	return digests, slices.Compact(strays)
}

// stray is what a pod of an older ReplicaSet runs.
func stray(p *corev1.Pod, container string) string {
	if c := containerOf(&p.Spec, container); c != nil {
		return clean(c.Image, 500)
	}
	return fmt.Sprintf("pod %s", p.Name)
}

// digestOf is the digest in a pod's imageID, empty when there is none. Container
// runtimes write "repository@sha256:...", "sha256:..." and, in older clusters,
// "docker-pullable://repository@sha256:..."; it may be the digest of the index, of
// the platform's manifest, or of the configuration. Source: kubernetes/kubernetes#115199.
func digestOf(imageID string) string {
	digest := imageID[strings.LastIndexByte(imageID, '@')+1:]
	digest = digest[strings.LastIndexByte(digest, '/')+1:] // docker://sha256:...
	sum, found := strings.CutPrefix(digest, "sha256:")
	if raw, err := hex.DecodeString(sum); !found || err != nil || len(raw) != 32 || sum != strings.ToLower(sum) {
		return ""
	}
	return digest
}
