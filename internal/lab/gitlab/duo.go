package gitlab

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// duo is what an instance knows of GitLab Duo.
type duo struct {
	gatewayURL string
	clock      time.Duration
	probes     []Probe
	failing    map[string]string // GraphQL fields of the first level, and what GitLab says of them
	off        map[Switch]bool
}

// Switch is something of GitLab Duo that is switched on unless it is switched off.
type Switch string

const (
	CodeSuggestions   Switch = "code-suggestions"   // the ops flag ai_duo_code_suggestions_switch
	DirectConnections Switch = "direct-connections" // disabled_direct_code_suggestions
	DefaultNamespace  Switch = "default-namespace"  // of the token's user, for GitLab Duo
	Licence           Switch = "licence"            // what it includes of GitLab Duo
	OwnModel          Switch = "own-model"          // code completion on a self-hosted model; off: on GitLab's
)

// ParseSwitch reads a switch.
func ParseSwitch(s string) (Switch, error) {
	all := []Switch{CodeSuggestions, DirectConnections, DefaultNamespace, Licence, OwnModel}
	if what := Switch(s); slices.Contains(all, what) {
		return what, nil
	}
	return "", fmt.Errorf("GitLab has no switch %q: choose one of %s", s, strings.Trim(fmt.Sprint(all), "[]"))
}

// SetGatewayURL changes the "Local AI Gateway URL"; "" unsets it.
func (s *Server) SetGatewayURL(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duo.gatewayURL = strings.TrimSuffix(url, "/")
}

// GatewayURL is the "Local AI Gateway URL".
func (s *Server) GatewayURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.duo.gatewayURL
}

// SetClock makes the instance's clock wrong when it signs for its gateway; 0 is
// right.
func (s *Server) SetClock(offset time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duo.clock = offset
}

// Turn switches something off, and on again.
func (s *Server) Turn(what Switch, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.duo.off == nil {
		s.duo.off = map[Switch]bool{}
	}
	s.duo.off[what] = !on
}

// SetProbes puts other results in the place of those of the health check; without
// any it looks itself again.
func (s *Server) SetProbes(probes ...Probe) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duo.probes = probes
}

// FailField makes a GraphQL field of the first level null, with a remark on it; an
// empty remark clears it.
func (s *Server) FailField(name, remark string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.duo.failing == nil {
		s.duo.failing = map[string]string{}
	}
	s.duo.failing[name] = remark
}

func (s *Server) on(what Switch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.duo.off[what]
}

// minor is a minor release.
type minor struct{ major, minor int }

func line(version string) (m minor) {
	_, _ = fmt.Sscanf(version, "%d.%d", &m.major, &m.minor)
	return m
}

func (m minor) before(major, of int) bool {
	return m.major < major || m.major == major && m.minor < of
}

// enterprise reports whether a version is one of the Enterprise Edition, which alone
// has GitLab Duo. Builds of the main branch are.
func enterprise(version string) bool {
	_, edition, _ := strings.Cut(version, "-")
	return edition != "" && edition != "ce"
}

// road is the way to the gateway.
func road(o Options) http.RoundTripper {
	if o.Gateway != nil {
		return o.Gateway
	}
	t := &http.Transport{DisableKeepAlives: true}
	if len(o.GatewayCA) > 0 {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(o.GatewayCA)
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return t
}
