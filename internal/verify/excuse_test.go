package verify

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"aigw-ci/internal/upgrade"
)

// A gateway is not to blame for a GitLab that answers nobody.
func TestExcuse(t *testing.T) {
	t.Parallel()
	serves := func(t *testing.T, h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	gone := func(t *testing.T) string {
		server := httptest.NewServer(nil)
		server.Close()
		return server.URL
	}
	notFound := &net.DNSError{Err: "no such host", Name: "gitlab.example.com", IsNotFound: true}
	for _, tt := range []struct {
		name    string
		here    func(*testing.T) string
		err     error // of the gateway's own connection
		logs    []string
		verdict upgrade.Verdict
		detail  string
	}{
		{name: "GitLab is gone", here: gone, err: syscall.ECONNREFUSED, verdict: upgrade.Inconclusive, detail: "does not answer this job either"},
		{name: "GitLab breaks off", here: func(t *testing.T) string { return serves(t, http.HandlerFunc(hangUp)) }, err: syscall.ETIMEDOUT, verdict: upgrade.Inconclusive, detail: "does not answer this job either"},
		{name: "GitLab is in maintenance", here: func(t *testing.T) string { return serves(t, respond(503, "text/html", "Deploy in progress")) }, err: syscall.ECONNREFUSED, verdict: upgrade.Inconclusive, detail: "in trouble itself: 503"},
		{name: "its log complains, and GitLab is gone", here: gone, err: errors.ErrUnsupported, logs: []string{jwks}, verdict: upgrade.Inconclusive, detail: "does not answer this job either"},
		{name: "GitLab answers", here: func(t *testing.T) string { return serves(t, gitlab(keysURL)) }, err: syscall.ECONNREFUSED, verdict: upgrade.Fail, detail: "connection refused"},
		{name: "GitLab answers, and not that", here: func(t *testing.T) string { return serves(t, http.NotFoundHandler()) }, err: syscall.ECONNREFUSED, verdict: upgrade.Fail, detail: "connection refused"},
		{name: "its name is wrong", here: gone, err: notFound, verdict: upgrade.Fail, detail: "there is no host"},
		{name: "nobody knows where GitLab is", here: func(*testing.T) string { return "" }, err: syscall.ECONNREFUSED, verdict: upgrade.Fail, detail: "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own := serve(t, gatewayAPI(nil))
			own.logs = func(context.Context) ([]string, error) { return tt.logs, nil }
			own.dialFrom = func(context.Context, string) (net.Conn, error) { return nil, tt.err }
			o := quick()
			o.GitLabURL, o.GitLabHere = gitlabURL, tt.here(t)
			checks := judge(t, New(o), upgrade.Subject{Gateway: own, Image: image(before), Glance: true})
			want(t, checks, GitLab, tt.verdict, tt.detail)
			want(t, checks, "", tt.verdict, "")
		})
	}
}
