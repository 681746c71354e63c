package verify

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// silent are the failures that a gateway without any fault of its own shows while
// GitLab restarts.
var silent = []gateway.DiagnosisID{
	gateway.GitLabRefused, gateway.GitLabConnectionBroken, gateway.GitLabFirewall, gateway.GitLabNoRoute, gateway.GitLabUnreachable,
	gateway.GitLabKeysUnread,
}

// excuse takes the blame from a gateway that gets no answer while this job gets none
// either. Going back to the previous gateway would help nobody: it would get no answer,
// and pass for broken too.
func (t *trial) excuse(ctx context.Context, c upgrade.Check) upgrade.Check {
	if c.Verdict != upgrade.Fail || t.o.GitLabHere == "" || !slices.Contains(silent, gateway.DiagnosisID(c.Diagnosis)) {
		return c
	}
	v := t.visit(t.o.GitLabHere, t.base.DialContext, requestTimeout)
	defer v.close()
	got, err := v.get(ctx, discoveryPath)
	switch {
	case err != nil:
		return unseen(fmt.Sprintf("%s; but %s does not answer this job either: %v", c.Detail, v.address, cause(err)), gateway.GitLabInTrouble)
	case got.StatusCode >= http.StatusInternalServerError:
		return unseen(fmt.Sprintf("%s; but %s is in trouble itself: %s", c.Detail, v.address, got), gateway.GitLabInTrouble)
	}
	return c
}
