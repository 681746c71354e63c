package kubernetes

import (
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
)

// staleAfter is when a release that is "pending" counts as left behind. Helm never
// takes the mark away when its process is killed, and waits five minutes where nobody
// asks for more. Source: helm/helm#8987; helm.sh/docs/helm/helm_upgrade (--timeout).
const staleAfter = 15 * time.Minute

// history is what Helm records of a release, the oldest revision first.
type history []*releasev1.Release

// newest is the history the other way round.
func (h history) newest() []*releasev1.Release {
	turned := slices.Clone(h)
	slices.Reverse(turned)
	return turned
}

// last is the newest revision, whatever became of it.
func (h history) last() *releasev1.Release {
	if len(h) == 0 {
		return nil
	}
	return h[len(h)-1]
}

// settled is the newest revision that Helm is not at work on.
func (h history) settled() *releasev1.Release {
	return h.find(func(r *releasev1.Release) bool { return !r.Info.Status.IsPending() })
}

// deployed is the newest revision that Helm believes in.
func (h history) deployed() *releasev1.Release {
	return h.find(func(r *releasev1.Release) bool { return r.Info.Status == common.StatusDeployed })
}

func (h history) at(revision int) *releasev1.Release {
	return h.find(func(r *releasev1.Release) bool { return r.Version == revision })
}

func (h history) find(wanted func(*releasev1.Release) bool) *releasev1.Release {
	for _, r := range h.newest() {
		if wanted(r) {
			return r
		}
	}
	return nil
}

// stale reports whether a pending revision has been so for longer than any wait.
func stale(r *releasev1.Release) bool { return time.Since(r.Info.LastDeployed) > staleAfter }

// wentWell reports whether a revision has ever been the right one.
func wentWell(r *releasev1.Release) bool {
	return r.Info.Status == common.StatusDeployed || r.Info.Status == common.StatusSuperseded
}
