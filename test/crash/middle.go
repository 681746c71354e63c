package crash

import (
	"context"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// Middle is the man in the middle: it hands requests on, and strikes at one point. It
// is made for one run of the program.
type Middle struct {
	Server *url.URL
	Way    http.RoundTripper // to the server; speaks HTTP/1.1, which can be upgraded

	// Name names what a request changes. A deed without a name is none.
	Name func(*http.Request) Deed

	once  sync.Once
	proxy *httputil.ReverseProxy

	mu     sync.Mutex
	times  map[string]int
	deeds  []Point
	at     Point
	strike *Strike
	met    bool

	victim chan Victim
}

var _ http.Handler = (*Middle)(nil)

// Arm has the strike done when the point comes. Meet then has to follow, as soon as the
// program runs.
func (m *Middle) Arm(at Point, s Strike) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.strike, m.victim = at, &s, make(chan Victim, 1)
}

// Meet tells who is to be struck.
func (m *Middle) Meet(v Victim) { m.victim <- v }

// Met reports whether the point came.
func (m *Middle) Met() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.met
}

// Deeds are the deeds so far, in the order in which they were asked for.
func (m *Middle) Deeds() []Point {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Point(nil), m.deeds...)
}

// ServeHTTP hands a request on. What the program has given up is not carried out to
// its end, as without a man in the middle; only a deed that is struck afterwards is.
func (m *Middle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.once.Do(m.open)
	strike, after := m.count(m.Name(r))
	switch {
	case strike == nil:
		m.proxy.ServeHTTP(w, r)
	case !after:
		if !strike.fell(w, <-m.victim) {
			m.proxy.ServeHTTP(w, r)
		}
	default:
		m.carryOut(w, r, strike)
	}
}

func (m *Middle) open() {
	m.proxy = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(m.Server) },
		Transport:     m.Way,
		FlushInterval: -1, // streams are heard as they come
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

// count counts a deed. It returns the strike when this is the point.
func (m *Middle) count(d Deed) (s *Strike, after bool) {
	if d.Name == "" {
		return nil, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.times == nil {
		m.times = make(map[string]int)
	}
	m.times[d.Name]++
	nth := m.times[d.Name]
	if d.Clock && nth > 1 {
		return nil, false
	}
	m.deeds = append(m.deeds, Point{Deed: d.Name, Nth: nth})
	if m.strike == nil || m.met || m.at.Deed != d.Name || m.at.Nth != nth {
		return nil, false
	}
	m.met = true
	return m.strike, m.at.After
}

// carryOut has the server answer in full, and strikes before the program hears of it.
func (m *Middle) carryOut(w http.ResponseWriter, r *http.Request, s *Strike) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host, out.Host = m.Server.Scheme, m.Server.Host, m.Server.Host
	answer, err := m.Way.RoundTrip(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if s.fell(w, <-m.victim) {
		return
	}
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body)
}
