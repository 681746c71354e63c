//go:build docker

package docker

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/test/crowd"
)

// The releases that the stories are about. GitLab's first two belong to releases of
// the real list; the other two tests publish themselves.
const (
	tag182 = "self-hosted-v18.2.8-ee"
	tag183 = "self-hosted-v18.3.1-ee"
	tag184 = "self-hosted-v18.4.1-ee"
)

func TestFirstInstall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run("upgrade", 0, "installed")
	c := w.serves(tag182)
	if r.After == nil || r.After.ID != c.ID || !strings.Contains(c.Config.Image, r.Image.Digest) {
		t.Errorf("the report tells of %+v, running is %s from %s", r.After, c.ID, c.Config.Image)
	}
	if got, want := c.Variable("AIGW_GITLAB_URL"), w.settings["AIGW_CI_GITLAB_URL"]; got != want {
		t.Errorf("AIGW_GITLAB_URL is %q, want %q", got, want)
	}
	if got := c.HostConfig.RestartPolicy.Name; got != "unless-stopped" {
		t.Errorf("restart policy %q", got)
	}
	if got := r.Check("gateway.gitlab", "live"); !got.Good() {
		t.Errorf("gateway.gitlab: %+v", got)
	}
	w.alone()
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.install()
	w.estate.SetVersion("18.3.6-ee")

	if r := w.run("plan", 0, "planned"); len(r.Changes) == 0 || w.inspect(t, w.name).ID != old.ID {
		t.Errorf("plan shows %v", r.Changes)
	}
	r := w.run("upgrade", 0, "upgraded")
	c := w.serves(tag183)
	if c.ID == old.ID || r.After == nil || r.After.ID != c.ID {
		t.Errorf("before %s, after %s, in the report %+v", old.ID, c.ID, r.After)
	}
	if r.Outage == nil || *r.Outage <= 0 || *r.Outage > 10 {
		t.Errorf("the outage of a swap was measured as %v", r.Outage)
	}
	w.alone()

	// The next night nothing is to be done, and nothing is.
	pulled := w.estate.Registry.Log().Count(http.MethodGet, "/blobs/")
	w.run("upgrade", 0, "unchanged")
	if again := w.serves(tag183); again.ID != c.ID || again.State.StartedAt != c.State.StartedAt {
		t.Error("a run with nothing to do touched the container")
	}
	if n := w.estate.Registry.Log().Count(http.MethodGet, "/blobs/") - pulled; n > 1 { // the configuration
		t.Errorf("a run with nothing to do read %d blobs", n)
	}
	w.run("verify", 0, "verified")
	w.alone()

	// And the way back, when a person wants it.
	w.run("rollback", 0, "rolled_back")
	w.serves(tag182)
	w.alone()
}

func TestRejected(t *testing.T) {
	t.Parallel()
	for _, mode := range []gateway.Mode{gateway.CrashAtBoot, gateway.NeverHealthy, gateway.GRPCDead, gateway.Bypass, gateway.NotAGateway} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.install()
			w.publish(tag184, mode)
			w.estate.SetVersion("18.4.2-ee")
			users := crowd.Work(t, w.url(), 1)
			r := w.run("upgrade", 4, "rejected", "AIGW_CI_VERIFY_TIMEOUT=6s")
			users.AllServed(t)
			if c := w.serves(tag182); c.ID != old.ID || c.State.StartedAt != old.State.StartedAt || r.After == nil || r.After.ID != old.ID {
				t.Errorf("the old container was touched; the report tells of %+v", r.After)
			}
			failed := 0
			for _, c := range r.Checks {
				if c.Stage == "rehearsal" && c.Verdict == "fail" {
					failed++
					if c.Remedy == "" {
						t.Errorf("%s failed without a remedy: %s", c.ID, c.Detail)
					}
				}
			}
			if failed == 0 {
				t.Errorf("no check of the rehearsal failed: %+v", r.Checks)
			}
			w.alone()
		})
	}
}

func TestRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.install()
	w.publish(tag184, gateway.DiesWithUsers)
	w.estate.SetVersion("18.4.2-ee")
	users := crowd.Work(t, w.url(), 1)
	j := w.start("upgrade")
	r := j.Expect(4, "rolled_back")
	back := time.Now()
	time.Sleep(2 * time.Second)
	served, failed := users.Rest()
	if served == 0 || len(failed) == 0 || failed[len(failed)-1].At.After(back) {
		t.Errorf("%d served, %d failed, the last at %v; the old one was back at %v:\n%s", served, len(failed), failed, back, crowd.Describe(failed))
	}
	if c := w.serves(tag182); c.ID != old.ID || r.After == nil || r.After.ID != old.ID {
		t.Errorf("before %s, after %s, in the report %+v", old.ID, c.ID, r.After)
	}
	if got := r.Check("gateway.healthz", "rollback"); got.Verdict != "pass" {
		t.Errorf("the old gateway was not verified: %+v", got)
	}
	if r.Outage == nil || *r.Outage <= 0 {
		t.Errorf("outage %v", r.Outage)
	}
	if evidence, _ := filepath.Glob(filepath.Join(j.Dir, "evidence", "live", "*")); len(evidence) < 3 {
		t.Errorf("the evidence is %q", evidence)
	}
	for _, name := range []string{"junit.xml", "deploy.env", "annotations.json", "summary.md"} {
		if _, err := os.Stat(filepath.Join(j.Dir, name)); err != nil {
			t.Error(err)
		}
	}
	w.alone()
}
