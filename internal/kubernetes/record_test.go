package kubernetes

import (
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
)

// revision is one of a history: what became of it, and which one it went back to.
type revision struct {
	status common.Status
	back   int
}

func historyOf(revisions ...revision) history {
	var h history
	for i, r := range revisions {
		h = append(h, &releasev1.Release{
			Name:    "ai-gateway",
			Version: i + 1,
			Info:    &releasev1.Info{Status: r.status, RollbackRevision: r.back, LastDeployed: time.Now()},
		})
	}
	return h
}

// What an interrupted upgrade comes to, at every moment at which it can be killed.
func TestUnfinished(t *testing.T) {
	const (
		deployed, superseded, failed = common.StatusDeployed, common.StatusSuperseded, common.StatusFailed
		upgrading, rollingBack       = common.StatusPendingUpgrade, common.StatusPendingRollback
	)
	second := &pending{Previous: 1, Last: 1}
	for name, test := range map[string]struct {
		pending *pending
		history history
		want    string
	}{
		"never begun":                       {nil, historyOf(revision{deployed, 0}), "nothing"},
		"recorded, not yet asked of Helm":   {second, historyOf(revision{deployed, 0}), "undone"},
		"Helm at work":                      {second, historyOf(revision{deployed, 0}, revision{upgrading, 0}), "half done"},
		"Helm gave up":                      {second, historyOf(revision{deployed, 0}, revision{failed, 0}), "half done"},
		"carried out":                       {second, historyOf(revision{superseded, 0}, revision{deployed, 0}), "done"},
		"on the way back":                   {second, historyOf(revision{superseded, 0}, revision{failed, 0}, revision{rollingBack, 1}), "half done"},
		"the way back failed":               {second, historyOf(revision{superseded, 0}, revision{failed, 0}, revision{failed, 1}), "half done"},
		"back":                              {second, historyOf(revision{superseded, 0}, revision{failed, 0}, revision{deployed, 1}), "undone"},
		"somebody upgraded by hand since":   {second, historyOf(revision{superseded, 0}, revision{superseded, 0}, revision{deployed, 0}), "nothing"},
		"somebody went elsewhere by hand":   {second, historyOf(revision{superseded, 0}, revision{failed, 0}, revision{deployed, 2}), "nothing"},
		"first installation, not yet begun": {&pending{}, nil, "undone"},
		"first installation, at work":       {&pending{}, historyOf(revision{common.StatusPendingInstall, 0}), "half done"},
		"first installation, done":          {&pending{}, historyOf(revision{deployed, 0}), "done"},
		"after a failed one, at work":       {&pending{Previous: 1, Last: 2}, historyOf(revision{deployed, 0}, revision{failed, 0}, revision{upgrading, 0}), "half done"},
		"after a failed one, not yet begun": {&pending{Previous: 1, Last: 2}, historyOf(revision{deployed, 0}, revision{failed, 0}), "undone"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "nothing"
			if p := (record{Pending: test.pending}).unfinished(test.history); p != nil {
				switch {
				case p.done(test.history) && p.undone(test.history):
					got = "both"
				case p.done(test.history):
					got = "done"
				case p.undone(test.history):
					got = "undone"
				default:
					got = "half done"
				}
			}
			if got != test.want {
				t.Errorf("the upgrade is %s, want %s", got, test.want)
			}
		})
	}
}
