//go:build docker

package docker

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
)

// thinking is how long the gateways of these tests take for an answer to a POST: at
// every moment requests are on their way.
const thinking = 700 * time.Millisecond

// proxied is a gateway behind an nginx, as on GitLab's page: it publishes no port.
type proxied struct {
	*world
	nginx nginx
	old   *dockerd.Container
}

// newProxied starts a gateway and an nginx that knows it by its name or by an alias.
// Then GitLab becomes 18.3, whose gateway is the release.
func newProxied(t *testing.T, byAlias bool, release image.Options, published ...string) *proxied {
	t.Helper()
	w := newWorld(t)
	release.Tag, release.AnswerDelay = tag183, thinking
	w.mirror(image.Options{Tag: tag182, AnswerDelay: thinking}, release)
	w.estate.SetVersion("18.3.6-ee")
	network, _ := w.network("duo")
	p := &proxied{world: w}
	upstream, endpoint := w.name, object{}
	if byAlias {
		upstream = "duo-gateway"
		endpoint = object{"Aliases": []string{upstream}}
	}
	exposed, bindings := publish(published...)
	p.old = w.dockerRun(w.name, object{
		"Image": w.pull(tag182), "Env": w.environment(), "ExposedPorts": exposed,
		"HostConfig":       object{"NetworkMode": network, "RestartPolicy": object{"Name": "always"}, "PortBindings": bindings},
		"NetworkingConfig": object{"EndpointsConfig": object{network: endpoint}},
	})
	p.nginx = w.behindNginx(network, upstream)
	w.settings["AIGW_CI_DOCKER_RELOAD"] = p.nginx.name
	w.settings["AIGW_CI_GATEWAY_URL"] = p.nginx.url
	for range 100 {
		if crowd.Ask(t.Context(), "GET", p.nginx.url) == "" {
			return p
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("nginx does not serve the gateway: %s", crowd.Ask(t.Context(), "GET", p.nginx.url))
	return nil
}

// runs fails the test when the gateway is not tag, or nginx does not lead to it.
func (p *proxied) runs(id string) {
	p.Helper()
	c := p.inspect(p, p.name)
	if c.ID != id || c.State.Status != "running" {
		p.Errorf("%s is %s, %s; want %s", p.name, c.ID, c.State.Status, id)
	}
	if c.HostConfig.RestartPolicy.Name != "always" {
		p.Errorf("its restart policy is %q", c.HostConfig.RestartPolicy.Name)
	}
	for range 5 {
		if problem := crowd.Ask(p.Context(), "GET", p.nginx.url); problem != "" {
			p.Errorf("through nginx: %s", problem)
		}
	}
	p.alone()
}

func both(t *testing.T, test func(t *testing.T, byAlias bool)) {
	t.Parallel()
	for name, byAlias := range map[string]bool{"name": false, "alias": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, byAlias)
		})
	}
}

// Behind a reverse proxy an upgrade costs nobody anything.
func TestProxiedUpgrade(t *testing.T) {
	both(t, func(t *testing.T, byAlias bool) {
		p := newProxied(t, byAlias, image.Options{})
		users := crowd.Work(t, p.nginx.url, 4)
		r := p.run("upgrade", 0, "upgraded")
		time.Sleep(2 * time.Second)
		users.AllServed(t)
		if r.After == nil || r.After.ID == p.old.ID {
			t.Fatalf("after: %+v", r.After)
		}
		if r.Outage == nil || *r.Outage != 0 {
			t.Errorf("an outage was measured: %v", *r.Outage)
		}
		p.runs(r.After.ID)
	})
}

func TestProxiedRejected(t *testing.T) {
	both(t, func(t *testing.T, byAlias bool) {
		p := newProxied(t, byAlias, image.Options{Mode: gateway.NeverHealthy})
		users := crowd.Work(t, p.nginx.url, 4)
		p.run("upgrade", 4, "rejected", "AIGW_CI_VERIFY_TIMEOUT=6s")
		users.AllServed(t)
		p.runs(p.old.ID)
	})
}

// A cancelled upgrade costs nobody anything either: both gateways work.
func TestProxiedCancelled(t *testing.T) {
	both(t, func(t *testing.T, byAlias bool) {
		p := newProxied(t, byAlias, image.Options{})
		users := crowd.Work(t, p.nginx.url, 4)
		j := p.start("upgrade", "AIGW_CI_VERIFY_HOLD=8s")
		p.await(j, said("Verify the gateway").then(time.Second))
		j.Signal(syscall.SIGTERM)
		j.Expect(8, "cancelled")
		time.Sleep(2 * time.Second)
		users.AllServed(t)
		p.runs(p.old.ID)
	})
}

// A run that is killed while both gateways run leaves users who are with one of them,
// nobody knows which. The next one ends that without losing a request.
func TestProxiedKilled(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]moment{
		"before the proxy knows":  state(".aigw-ci-previous", "running"),
		"after the proxy knows":   said("sending SIGHUP").then(time.Second),
		"when the old one is out": state(".aigw-ci-previous", "exited"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxied(t, true, image.Options{})
			users := crowd.Work(t, p.nginx.url, 4)
			j := p.start("upgrade")
			p.await(j, at)
			j.Kill()
			r := p.start("upgrade").Wait()
			time.Sleep(2 * time.Second)
			users.AllServed(t)
			if r.Exit != 0 || r.After == nil || r.After.ID == p.old.ID {
				t.Fatalf("exit code %d, %s: %s; after: %+v", r.Exit, r.Outcome, r.Error, r.After)
			}
			p.runs(r.After.ID)
		})
	}
}

// A gateway that publishes a port cannot run beside another one. A proxy that knows
// it by its name all the same has to be told where it is before the gate looks
// through it. (The new one often gets the old one's address; then it would not matter.)
func TestProxiedAndPublished(t *testing.T) {
	t.Parallel()
	p := newProxied(t, false, image.Options{}, "127.0.0.1:"+freePort(t), "5052")
	r := p.run("upgrade", 0, "upgraded")
	told, looked := strings.Index(r.Log, "sending SIGHUP"), strings.Index(r.Log, "Verify the gateway")
	if told < 0 || told > looked {
		t.Error("the gate looked through a proxy that was not told")
	}
	p.runs(r.After.ID)
}

// A release that breaks in front of users fails some of their requests: those that
// reach it. Before and after, nobody notices.
func TestProxiedRolledBack(t *testing.T) {
	both(t, func(t *testing.T, byAlias bool) {
		p := newProxied(t, byAlias, image.Options{Mode: gateway.DiesWithUsers, After: 3 * time.Second})
		users := crowd.Work(t, p.nginx.url, 4)
		began := time.Now()
		p.run("upgrade", 4, "rolled_back", "AIGW_CI_VERIFY_HOLD=5s")
		ended := time.Now()
		time.Sleep(2 * time.Second)
		served, failed := users.Rest()
		t.Logf("%d requests served, %d failed on the broken release:\n%s", served, len(failed), crowd.Describe(failed))
		for _, f := range failed {
			if f.At.After(ended.Add(thinking)) {
				t.Errorf("%v after the old one was back: %s", f.At.Sub(ended), f.Text)
			}
		}
		if len(failed) > 0 {
			t.Logf("the first after %v, the last after %v of %v", failed[0].At.Sub(began), failed[len(failed)-1].At.Sub(began), ended.Sub(began))
		}
		p.runs(p.old.ID)
	})
}
