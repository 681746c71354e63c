package gateway

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gitlab"
)

func TestModels(t *testing.T) {
	t.Parallel()
	const question = `{"prompt_version":1,"current_file":{"file_name":"a.rb","content_above_cursor":""}}`
	for model, want := range map[Model]reply{
		"":          {200, "application/json", `"choices":[{"text":"\n  puts 'hello world'\nend","index":0,"finish_reason":"length"}]}`},
		Silent:      {200, "application/json", `"choices":[]}`},
		Misdirected: {421, "application/json", `{"detail":"404"}`},
		Throttled:   {429, "application/json", `{"detail":"Too many requests.`},
		Unreachable: {500, "text/plain; charset=utf-8", "Internal Server Error"},
	} {
		g := &gateway{settings: Settings{Model: model}, log: newLogger(io.Discard, false)}
		if got := g.complete(); got.status != want.status || got.kind != want.kind || !strings.Contains(got.body, want.body) {
			t.Errorf("%s: %+v", model, got)
		}
	}
	for body, want := range map[string]bool{
		question: true, "{}": false, "": false, `{"prompt_version":1}`: false, `{"current_file":{"file_name":"a.rb"}}`: false, `{"current_file":{"content_above_cursor":"x"}}`: false,
	} {
		if isQuestion([]byte(body)) != want {
			t.Errorf("%s: %v", body, !want)
		}
	}
	for _, model := range []Model{Answers, Silent, Misdirected, Throttled, Unreachable} {
		if got, err := ParseModel(string(model)); got != model || err != nil {
			t.Errorf("%s: %v", model, err)
		}
	}
	if _, err := ParseModel("odd"); err == nil || !strings.Contains(err.Error(), "misdirected") {
		t.Error(err)
	}
}

// What is wrong with a token is told to the log, in the words of the real one.
func TestWhyATokenIsRefused(t *testing.T) {
	t.Parallel()
	instance := gitlab.New(gitlab.Options{OwnKey: true})
	other := gitlab.New(gitlab.Options{OwnKey: true})
	keys := keysOf(t, instance)
	now := time.Now()
	for name, tt := range map[string]struct {
		token string
		want  string
	}{
		"good":            {instance.Sign(map[string]any{"aud": audience, "iss": "https://gitlab.example.com"}, time.Hour), ""},
		"without claims":  {instance.Sign(nil, time.Hour), ""},
		"another key":     {other.Sign(nil, time.Hour), "JWTError: Signature verification failed."},
		"expired":         {instance.Sign(nil, -time.Second), "ExpiredSignatureError: Signature has expired."},
		"of tomorrow":     {instance.Sign(map[string]any{"nbf": now.Add(time.Hour).Unix()}, 2*time.Hour), "not yet valid (nbf)"},
		"for another":     {instance.Sign(map[string]any{"aud": "container_registry"}, time.Hour), "Invalid audience"},
		"another address": {instance.Sign(map[string]any{"iss": "https://other.example.com"}, time.Hour), "Invalid issuer"},
		"not a token":     {"abc", "JWSError: Not enough segments"},
	} {
		_, err := keys.verify(tt.token)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := new(keySet).verify("a.b.c"); err == nil || !strings.Contains(err.Error(), "No keys founds in JWKS") {
		t.Error(err)
	}
	instance.RotateKey()
	if _, err := keys.verify(instance.Sign(nil, time.Hour)); err == nil {
		t.Error("a key that was never read is good")
	}
}

// keysOf are an instance's keys, read from its key set.
func keysOf(t *testing.T, instance *gitlab.Server) *keySet {
	t.Helper()
	web := httptest.NewServer(instance)
	t.Cleanup(web.Close)
	g := &gateway{settings: Settings{GitLabURL: web.URL}, log: newLogger(io.Discard, false)}
	keys, _, err := g.readKeys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	return &keySet{keys: keys, issuer: "https://gitlab.example.com"}
}

func FuzzIsQuestion(f *testing.F) {
	f.Add([]byte(`{"current_file":null}`))
	f.Fuzz(func(_ *testing.T, body []byte) { isQuestion(body) })
}
