package kubernetes

import (
	"context"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// How long a trouble may last before it counts: what is over sooner was none.
const (
	troubleEvery  = time.Second      // between two looks
	pullGrace     = 15 * time.Second // a registry may hiccup; a node tries again after about ten
	scheduleGrace = 15 * time.Second // room may come free, and an autoscaler needs time to say that it brings some
	notMadeGrace  = 5 * time.Second  // the ReplicaSet tries again at once, and a quota may come free
	configGrace   = 3 * time.Second  // a Secret may be made a moment after the pod
	mountGrace    = 30 * time.Second // a volume may have to leave another node first
	removedGrace  = 3 * time.Second  // what is replaced is gone for a moment
)

// troubled watches the pods of a Deployment's newest ReplicaSet until it finds why
// they cannot become ready, which it returns as a *StuckError, or until ctx ends: nil.
// It reads and changes nothing.
//
// Troubles that pass by themselves get time: see the constants above. One crash is
// not the end, the second is; being killed for want of memory is at once. A pod that
// waits for a node waits on while an autoscaler says that it brings one. Pods that
// are ready and those of other ReplicaSets are not looked at, and neither is
// w.passed.
func (c *Cluster) troubled(ctx context.Context, w workload) error {
	t := &trouble{since: make(map[string]time.Time)}
	for warned, made := false, w.passed != ""; ; {
		r, err := c.rollout(ctx, w)
		switch {
		case ctx.Err() != nil:
			return nil
		case apierrors.IsNotFound(err) && !made: // not yet
		case apierrors.IsNotFound(err):
			if t.lasts(reasonRemoved, removedGrace, time.Now()) {
				return stuckf(reasonRemoved, "", "there is no Deployment %s any more", w.deployment)
			}
		case err != nil && !warned:
			warned = true
			c.log.Warn("the new pods cannot be looked at; trouble will only show at the end of the wait", "cause", err)
		case err == nil && r.newest != nil && r.newest.UID != w.passed:
			made = true
			t.over(reasonRemoved)
			found := t.look(r, time.Now())
			if found != nil && (found.Reason != reasonScheduling || !c.helped(ctx, r, found.Pod)) {
				c.illustrate(ctx, r, found)
				return found
			}
			if found == nil {
				if found = c.mounts(ctx, t, r, time.Now()); found != nil {
					c.illustrate(ctx, r, found)
					return found
				}
			}
		}
		if pause(ctx, troubleEvery) != nil {
			return nil
		}
	}
}

// trouble remembers since when each trouble lasts, by pod and reason.
type trouble struct {
	since map[string]time.Time
}

// lasts reports whether a trouble that is there now has been there for so long.
func (t *trouble) lasts(key string, grace time.Duration, now time.Time) bool {
	begin, known := t.since[key]
	if !known {
		t.since[key], begin = now, now
	}
	return now.Sub(begin) >= grace
}

// over forgets a trouble.
func (t *trouble) over(key string) { delete(t.since, key) }

// look finds why a rollout is stuck; nil when it is not, or not yet.
func (t *trouble) look(r rollout, now time.Time) *StuckError {
	if failed := condition(r.newest, appsv1.ReplicaSetReplicaFailure); failed == nil {
		t.over(reasonNotMade)
	} else if t.lasts(reasonNotMade, notMadeGrace, now) {
		return stuckf(reasonNotMade, "", "%s", failed.Message)
	}
	for i := range r.pods {
		p := &r.pods[i]
		if ready(p) || finished(p) {
			continue
		}
		if found := t.pod(p, now); found != nil {
			return found
		}
	}
	for _, c := range r.deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == reasonDeadline &&
			r.deployment.Status.ObservedGeneration >= r.deployment.Generation && strings.Contains(c.Message, r.newest.Name) {
			return stuckf(reasonDeadline, notReady(r.pods), "%s", c.Message)
		}
	}
	return nil
}

// pod finds why one pod is stuck.
func (t *trouble) pod(p *corev1.Pod, now time.Time) *StuckError {
	unplaced := slices.IndexFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
	key := string(p.UID) + reasonScheduling
	switch {
	case unplaced < 0 || p.Status.NominatedNodeName != "": // others are being moved away for it
		t.over(key)
	case t.lasts(key, scheduleGrace, now):
		return stuckf(reasonScheduling, p.Name, "%s", p.Status.Conditions[unplaced].Message)
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if found := t.container(p, &s, now); found != nil {
			return found
		}
	}
	return nil
}

// container finds why one container keeps its pod from becoming ready.
func (t *trouble) container(p *corev1.Pod, s *corev1.ContainerStatus, now time.Time) *StuckError {
	waiting, message := "", ""
	if s.State.Waiting != nil {
		waiting, message = s.State.Waiting.Reason, s.State.Waiting.Message
	}
	pull, config := string(p.UID)+s.Name+reasonPull, string(p.UID)+s.Name+reasonConfig
	if waiting != reasonPull && waiting != reasonPullBackOff {
		t.over(pull)
	} else if t.lasts(pull, pullGrace, now) {
		return stuckf(waiting, p.Name, "%s", message)
	}
	switch {
	case waiting == reasonNeverPull, waiting == reasonImageName:
		return stuckf(waiting, p.Name, "%s", message)
	case !hopeless[waiting]:
		t.over(config)
	case t.lasts(config, configGrace, now):
		return stuckf(waiting, p.Name, "%s", message)
	}
	return crashed(p, s)
}

// crashed counts how often a container ended with an error. An init container that
// ended well did what it is for.
func crashed(p *corev1.Pod, s *corev1.ContainerStatus) *StuckError {
	ended := s.State.Terminated
	crashes := int(s.RestartCount)
	if ended == nil {
		ended = s.LastTerminationState.Terminated
		if s.State.Waiting != nil && s.State.Waiting.Reason == reasonCrashLoop {
			crashes++
		}
	} else {
		if ended.ExitCode == 0 && slices.ContainsFunc(p.Status.InitContainerStatuses, func(i corev1.ContainerStatus) bool { return i.Name == s.Name }) {
			return nil
		}
		crashes++
	}
	switch {
	case ended == nil:
		return nil
	case ended.Reason == reasonOOM:
		return stuckf(reasonOOM, p.Name, "container %s was killed because it was out of memory", s.Name)
	case crashes >= 2:
		return stuckf(reasonCrashLoop, p.Name, "container %s ended %d times, the last time with exit code %d (%s) %s",
			s.Name, crashes, ended.ExitCode, ended.Reason, ended.Message)
	}
	return nil
}

func condition(s *appsv1.ReplicaSet, kind appsv1.ReplicaSetConditionType) *appsv1.ReplicaSetCondition {
	for i, c := range s.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return &s.Status.Conditions[i]
		}
	}
	return nil
}

// notReady is the name of the first pod that is not ready; empty when all are.
func notReady(pods []corev1.Pod) string {
	for i := range pods {
		if !ready(&pods[i]) && !finished(&pods[i]) {
			return pods[i].Name
		}
	}
	return ""
}
