// Package verify is the gate: it looks at a gateway from outside, the way GitLab
// would, until it is sure that the gateway works or that it does not.
//
// A judgement goes through three stretches. It polls until every check has passed
// several times in a row, or the deadline is over; there is one dial for slow
// starts, and it is the deadline. It holds: for a while nothing may fail and the
// process may not restart, because a gateway that runs for two seconds proves
// little. It then asks, once, what lies beyond the gateway.
//
// What was seen and was wrong is a failure. What could not be looked at - no road
// from here, an engine that does not answer, a resolver that is down - is
// inconclusive, never one of the other two. The files trouble.go and gitlab.go draw
// that line error by error.
package verify

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"time"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// Options say how to look, and for how long.
type Options struct {
	// Timeout is the deadline: how long a gateway may take until every check has
	// passed Successes times in a row. The hold comes on top of it.
	Timeout   time.Duration
	Hold      time.Duration
	Successes int           // at least 1
	Interval  time.Duration // between two looks; zero means one second

	// GatewayURL is the address GitLab uses, without a path for the API. A gateway
	// that has users is looked at there, through whatever proxy stands in front of
	// it; a rehearsal, and every gateway when this is empty, at its own address.
	GatewayURL string

	// Detour lets a gateway be looked at by its own address while the host of
	// GatewayURL does not exist: on Kubernetes the name often follows the Ingress. The
	// check of the name then warns.
	Detour bool

	// GitLabURL is GitLab's address as the gateway was told it (AIGW_GITLAB_URL).
	// Empty when it is not known.
	GitLabURL string

	// GitLabHere is GitLab's address as this job reaches it. A gateway is not to blame
	// when GitLab answers nobody. Empty when it is not known.
	GitLabHere string

	// Transport has the certificate authorities and the proxy. It is cloned, never
	// used itself; nil means one without either.
	Transport *http.Transport
	UserAgent string // default "aigw-ci"

	// Redactor takes the secrets out of the last line of a gateway's log before it is
	// quoted. Without one no line is quoted.
	Redactor *secret.Redactor

	// Probes run one after the other when everything else has passed.
	Probes []Probe

	Log *slog.Logger // nil discards
}

// Probe is a further check, made once. It must set the check's ID; what it leaves
// empty of Stage and Took is filled in.
type Probe func(ctx context.Context, s upgrade.Subject) upgrade.Check

// Bounds on single questions, so that a silent peer costs one look and not the
// whole deadline.
const (
	requestTimeout = 5 * time.Second
	insideTimeout  = 30 * time.Second // from inside the gateway, where a busy engine may have to start a helper first
	targetTimeout  = 15 * time.Second // State, Endpoint, Logs
	probeTimeout   = 2 * time.Minute
)

// Gate is the upgrade.Gate of this program. It keeps nothing between judgements
// and may be used by several goroutines.
type Gate struct {
	o      Options
	base   *http.Transport
	log    *slog.Logger
	lookup func(ctx context.Context, host string) ([]string, error)
	public func() *x509.CertPool // see public
}

var _ upgrade.Gate = (*Gate)(nil)

// New returns a gate. GatewayURL and GitLabURL are taken as valid.
func New(o Options) *Gate {
	o.Successes = max(o.Successes, 1)
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	if o.UserAgent == "" {
		o.UserAgent = "aigw-ci"
	}
	g := &Gate{o: o, base: o.Transport, log: o.Log, lookup: net.DefaultResolver.LookupHost, public: public}
	if g.base == nil {
		g.base = &http.Transport{}
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	return g
}

// Judge looks at s until it is sure, and returns every check of the contract that
// is about a gateway, in the contract's order, then what the probes found. It
// returns early when the process is gone or restarts, and when ctx ends; what was
// not decided by then is inconclusive.
func (g *Gate) Judge(ctx context.Context, s upgrade.Subject) []upgrade.Check {
	t := newTrial(g, s)
	defer t.close()
	checks := t.judge(ctx).checks(s.Stage)
	if upgrade.Judge(checks) != upgrade.Pass || s.Glance || s.Hurry {
		return checks
	}
	for _, probe := range g.o.Probes {
		checks = append(checks, g.probe(ctx, s, probe))
	}
	return checks
}

func (g *Gate) probe(ctx context.Context, s upgrade.Subject, probe Probe) upgrade.Check {
	bounded, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	begin := time.Now()
	c := probe(bounded, s)
	if c.Stage == "" {
		c.Stage = s.Stage
	}
	if c.Took == 0 {
		c.Took = time.Since(begin)
	}
	if c.Verdict == upgrade.Fail && ctx.Err() != nil {
		c = interrupted(c)
	}
	return c
}
