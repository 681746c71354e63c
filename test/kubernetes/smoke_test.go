//go:build kubernetes

package kubernetes

import (
	"net/http"
	"strings"
	"testing"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/test/crowd"
)

// The releases that the stories are about.
const (
	tag182 = "self-hosted-v18.2.8-ee"
	tag184 = "self-hosted-v18.4.1-ee"
)

// served waits a moment for the first answer: kube-proxy learns of a ready pod later
// than Helm does.
func (w *world) served(url string) {
	w.Helper()
	w.eventually("an answer of "+url, func() bool {
		return crowd.Ask(w.Context(), http.MethodPost, url) == ""
	})
}

// What a person does by hand works on this cluster, with either helm and either chart:
// the other tests start from there.
func TestInstalledByHand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		helm  int
		chart string
	}{{"helm 3, old chart", 3, "0.5.0"}, {"helm 3", 3, "0.15.1"}, {"helm 4", 4, "0.15.1"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.byHand(tt.helm, tt.chart, tag182)
			w.served(w.service())
			w.served(w.forward("service/" + release))
		})
	}
}

// Pods get images by digest from a registry that wants tokens, under either of its
// names.
func TestPulledByDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	digest := w.digest(tag184)
	for _, repository := range []string{w.repository(), strings.Replace(w.repository(), "127.0.0.1", shared.host, 1)} {
		w.byHand(4, "0.15.1", tag184+"@"+digest, "--set=image.repository="+repository)
		w.eventually("the image to be "+repository+"@"+digest, func() bool {
			return w.get("pods", "{.items[*].spec.containers[0].image}") == repository+":"+tag184+"@"+digest &&
				strings.HasSuffix(w.get("pods", "{.items[*].status.containerStatuses[0].imageID}"), "@"+digest)
		})
	}
	token := false
	for _, e := range w.estate.Registry.Log().Entries() {
		token = token || e.Auth == "Bearer" && strings.Contains(e.URI, "/manifests/"+digest)
	}
	if !token {
		t.Errorf("nobody came with a token: %+v", w.estate.Registry.Log().Entries())
	}
}

// The charts in the registry are charts to helm, too.
func TestChartFromRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, major := range []int{3, 4} {
		shown := w.helm(major, "show", "chart", w.chartsOCI+"/ai-gateway", "--version", "0.15.1", "--plain-http")
		if !strings.Contains(shown, "appVersion: self-hosted-v19.2.0-ee") {
			t.Errorf("helm %d shows %s", major, shown)
		}
	}
}

// A service account has its own name, and no rights that nobody gave to it.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.kubectl("create", "serviceaccount", "robot")
	robot := w.as("robot")
	if said := w.kubectl("--kubeconfig", robot, "auth", "whoami"); !strings.Contains(said, w.namespace+":robot") {
		t.Error(said)
	}
	if said, err := w.try(shared.node, "kubectl", "--kubeconfig", robot, "--namespace", w.namespace, "get", "pods"); err == nil || !strings.Contains(said, "forbidden") {
		t.Errorf("%v: %s", err, said)
	}
}

// A key that the chart has made stays the same when it is rendered again.
func TestKeysAreMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const keys = "{.data}"
	w.byHand(4, "0.15.1", tag182)
	before := w.get("secret/"+release+"-jwt-keys", keys)
	w.byHand(4, "0.15.1", tag184)
	if after := w.get("secret/"+release+"-jwt-keys", keys); before == "" || after != before {
		t.Errorf("an upgrade changed the keys")
	}
}

// The old pods serve while a bad release crashes, through the Service and without a
// failed request.
func TestCrashingReleaseDoesNoHarm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.byHand(4, "0.15.1", tag182)
	w.served(w.service())
	w.publish(tag184, gateway.CrashAtBoot)
	users := crowd.Work(t, w.service(), 1)
	w.kubectl("set", "image", "deployment/"+release, release+"="+w.repository()+":"+tag184)
	w.eventually("a restart", func() bool {
		return strings.Contains(w.get("pods", "{.items[*].status.containerStatuses[*].restartCount}"), "1")
	})
	users.AllServed(t)
}
