package kubernetes

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	stuckEvents = 5
	stuckLines  = 15
	lookTimeout = 10 * time.Second // for what illustrates a trouble
)

// helped reports whether an autoscaler says that it brings a node for a pod. Sources:
// github.com/kubernetes/autoscaler, cluster-autoscaler/FAQ.md (TriggeredScaleUp);
// karpenter.sh/docs/troubleshooting (Nominated).
func (c *Cluster) helped(ctx context.Context, r rollout, pod string) bool {
	found, err := c.eventsOf(ctx, r, pod)
	return err == nil && slices.ContainsFunc(found, func(e corev1.Event) bool {
		return e.Reason == "TriggeredScaleUp" || e.Reason == "Nominated"
	})
}

// mounts finds a pod that waits for a volume. Only events tell that, so they are
// read only for pods that wait longer than others do.
func (c *Cluster) mounts(ctx context.Context, t *trouble, r rollout, now time.Time) *StuckError {
	for i := range r.pods {
		p := &r.pods[i]
		key := string(p.UID) + reasonMount
		if !creating(p) {
			t.over(key)
			continue
		}
		if !t.lasts(key, mountGrace, now) {
			continue
		}
		t.since[key] = now.Add(-mountGrace / 2) // not with every look
		found, err := c.events(ctx, p.UID)
		if err != nil || len(found) == 0 {
			continue
		}
		if last := found[len(found)-1]; last.Reason == reasonMount || last.Reason == "FailedAttachVolume" || last.Reason == "FailedCreatePodSandBox" {
			return stuckf(last.Reason, p.Name, "%s", last.Message)
		}
	}
	return nil
}

// creating reports whether a pod has a node, and none of its containers was begun.
func creating(p *corev1.Pod) bool {
	all := slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses)
	return p.Spec.NodeName != "" && !ready(p) && !finished(p) && !slices.ContainsFunc(all, func(s corev1.ContainerStatus) bool {
		return s.State.Waiting == nil || s.State.Waiting.Reason != "ContainerCreating" && s.State.Waiting.Reason != "PodInitializing"
	})
}

// eventsOf are the events of a pod, or without one those of the newest ReplicaSet.
func (c *Cluster) eventsOf(ctx context.Context, r rollout, pod string) ([]corev1.Event, error) {
	of := r.newest.UID
	for _, p := range r.pods {
		if p.Name == pod {
			of = p.UID
		}
	}
	return c.events(ctx, of)
}

// illustrate adds the events and the last log lines of what is stuck, as far as they
// can be read.
func (c *Cluster) illustrate(ctx context.Context, r rollout, e *StuckError) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if found, err := c.eventsOf(ctx, r, e.Pod); err == nil {
		for i := range found[max(0, len(found)-stuckEvents):] {
			e.Events = append(e.Events, describe(&found[max(0, len(found)-stuckEvents)+i]))
		}
	}
	if !e.Judged() {
		return
	}
	for i := range r.pods {
		p := &r.pods[i]
		if p.Name != e.Pod {
			continue
		}
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
			if s.Ready || s.State.Terminated != nil && s.State.Terminated.ExitCode == 0 {
				continue
			}
			// A container that was just restarted has said nothing yet.
			lines, _ := c.podLog(ctx, p.Name, s.Name, false, stuckLines)
			if s.LastTerminationState.Terminated != nil && (len(lines) == 0 || s.State.Running != nil) {
				if before, err := c.podLog(ctx, p.Name, s.Name, true, stuckLines); err == nil && len(before) > 0 {
					lines = before
				}
			}
			e.LastLines = append(e.LastLines, texts(lines)...)
		}
	}
	e.LastLines = e.LastLines[max(0, len(e.LastLines)-stuckLines):]
}
