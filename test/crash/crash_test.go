package crash

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// between starts a server, and a man in the middle before it. It returns him, his
// address, and how often the server has carried something out.
func between(t *testing.T) (m *Middle, address string, done *atomic.Int32) {
	t.Helper()
	done = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done.Add(1)
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	m = &Middle{Server: to, Way: http.DefaultTransport, Name: func(r *http.Request) Deed {
		if r.Method == http.MethodGet {
			return Deed{}
		}
		return Deed{Name: r.URL.Path, Clock: r.URL.Path == "/beat"}
	}}
	front := httptest.NewServer(m)
	t.Cleanup(front.Close)
	return m, front.URL, done
}

func post(address string) (string, error) {
	answer, err := http.Post(address, "text/plain", strings.NewReader(""))
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return answer.Status[:3] + " " + string(text), err
}

func TestCounts(t *testing.T) {
	t.Parallel()
	m, address, _ := between(t)
	for _, path := range []string{"/create", "/beat", "/rename", "/beat", "/rename"} {
		if said, err := post(address + path); err != nil || said != "200 "+path {
			t.Errorf("%s: %q, %v", path, said, err)
		}
	}
	if answer, err := http.Get(address + "/list"); err != nil {
		t.Error(err)
	} else {
		_ = answer.Body.Close()
	}
	want := []Point{{Deed: "/create", Nth: 1}, {Deed: "/beat", Nth: 1}, {Deed: "/rename", Nth: 1}, {Deed: "/rename", Nth: 2}}
	if got := m.Deeds(); !slices.Equal(got, want) {
		t.Errorf("deeds: %v, want %v", got, want)
	}
	if got := Points(want); len(got) != 8 || got[7].String() != "after /rename (2)" {
		t.Errorf("points: %v", got)
	}
}

func TestStrikes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		after  bool
		strike Strike
		said   string // "" for a connection that was cut
		done   int32
	}{
		"killed before":  {false, Strike{Drop: true}, "", 0},
		"killed after":   {true, Strike{Drop: true}, "", 1},
		"refused before": {false, Strike{Status: 500}, "500 the disk is full\n", 0},
		"a lie":          {true, Strike{Status: 500}, "500 the disk is full\n", 1},
		"only seen":      {true, Strike{}, "200 /rename", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, address, done := between(t)
			var struck atomic.Bool
			tt.strike.Do = func(Victim) { struck.Store(true) }
			m.Arm(Point{Deed: "/rename", Nth: 1, After: tt.after}, tt.strike)
			m.Meet(Victim{})
			said, err := post(address + "/rename")
			if said != tt.said || (err != nil) != (tt.said == "") {
				t.Errorf("it said %q, %v; want %q", said, err, tt.said)
			}
			if done.Load() != tt.done || !struck.Load() || !m.Met() {
				t.Errorf("done %d times, want %d; struck: %v", done.Load(), tt.done, struck.Load())
			}
		})
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var table Table
	table.Points("upgrade", 6)
	table.Add("upgrade", true, Served)
	table.Add("upgrade", true, Restored)
	table.Add("upgrade", false, Served)
	table.Add("upgrade", false, Lost)
	want := "Docker: upgrade 6 3 1 1 1 1"
	if got := strings.Join(strings.Fields(table.Lines("Docker")), " "); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
