package gitlab

import (
	"net/http"
	"strings"
	"testing"
)

// Whatever comes from GitLab's address is either its version or an error that can be
// printed, and is never repeated with the token in it.
func FuzzMetadata(f *testing.F) {
	for _, seed := range []struct {
		status      int
		media, body string
	}{
		{200, "application/json", `{"version":"18.2.1-ee","enterprise":true}`}, {200, "application/json", `{"version":"18.2.1-pre"}`},
		{200, "application/json", `{"version":null}`}, {200, "application/json", `[]`}, {200, "text/html", "<html>Deploy in progress"},
		{401, "application/json", `{"message":"401 Unauthorized"}`}, {401, "application/json", `{"error":"invalid_token","error_description":"Token is expired."}`},
		{403, "application/json", `{"error":"insufficient_scope","scope":"api"}`}, {404, "application/json", `{"error":"404 Not Found"}`},
		{403, "application/json", `{"message":{"error":"x"}}`}, {400, "application/json", `{"detail":[{"msg":"y"}]}`}, {200, "application/json", `{"message":"` + "\u001b[2J" + `"}`},
		{301, "", ""}, {418, "text/plain; charset", "\x00\xff" + string(token)},
	} {
		f.Add(seed.status, seed.media, seed.body)
	}
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		if status < 200 || status > 499 || status == http.StatusTooManyRequests || strings.ContainsAny(media, "\r\n\x00") {
			return // what passes is waited for, and other tests do that
		}
		c, err := New(Options{URL: "http://gitlab.example.com", Token: token, Patience: firstPause / 2, Transport: roundTrip(says(status, media, body))})
		if err != nil {
			t.Fatal(err)
		}
		release, err := c.Version(t.Context())
		if err == nil {
			if release.Version.Major == 0 && !strings.Contains(body, "0.") || status >= 300 {
				t.Errorf("%d %q is GitLab %v", status, body, release.Version)
			}
			return
		}
		text := err.Error()
		if len(text) > 3000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == 0x2028 }) {
			t.Errorf("not fit to print: %q", text)
		}
		if strings.Contains(text, string(token)) {
			t.Errorf("the token is in %s", text)
		}
	})
}
