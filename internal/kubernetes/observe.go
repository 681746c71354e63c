package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aigw-ci/internal/upgrade"
)

// scene is what Observe saw, for Plan.
type scene struct {
	record record

	// observed is the revision whose gateway serves: where Restore goes back to. Nil
	// when there is no release. It is not always the one that Helm calls deployed: a
	// wait that timed out leaves good upgrades marked as failed, and a rollback to
	// "the last good one" would then go back too far. Source:
	// Team-Commonly/commonly#835.
	observed *releasev1.Release
	last     int // the newest revision's number

	workload workload // what runs the gateway of observed; zero without one
	image    string   // of the Deployment as it is now, whatever the revision says
}

// Observe reads the release's history, the record of earlier runs, and the pods.
func (t *Target) Observe(ctx context.Context) (upgrade.Observation, error) {
	h, err := t.helm.history()
	if err != nil {
		return upgrade.Observation{}, t.cluster.explain("looking for the release", err)
	}
	s := &scene{}
	if s.record, err = t.record(ctx); err != nil {
		return upgrade.Observation{}, err
	}
	seen := upgrade.Observation{Detail: s}
	if seen.Platform, err = t.cluster.platform(ctx); err != nil {
		return upgrade.Observation{}, err
	}

	if last := h.last(); last != nil {
		s.last = last.Version
		if err := t.serving(ctx, h, s); err != nil {
			return upgrade.Observation{}, err
		}
		seen.Notes = append(seen.Notes, t.stuck(ctx, last, s)...)
	}
	if s.observed != nil && s.workload.deployment != "" {
		live := t.cluster.gateway(s.workload)
		state, err := live.State(ctx)
		if err != nil {
			return upgrade.Observation{}, err
		}
		seen.Live = live
		seen.Current = &upgrade.Instance{ID: strconv.Itoa(s.observed.Version), Image: s.image, Digests: state.Digests}
	}
	if p := s.record.unfinished(h); p != nil {
		seen.Back = p.Back != ""
	}
	seen.Interrupted, err = t.interrupted(ctx, h, s)
	return seen, err
}

// serving finds the revision whose gateway the users reach: the newest one that is
// not pending, unless the Deployment still runs what an older one asks for.
func (t *Target) serving(ctx context.Context, h history, s *scene) error {
	candidates := []*releasev1.Release{h.settled(), h.deployed(), h.last()}
	for _, rel := range candidates {
		if rel == nil {
			continue
		}
		w, err := t.workload(rel.Manifest)
		if err != nil {
			return fmt.Errorf("revision %d of release %s: %w", rel.Version, t.Place().Name, err)
		}
		image, err := t.imageNow(ctx, w)
		if err != nil {
			return err
		}
		if s.observed == nil || (image != "" && image == t.imageOf(rel) && s.image != t.imageOf(s.observed)) {
			s.observed, s.image, s.workload = rel, image, w
		}
	}
	if s.image == "" { // a release without its Deployment: nothing runs
		s.workload = workload{}
	}
	return nil
}

// imageNow is the image that the Deployment asks for at this moment; empty when there
// is no such Deployment.
func (t *Target) imageNow(ctx context.Context, w workload) (string, error) {
	d, err := t.cluster.api.AppsV1().Deployments(t.options.Namespace).Get(ctx, w.deployment, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", t.cluster.explain("reading Deployment "+w.deployment, err)
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == w.container {
			return c.Image, nil
		}
	}
	return "", nil
}

// interrupted says how far a run came that did not end.
func (t *Target) interrupted(ctx context.Context, h history, s *scene) (upgrade.Interruption, error) {
	last := h.last()
	switch p := s.record.unfinished(h); {
	case p != nil && p.done(h):
		return upgrade.Unproven, nil
	case p != nil, last != nil && last.Info.Status.IsPending() && stale(last):
		return upgrade.Swapping, nil
	}
	left, err := t.rehearsals(ctx)
	if err != nil || !left {
		return upgrade.Clean, err
	}
	return upgrade.Rehearsing, nil
}

// stuck tells what an administrator should know about a release that is not settled.
func (t *Target) stuck(ctx context.Context, last *releasev1.Release, s *scene) []string {
	if !last.Info.Status.IsPending() {
		return nil
	}
	owner := "by an earlier run of aigw-ci"
	if s.record.Pending == nil {
		owner = "by " + t.owner(ctx, last.Version)
	}
	return []string{fmt.Sprintf("revision %d of release %s is %s since %s (%s ago), %s",
		last.Version, t.Place().Name, last.Info.Status, last.Info.LastDeployed.UTC().Format(time.RFC3339),
		time.Since(last.Info.LastDeployed).Round(time.Second), owner)}
}

// owner is who wrote a revision: the program, as the API server recorded it.
func (t *Target) owner(ctx context.Context, revision int) string {
	name := fmt.Sprintf("sh.helm.release.v1.%s.v%d", t.options.Release, revision)
	s, err := t.cluster.api.CoreV1().Secrets(t.options.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "an unknown program"
	}
	var managers []string
	for _, f := range s.ManagedFields {
		if f.Manager != "" && !slices.Contains(managers, f.Manager) {
			managers = append(managers, clean(f.Manager, 100))
		}
	}
	if len(managers) == 0 {
		return "an unknown program"
	}
	return fmt.Sprintf("the program %q", managers)
}

// workload is what runs the gateway in a rendered release.
func (t *Target) workload(manifest string) (workload, error) {
	return gatewayIn(manifest, t.options.Repositories)
}

// imageOf is the gateway's image as a revision asks for it; empty when it has none.
func (t *Target) imageOf(rel *releasev1.Release) string {
	w, err := t.workload(rel.Manifest)
	if err != nil {
		return ""
	}
	return w.image
}
