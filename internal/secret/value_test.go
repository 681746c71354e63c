package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"aigw-ci/internal/secret"
)

const canary = `glpat-Canary/42+"<&>`

// holder is a value somewhere inside a structure, as it really happens.
type holder struct {
	Name  string
	Token secret.Value
	List  []secret.Value
	Map   map[string]secret.Value
	Point *secret.Value
}

func held(v secret.Value) holder {
	return holder{Name: "n", Token: v, List: []secret.Value{v}, Map: map[string]secret.Value{"k": v}, Point: &v}
}

func TestValueDoesNotPrintItself(t *testing.T) {
	t.Parallel()
	v := secret.Value(canary)
	writes := map[string]func() string{
		"text": func() string { b, _ := v.MarshalText(); return string(b) },
		"json": func() string { b, _ := json.Marshal(held(v)); return string(b) },
		"xml":  func() string { b, _ := xml.Marshal(v); return string(b) },
		"error": func() string {
			return fmt.Errorf("signing in with %v: %w", v, fmt.Errorf("%s refused", v)).Error()
		},
		"slog text": func() string {
			return logged(func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) }, v)
		},
		"slog json": func() string {
			return logged(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) }, v)
		},
		"print":    func() string { return fmt.Sprint(v, held(v)) + fmt.Sprintln(v) },
		"String":   v.String,
		"GoString": v.GoString,
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%#q", "%x", "%X", "% x", "%40s", "%d", "%c", "%U"} {
		writes[verb] = func() string { return fmt.Sprintf(verb, v) }
		writes["struct "+verb] = func() string { return fmt.Sprintf(verb, held(v)) }
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := write()
			if leaks(got) {
				t.Errorf("the secret shows: %s", got)
			}
			if !strings.Contains(got, secret.Redacted) {
				t.Errorf("got %s, want %s in it", got, secret.Redacted)
			}
		})
	}
	if v.Reveal() != canary {
		t.Errorf("Reveal() = %q", v.Reveal())
	}
}

func TestEmptyValuePrintsNothing(t *testing.T) {
	t.Parallel()
	var v secret.Value
	for verb, want := range map[string]string{"%v": "", "%s": "", "%q": `""`, "%#v": `""`} {
		if got := fmt.Sprintf(verb, v); got != want {
			t.Errorf("Sprintf(%q) = %s, want %s", verb, got, want)
		}
	}
	if b, err := json.Marshal(v); err != nil || string(b) != `""` {
		t.Errorf("json = %s, %v", b, err)
	}
}

func logged(handler func(*bytes.Buffer) slog.Handler, v secret.Value) string {
	var b bytes.Buffer
	slog.New(handler(&b)).Info("signing in", "token", v, slog.Group("user", "password", v), "all", held(v))
	return b.String()
}

// leaks reports whether any part of the canary that stands for it shows.
func leaks(s string) bool {
	for _, part := range []string{"Canary", "676c7061742d", "676C7061742D", "67 6c 70 61"} {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
