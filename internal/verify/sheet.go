package verify

import (
	"slices"
	"strings"
	"sync"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// The checks of a gateway, as the contract names them.
const (
	DNS     = "gateway.dns"
	TLS     = "gateway.tls"
	Healthz = "gateway.healthz"
	Auth    = "gateway.auth"
	Bypass  = "gateway.bypass"
	Models  = "gateway.models"
	GRPC    = "gateway.grpc"
	Digest  = "gateway.digest"
	Stable  = "gateway.stable"
	GitLab  = "gateway.gitlab"
)

// order is the contract's. It is also the order in which a reader should look for
// a cause: what fails above mostly explains what fails below.
func order() []string {
	return []string{DNS, TLS, Healthz, Auth, Bypass, Models, GRPC, Digest, Stable, GitLab}
}

// maxDetail bounds the detail of a check, which may quote engines and servers.
const maxDetail = 600

// sheet is what one look found. Several goroutines may write on it.
type sheet struct {
	mu   sync.Mutex
	made map[string]upgrade.Check // by ID
}

func newSheet() *sheet { return &sheet{made: make(map[string]upgrade.Check)} }

// put writes what a check found.
func (s *sheet) put(id string, c upgrade.Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.ID = id
	s.made[id] = c
}

// make makes a check, times it, and writes down what it found.
func (s *sheet) make(id string, check func() upgrade.Check) upgrade.Check {
	begin := time.Now()
	c := check()
	c.Took = time.Since(begin)
	s.put(id, c)
	return c
}

// get is what a check found; the zero Check when it was not made.
func (s *sheet) get(id string) upgrade.Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[id]
}

// checks are all checks of the contract; those that were not made are skipped.
func (s *sheet) checks(stage upgrade.Stage) []upgrade.Check {
	notMade := skip("not looked at")
	if first := s.complaints(); len(first) > 0 {
		notMade.Detail += ", because of " + first[0].ID
	}
	all := make([]upgrade.Check, 0, len(order()))
	for _, id := range order() {
		c := s.get(id)
		if c.ID == "" {
			c = notMade
		}
		c.ID, c.Stage, c.Detail = id, stage, short(c.Detail, maxDetail)
		all = append(all, c)
	}
	return all
}

// verdict is the judgement on the checks that were made.
func (s *sheet) verdict() upgrade.Verdict {
	return upgrade.Judge(s.filter(func(upgrade.Check) bool { return true }))
}

// complaints are the checks that stand in the way.
func (s *sheet) complaints() []upgrade.Check {
	return s.filter(func(c upgrade.Check) bool { return c.Verdict == upgrade.Fail || c.Verdict == upgrade.Inconclusive })
}

// filter is the checks that were made and that which chooses, in the contract's order.
func (s *sheet) filter(which func(upgrade.Check) bool) []upgrade.Check {
	var found []upgrade.Check
	for _, id := range order() {
		if c := s.get(id); c.ID != "" && which(c) {
			found = append(found, c)
		}
	}
	return found
}

// hindered reports whether a check stands in the way.
func (s *sheet) hindered(id string) bool {
	return slices.ContainsFunc(s.complaints(), func(c upgrade.Check) bool { return c.ID == id })
}

// summary is why the sheet is not a pass, in one line.
func (s *sheet) summary() string {
	var parts []string
	for _, c := range s.complaints() {
		parts = append(parts, c.ID+": "+c.Detail)
	}
	return strings.Join(parts, "; ")
}

// interrupt turns what was not decided when the job was told to stop into
// inconclusive: a gateway that had not answered yet might have, in time.
func (s *sheet) interrupt() {
	for _, c := range s.complaints() {
		s.put(c.ID, interrupted(c))
	}
	s.put(Stable, unseen("interrupted before the gateway was proven", gateway.Interrupted))
}

func interrupted(c upgrade.Check) upgrade.Check {
	now := unseen("interrupted; until then: "+c.Detail, gateway.Interrupted)
	now.ID, now.Stage, now.Took = c.ID, c.Stage, c.Took
	return now
}

func pass(detail string) upgrade.Check {
	return upgrade.Check{Verdict: upgrade.Pass, Detail: detail}
}

func skip(detail string) upgrade.Check {
	return upgrade.Check{Verdict: upgrade.Skip, Detail: detail}
}

func fail(detail string, why gateway.DiagnosisID) upgrade.Check {
	return known(upgrade.Fail, detail, why)
}

func warn(detail string, why gateway.DiagnosisID) upgrade.Check {
	return known(upgrade.Warn, detail, why)
}

// unseen is a check that could not look.
func unseen(detail string, why gateway.DiagnosisID) upgrade.Check {
	return known(upgrade.Inconclusive, detail, why)
}

// known is a check that needs a remedy: that of the catalogue.
func known(v upgrade.Verdict, detail string, why gateway.DiagnosisID) upgrade.Check {
	return upgrade.Check{Verdict: v, Detail: detail, Remedy: why.Cure(), Diagnosis: string(why)}
}
