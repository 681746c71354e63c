package docker

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestLacks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		info string // what the engine says
		nano int64
		want string // in the only note; empty: none
	}{
		"enough":          {info: `{"MemTotal": 8589934592, "NCPU": 4}`},
		"nothing is said": {info: `{}`},
		"little memory":   {info: `{"MemTotal": 268435456, "NCPU": 4}`, want: "the host has 256 MiB of memory"},
		"one CPU":         {info: `{"MemTotal": 8589934592, "NCPU": 1}`, want: "the host has 1 CPU"},
		"a limit":         {info: `{"MemTotal": 8589934592, "NCPU": 4}`, nano: 5e8, want: "may use 0.5 CPUs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub()
			s.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, test.info)
			})
			r := recipeWith()
			r.HostConfig.NanoCPUs = test.nano
			notes := NewTarget(s.engine(t, nil), TargetOptions{}).lacks(t.Context(), r, line184)
			if text := strings.Join(notes, "\n"); len(notes) > 1 || test.want == "" && text != "" || !strings.Contains(text, test.want) {
				t.Errorf("notes %q, want %q", notes, test.want)
			}
		})
	}
	silent := NewTarget(newStub().engine(t, nil), TargetOptions{})
	if notes := silent.lacks(t.Context(), recipeWith(), line184); notes != nil {
		t.Errorf("of an engine that does not say: %q", notes)
	}
}
