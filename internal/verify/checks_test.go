package verify

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aigw-ci/internal/upgrade"
)

const (
	before = "self-hosted-v18.3.1-ee" // no gRPC, no list of models
	since  = "self-hosted-v18.4.1-ee"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	html := respond(200, "text/html", "<!DOCTYPE html><title>Welcome to nginx!</title>")
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	tests := []struct {
		name    string
		tag     string
		change  map[string]http.HandlerFunc
		id      string
		verdict upgrade.Verdict
		detail  string
	}{
		{name: "well", tag: since, id: Healthz, verdict: upgrade.Pass},
		{name: "well", tag: since, id: Auth, verdict: upgrade.Pass},
		{name: "well", tag: since, id: Bypass, verdict: upgrade.Pass},
		{name: "well", tag: since, id: Models, verdict: upgrade.Pass, detail: "2 models"},
		{name: "well", tag: before, id: Models, verdict: upgrade.Skip, detail: "18.3"},
		{name: "well, of an unknown release", id: Models, verdict: upgrade.Pass},
		{name: "well", tag: since, id: TLS, verdict: upgrade.Skip},
		{name: "well", tag: since, id: DNS, verdict: upgrade.Skip, detail: "not set"},

		{name: "a web page", tag: since, change: map[string]http.HandlerFunc{"/monitoring/healthz": html}, id: Healthz, verdict: upgrade.Fail, detail: "Welcome to nginx"},
		{name: "another JSON", change: map[string]http.HandlerFunc{"/monitoring/healthz": respond(200, "application/json", `{"status":"ok"}`)}, id: Healthz, verdict: upgrade.Fail},
		{name: "null", change: map[string]http.HandlerFunc{"/monitoring/healthz": respond(200, "application/json", `null`)}, id: Healthz, verdict: upgrade.Fail},
		{name: "a list", change: map[string]http.HandlerFunc{"/monitoring/healthz": respond(200, "application/json", `[]`)}, id: Healthz, verdict: upgrade.Fail},
		{name: "nothing", change: map[string]http.HandlerFunc{"/monitoring/healthz": respond(200, "application/json", ``)}, id: Healthz, verdict: upgrade.Fail},
		{name: "not ready", change: map[string]http.HandlerFunc{"/monitoring/healthz": respond(503, "application/json", `{}`)}, id: Healthz, verdict: upgrade.Fail, detail: "503"},
		{name: "a redirect", change: map[string]http.HandlerFunc{"/monitoring/healthz": http.RedirectHandler("/login", http.StatusFound).ServeHTTP}, id: Healthz, verdict: upgrade.Fail, detail: "302 text/html to /login"},
		{name: "broken off", change: map[string]http.HandlerFunc{"/monitoring/healthz": hangUp}, id: Healthz, verdict: upgrade.Fail, detail: "broke the connection off"},
		{name: "broken off: the rest is not asked", change: map[string]http.HandlerFunc{"/monitoring/healthz": hangUp}, id: Auth, verdict: upgrade.Skip, detail: "gateway.healthz"},

		{name: "no gateway, but healthy", change: map[string]http.HandlerFunc{"/": html}, id: Auth, verdict: upgrade.Fail, detail: "200"},
		{name: "authentication off", change: map[string]http.HandlerFunc{"/": respond(404, "application/json", `{"detail":"Not Found"}`)}, id: Auth, verdict: upgrade.Fail, detail: "404"},
		{name: "the right words with the wrong status", change: map[string]http.HandlerFunc{"/": respond(200, "application/json", `{"error":"No authorization header presented"}`)}, id: Auth, verdict: upgrade.Fail, detail: "200"},
		{name: "another 401", change: map[string]http.HandlerFunc{"/": respond(401, "application/json", `{"error":"Invalid authorization header"}`)}, id: Auth, verdict: upgrade.Fail, detail: "Invalid authorization header"},
		{name: "the login of a proxy", change: map[string]http.HandlerFunc{"/": respond(401, "text/html", `Authorization Required`)}, id: Auth, verdict: upgrade.Fail},

		{name: "broken off", change: map[string]http.HandlerFunc{"/": hangUp}, id: Auth, verdict: upgrade.Fail, detail: "broke the connection off"},
		{name: "broken off", change: map[string]http.HandlerFunc{"/docs": hangUp}, id: Bypass, verdict: upgrade.Fail, detail: "broke the connection off"},
		{name: "broken off", tag: since, change: map[string]http.HandlerFunc{"/v1/models/definitions": hangUp}, id: Models, verdict: upgrade.Fail, detail: "broke the connection off"},

		{name: "docs open", change: map[string]http.HandlerFunc{"/docs": html}, id: Bypass, verdict: upgrade.Fail, detail: "/docs without a token"},
		{name: "description open", change: map[string]http.HandlerFunc{"/openapi.json": respond(200, "application/json", `{"openapi":"3.1.0"}`)}, id: Bypass, verdict: upgrade.Fail, detail: "/openapi.json without a token"},
		{name: "open to whoever says so", change: map[string]http.HandlerFunc{"/openapi.json": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Bypass-Auth") == "true" {
				respond(200, "application/json", "{}")(w, r)
				return
			}
			respond(401, "application/json", "{}")(w, r)
		}}, id: Bypass, verdict: upgrade.Fail, detail: "the header Bypass-Auth"},

		{name: "no list", tag: since, change: map[string]http.HandlerFunc{"/v1/models/definitions": respond(404, "application/json", "{}")}, id: Models, verdict: upgrade.Fail, detail: "404"},
		{name: "an empty list", tag: since, change: map[string]http.HandlerFunc{"/v1/models/definitions": respond(200, "application/json", `{"models":[]}`)}, id: Models, verdict: upgrade.Fail},
		{name: "a list behind a door", tag: since, change: map[string]http.HandlerFunc{"/v1/models/definitions": respond(401, "application/json", `{}`)}, id: Models, verdict: upgrade.Fail},
		{name: "a page for a list", tag: since, change: map[string]http.HandlerFunc{"/v1/models/definitions": html}, id: Models, verdict: upgrade.Fail},
		{name: "no end", tag: since, change: map[string]http.HandlerFunc{"/v1/models/definitions": respond(200, "application/json", `{"models":[1`+strings.Repeat(" ", maxBody)+`]}`)}, id: Models, verdict: upgrade.Fail},
		{name: "no list, of an unknown release", change: map[string]http.HandlerFunc{"/v1/models/definitions": respond(404, "application/json", `{}`)}, id: Models, verdict: upgrade.Skip, detail: "not known"},
		{name: "a door, of an unknown release", change: map[string]http.HandlerFunc{"/v1/models/definitions": respond(401, "application/json", `{}`)}, id: Models, verdict: upgrade.Skip},
		{name: "an error, of an unknown release", change: map[string]http.HandlerFunc{"/v1/models/definitions": respond(500, "application/json", `{}`)}, id: Models, verdict: upgrade.Fail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := upgrade.Subject{Gateway: serve(t, gatewayAPI(tt.change))}
			if tt.tag != "" {
				s.Image = image(tt.tag)
			}
			checks := judge(t, New(quick()), s)
			want(t, checks, tt.id, tt.verdict, tt.detail)
			whole := upgrade.Pass
			if tt.verdict == upgrade.Fail || tt.change != nil && tt.verdict == upgrade.Skip && tt.id == Auth {
				whole = upgrade.Fail
			}
			want(t, checks, "", whole, "")
		})
	}
}

// The release comes from the image; without its tag, from the GitLab it was chosen
// for. The gateway of these cases is of an old one.
func TestLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		image   upgrade.Image
		release string
		verdict upgrade.Verdict
	}{
		{image(before), "", upgrade.Skip},
		{image(before), "18.4.0-ee", upgrade.Skip},
		{image(since), "18.3.0-ee", upgrade.Fail},
		{upgrade.Image{Digest: digest}, "18.3.0-ee", upgrade.Skip}, // pinned by digest alone
		{upgrade.Image{Digest: digest}, "18.4.0-ee", upgrade.Fail},
		{upgrade.Image{Digest: digest}, "", upgrade.Skip},
		{upgrade.Image{}, "18.4.0-ee", upgrade.Skip}, // put back: not of GitLab's release
		{upgrade.Image{}, "", upgrade.Skip},
	} {
		old := gatewayAPI(map[string]http.HandlerFunc{"/v1/models/definitions": respond(404, "application/json", "{}")})
		s := upgrade.Subject{Gateway: serve(t, old), Image: tt.image}
		if tt.release != "" {
			s.Release = release(t, tt.release)
		}
		want(t, judge(t, New(quick()), s), Models, tt.verdict, "")
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	var agents, ready []string
	api := gatewayAPI(nil)
	stub := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/monitoring/ready" {
			ready = append(ready, r.URL.Path)
		}
		if r.URL.Path == "/monitoring/healthz" {
			agents = append(agents, r.UserAgent())
		}
		api.ServeHTTP(w, r)
	}))
	o := quick()
	o.UserAgent = "aigw-ci/1.2.3"
	want(t, judge(t, New(o), upgrade.Subject{Gateway: stub}), "", upgrade.Pass, "")
	if len(ready) > 0 {
		t.Error("/monitoring/ready was asked")
	}
	if len(agents) == 0 || agents[0] != "aigw-ci/1.2.3" {
		t.Errorf("user agents %q", agents)
	}
}

// Users come in at gateway.url; a rehearsal has none.
func TestWhichAddress(t *testing.T) {
	t.Parallel()
	own := serve(t, gatewayAPI(map[string]http.HandlerFunc{"/monitoring/healthz": respond(500, "text/plain", "the own address")}))
	front := httptest.NewServer(gatewayAPI(nil))
	t.Cleanup(front.Close)
	o := quick()
	o.GatewayURL = front.URL + "/"
	for stage, verdict := range map[upgrade.Stage]upgrade.Verdict{
		upgrade.Rehearsal: upgrade.Fail, upgrade.Live: upgrade.Pass, upgrade.Restored: upgrade.Pass,
	} {
		checks := judge(t, New(o), upgrade.Subject{Stage: stage, Gateway: own, Image: image(before)})
		want(t, checks, Healthz, verdict, "")
		want(t, checks, DNS, upgrade.Skip, "")
	}
}
