//go:build kubernetes

package kubernetes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/test/crowd"
)

// installed is a world where the program has installed the gateway of GitLab 18.2.
func installed(t testing.TB, more ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.robot()
	w.run("upgrade", 0, "installed", more...)
	w.served(w.service())
	return w
}

// The first nights: nothing is there; then the right gateway is; then GitLab goes on.
func TestInstallThenFollow(t *testing.T) {
	t.Parallel()
	w := installed(t)
	digest := w.digest(tag182)
	if got, want := w.images(), w.repository()+":"+tag182+"@"+digest; got != want {
		t.Errorf("the pods run %s, want %s", got, want)
	}
	if same := w.run("upgrade", 0, "unchanged"); len(same.Changes) > 0 {
		t.Errorf("a second run wants to change %+v", same.Changes)
	}
	w.estate.SetVersion("18.4.1-ee")
	r := w.run("upgrade", 0, "upgraded")
	if r.Image.Tag != tag184 || r.Check("gateway.digest", "live").Verdict != "pass" || r.Check("gateway.healthz", "rehearsal").Verdict != "pass" {
		t.Errorf("%s: %+v", r.Image.Tag, r.Checks)
	}
	w.nothingLeft()
	back := w.run("rollback", 0, "rolled_back")
	if back.Image.Tag != tag182 {
		t.Errorf("rolled back to %s", back.Image.Tag)
	}
}

// A release that a person made is taken over with everything that they set, however
// they made it.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for _, major := range []int{3, 4} {
		t.Run(fmt.Sprint("helm ", major), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.robot()
			w.byHand(major, "0.15.1", tag182, "--set=replicaCount=2", "--set=podAnnotations.team=night",
				"--set=extraEnvironmentVariables[0].name=AWS_REGION", "--set=extraEnvironmentVariables[0].value=eu-central-1", "--set=gitlab.apiUrl=http://theirs.example.com/api/v4/")
			w.estate.SetVersion("18.4.1-ee")
			r := w.run("upgrade", 0, "upgraded", "AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_LOGGING__LEVEL=debug\nAWS_SECRET_ACCESS_KEY=canary-of-aws")
			if got, want := w.get("deployment/"+release, "{.spec.template.spec.containers[0].image}"), w.repository()+":"+tag184+"@"+w.digest(tag184); got != want {
				t.Errorf("it runs %s, want %s", got, want)
			}
			values := w.helm(major, "get", "values", release, "--output", "yaml")
			for _, kept := range []string{"replicaCount: 2", "team: night", "eu-central-1", "http://theirs.example.com/api/v4/", "AIGW_LOGGING__LEVEL"} {
				if !strings.Contains(values, kept) {
					t.Errorf("the release's values lack %q:\n%s", kept, values)
				}
			}
			if all := values + r.Log + fmt.Sprint(r.Changes) + w.helm(major, "get", "manifest", release); strings.Contains(all, "canary-of-aws") {
				t.Error("a secret variable shows in the release or in a report")
			}
			if chart := w.helm(major, "list", "--output", "json"); !strings.Contains(chart, "ai-gateway-0.15.1") {
				t.Errorf("another chart: %s", chart)
			}
			if same := w.run("upgrade", 0, "unchanged", "AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_LOGGING__LEVEL=debug\nAWS_SECRET_ACCESS_KEY=canary-of-aws"); len(same.Changes) > 0 {
				t.Errorf("a second run wants to change %+v", same.Changes)
			}
		})
	}
}

// A release that crashes never gets to the users: the rehearsal stops it, and what it
// said is kept.
func TestRehearsalRejects(t *testing.T) {
	t.Parallel()
	w := installed(t)
	pods := w.pods()
	w.estate.SetVersion("18.4.1-ee")
	w.publish(tag184, gateway.CrashAtBoot)
	users := crowd.Work(t, w.service(), 1)
	r := w.run("upgrade", 4, "rejected")
	users.AllServed(t)
	w.nothingLeft()
	if now := w.pods(); now != pods {
		t.Errorf("the old pods were touched: %s, before %s", now, pods)
	}
	r.Evidence(t, "rehearsal")
}

// Without a rehearsal the rollout itself shows that a release crashes: in seconds,
// while the old pods serve, and the revision from before comes back.
func TestFailsFastAndGoesBack(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	w.publish(tag184, gateway.CrashAtBoot)
	users := crowd.Work(t, w.service(), 1)
	started := time.Now()
	r := w.run("upgrade", 4, "rolled_back", "AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_TIMEOUT=170s")
	if took := time.Since(started); took > 90*time.Second {
		t.Errorf("it took %v to see that the pods crash", took)
	}
	users.AllServed(t)
	if got := w.images(); !strings.Contains(got, tag182) || strings.Contains(got, tag184) {
		t.Errorf("the pods run %s", got)
	}
	r.Evidence(t, "live")
	w.run("upgrade", 4, "rejected")
}

// A gateway that dies after a while passes the rehearsal's hold and not the live one's.
func TestBreaksAfterPromotion(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	w.publish(tag184, gateway.NeverHealthy)
	r := w.run("upgrade", 4, "rolled_back", "AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_TIMEOUT=15s")
	if got := w.images(); !strings.Contains(got, tag182) {
		t.Errorf("the pods run %s", got)
	}
	r.Evidence(t, "live")
}
