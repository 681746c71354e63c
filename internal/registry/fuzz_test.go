package registry

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"aigw-ci/internal/secret"
)

// printable fails when a text of somebody else's could do something to a terminal or
// fill a log.
func printable(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); len(text) > 2000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("not fit to print: %q", text)
	}
}

func FuzzImageReference(f *testing.F) {
	for _, seed := range []string{
		DefaultRepositories[0], "docker.io/gitlab/model-gateway", "[::1]:5000/a/b", "localhost/a", "a", "a/b:c", "a@sha256:0", "UPPER/case", "https://a/b", "\x1b[2J", "",
	} {
		f.Add(seed, "self-hosted-v18.2.8-ee@sha256:"+strings.Repeat("0", 64))
	}
	f.Fuzz(func(t *testing.T, repository, tag string) {
		repo, err := parseRepository(repository)
		printable(t, err)
		if err == nil && (repo.host() == "" || strings.ContainsAny(repo.name.Name(), " @\\?#%\x00")) {
			t.Errorf("%q is %q at %q", repository, repo.name.Name(), repo.host())
		}
		p, err := parsePin(tag)
		printable(t, err)
		if err == nil && tag != "" && (p.String() != tag || strings.ContainsAny(p.identifier(), "/@?# \x00")) {
			t.Errorf("%q is %q, and asks for %q", tag, p, p.identifier())
		}
	})
}

// A docker configuration is made of secrets: no mistake in it is repeated.
func FuzzDockerConfig(f *testing.F) {
	for _, seed := range []string{
		`{"auths":{"registry.example.com":{"auth":"ZGVwbG95OndvcmQ="}}}`, `{"auths":{"https://registry.example.com/v2/a":{"username":"u","password":"p"}}}`,
		`{"auths":{"registry.example.com":{"auth":"!"}}}`, `{"auths":[]}`, `{"auths":{"registry.example.com":{"identitytoken":"t"}},"credsStore":""}`, `null`, ``, `{`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseDockerConfig("DOCKER_AUTH_CONFIG", []byte(text))
		printable(t, err)
		if err != nil {
			return
		}
		cred, err := c.entry("registry.example.com", "a/b")
		printable(t, err)
		if shown := err; shown != nil {
			for _, a := range c.Auths {
				if len(a.Auth) > 20 && strings.Contains(shown.Error(), a.Auth) {
					t.Errorf("%v repeats %q", shown, a.Auth)
				}
			}
		}
		if err != nil && cred != (Credential{}) {
			t.Errorf("a mistake became the credential of %q", cred.Username)
		}
	})
}

// Listings, tokens and refusals are whatever the other side sends.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"tags":["self-hosted-v18.2.8-ee"]}`, `{"name":"a","tags":null}`, `{"token":"t","expires_in":300}`, `{"access_token":"t","expires_in":1e308}`, `{"token":"a b"}`,
		`{"errors":[{"code":"DENIED","message":"\u001b[2Jsection_start:1:x\r"}]}`, `{"errors":[]}`, `{"errors":{}}`, `<html>`, ``, `null`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		reason := reasonOf(strings.NewReader(body), secret.NewRedactor())
		if len(reason) > 2*maxQuoted+10 || strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("not fit to print: %q", reason)
		}
		now := time.Unix(1_800_000_000, 0)
		if got, err := readToken(strings.NewReader(body), now); err == nil && (got.value == "" || strings.ContainsAny(got.value, "\r\n ") || got.expires.Sub(now) > 24*time.Hour || got.expires.Before(now)) {
			t.Errorf("token %q until %v", got.value, got.expires)
		} else {
			printable(t, err)
		}
		r, err := New(Options{Repositories: []string{"registry.example.com/a/b"}, Transport: answering(body)})
		if err != nil {
			t.Fatal(err)
		}
		tags, _, err := r.page(t.Context(), r.repositories[0], nil)
		printable(t, err)
		var object struct{ Tags json.RawMessage }
		if err == nil && (json.Unmarshal([]byte(body), &object) != nil || len(object.Tags) == 0) {
			t.Errorf("%q is a list of tags: %q", body, tags)
		}
	})
}

// answering answers every request with a body.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}
