package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/secret"
)

const key = "-----BEGIN PRIVATE KEY-----\r\nMIIEcanaryLineOne+/abc\r\nMIIEcanaryLineTwo+/xyz==\r\n-----END PRIVATE KEY-----\r\n"

func TestRedactorFindsEveryForm(t *testing.T) {
	t.Parallel()
	encoded := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	tests := map[string]string{
		"plain":           "token is " + canary + ".",
		"json":            encoded(map[string]string{"token": canary}),
		"go quoted":       fmt.Sprintf("%q", canary),
		"query":           "https://gitlab.example.com/api?" + url.Values{"private_token": {canary}}.Encode(),
		"path":            "https://gitlab.example.com/" + url.PathEscape(canary),
		"userinfo":        (&url.URL{Scheme: "https", Host: "h.example.com", User: url.UserPassword("ci", canary)}).String(),
		"base64":          base64.StdEncoding.EncodeToString([]byte(canary)),
		"base64 raw":      base64.RawStdEncoding.EncodeToString([]byte(canary)),
		"base64 url":      base64.URLEncoding.EncodeToString([]byte(canary)),
		"base64 raw url":  base64.RawURLEncoding.EncodeToString([]byte(canary)),
		"twice":           canary + " and " + canary,
		"twice, touching": canary + canary,
	}
	r := secret.NewRedactor("other-secret", canary)
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := r.String(text)
			if leaks(got) || strings.Contains(got, "Q2FuYXJ5") || strings.Contains(got, base64.RawStdEncoding.EncodeToString([]byte(canary))) {
				t.Errorf("the secret shows: %s", got)
			}
			if !strings.Contains(got, secret.Redacted) {
				t.Errorf("nothing was replaced: %s", got)
			}
			if b := string(r.Bytes([]byte(text))); b != got {
				t.Errorf("Bytes = %s, String = %s", b, got)
			}
		})
	}
}

// A password stands in the middle of what an Authorization header encodes, at any offset.
func TestRedactorFindsBase64InsideBase64(t *testing.T) {
	t.Parallel()
	r := secret.NewRedactor(canary)
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		for _, user := range []string{"u:", "us:", "use:", "user:"} {
			for _, end := range []string{"", "1", "12"} {
				text := e.EncodeToString([]byte(user + canary + end))
				got := r.String(text)
				if !strings.Contains(got, secret.Redacted) || len(got) > len(secret.Redacted)+12 {
					t.Errorf("%q: %s became %s", user+canary+end, text, got)
				}
			}
		}
	}
}

func TestRedactorFindsLines(t *testing.T) {
	t.Parallel()
	r := secret.NewRedactor(key)
	text := "reading key:\n-----BEGIN PRIVATE KEY-----\n  | MIIEcanaryLineOne+/abc\n  | MIIEcanaryLineTwo+/xyz==\nend"
	want := "reading key:\n-----BEGIN PRIVATE KEY-----\n  | [redacted]\n  | [redacted]\nend"
	if diff := cmp.Diff(want, r.String(text)); diff != "" {
		t.Error(diff)
	}
	if got := r.String("key=" + key + "!"); got != "key=[redacted]!" {
		t.Errorf("whole key: %s", got)
	}
	quoted, _ := json.Marshal(key)
	if got := r.String(string(quoted)); got != `"[redacted]"` {
		t.Errorf("json: %s", got)
	}
}

// A key is kept in a variable with its line breaks written out, and shown with them.
func TestRedactorFindsLinesWrittenOut(t *testing.T) {
	t.Parallel()
	r := secret.NewRedactor(strings.ReplaceAll(strings.ReplaceAll(key, "\r", ""), "\n", `\n`))
	if got := r.String("| MIIEcanaryLineOne+/abc\n| MIIEcanaryLineTwo+/xyz==\n"); got != "| [redacted]\n| [redacted]\n" {
		t.Error(got)
	}
}

func TestRedactorReplacesOverlappingSecretsTogether(t *testing.T) {
	t.Parallel()
	r := secret.NewRedactor("abcdefgh", "efghijkl", "defg-longer")
	if got := r.String("<abcdefghijkl>"); got != "<[redacted]>" {
		t.Errorf("got %s", got)
	}
}

func TestRedactorLeavesTheRest(t *testing.T) {
	t.Parallel()
	const text = "gateway answered 200 in 5 s on port 5052: true"
	for name, r := range map[string]*secret.Redactor{
		"nil": nil, "zero": new(secret.Redactor), "short values": secret.NewRedactor("", "true", "5052", "200 i"),
	} {
		if got := r.String(text); got != text {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestRedactorIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r := secret.NewRedactor(canary)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r.Add(fmt.Sprintf("secret-number-%d", i))
			if got := r.String("x" + canary); got != "x"+secret.Redacted {
				t.Error(got)
			}
		})
	}
	wg.Wait()
}

func TestWriterRedactsWholeLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := secret.NewRedactor("0123456789").Writer(&out)
	for _, piece := range []string{"a 01234", "56789 b\nsecond ", "line\nlast 012345", "6789"} {
		if n, err := io.WriteString(w, piece); n != len(piece) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", piece, n, err)
		}
	}
	if want := "a [redacted] b\nsecond line\n"; out.String() != want {
		t.Errorf("before Close: %q, want %q", out.String(), want)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "a [redacted] b\nsecond line\nlast [redacted]"; out.String() != want {
		t.Errorf("after Close: %q, want %q", out.String(), want)
	}
}

func TestWriterReportsErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	w := secret.NewRedactor().Writer(failing{broken})
	if _, err := io.WriteString(w, "line\n"); !errors.Is(err, broken) {
		t.Errorf("Write: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func FuzzRedactor(f *testing.F) {
	f.Add("prefix ", canary, " suffix")
	f.Add("", key, "")
	f.Add("aaaa", "aaaaaa", "aaaa")
	f.Fuzz(func(t *testing.T, before, value, after string) {
		got := secret.NewRedactor(value).String(before + value + after)
		if len(value) < 6 || strings.ContainsAny(value, "[]") || strings.Contains(secret.Redacted, value) {
			return // too short to look for, or what stands in its place may complete it again
		}
		if strings.Contains(got, value) {
			t.Errorf("%q shows in %q", value, got)
		}
	})
}
