package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"aigw-ci/internal/upgrade"
)

// reach is the check gateway.gitlab: can the gateway reach its GitLab? It asks two
// witnesses. The gateway's log is one that never lies but may be old or silent: the
// keys are fetched at the first request of a user. The other is a connection that
// is opened as the gateway would, where the target has a way to do so.
//
// It reports true when no further look could change the verdict.
func (t *trial) reach(ctx context.Context, seen *sheet) (over bool) {
	seen.make(GitLab, func() upgrade.Check {
		if t.Hurry {
			return skip("not looked at: the job was cancelled, and its time is short")
		}
		var logErr error
		t.findings, logErr = t.diagnose(ctx)
		dialed := t.reachFrom(ctx)
		worst := aboutGitLab(t.findings)
		switch {
		case worst == nil && logErr == nil:
			if dialed.Verdict == upgrade.Skip {
				dialed.Detail += "; its log has no complaint about GitLab"
			}
			return dialed
		case worst == nil: // one witness is missing; the other has to do
			dialed.Detail += fmt.Sprintf("; its log could not be read: %v", logErr)
			if dialed.Verdict == upgrade.Skip {
				dialed.Verdict, dialed.Remedy = upgrade.Inconclusive, "look whether the engine answers"
			}
			return dialed
		case dialed.Verdict == upgrade.Fail, // says more than the log
			dialed.Verdict == upgrade.Inconclusive && !grave(worst): // that line alone decides nothing
			dialed.Detail += "; and " + inLog(*worst)
			return dialed
		case !grave(worst),
			t.Settled && dialed.Verdict == upgrade.Pass: // an old line: what it tells of is over
			return warn(dialed.Detail+"; but "+inLog(*worst), worst.Remedy)
		default:
			over = !t.Settled
			return fail(complaint(t.findings))
		}
	})
	return over
}

// discovery is what OpenID Connect Discovery 1.0, section 4, promises at this path,
// as far as it is needed here; the gateway takes GitLab's keys from jwks_uri.
const discoveryPath = "/.well-known/openid-configuration"

type discovery struct {
	Keys string `json:"jwks_uri"`
}

// reachFrom reads GitLab's keys through connections opened by the gateway.
func (t *trial) reachFrom(ctx context.Context) upgrade.Check {
	if t.o.GitLabURL == "" {
		return skip("GitLab's address as the gateway knows it is not known here")
	}
	v := t.visitGitLab(t.o.GitLabURL)
	defer v.close()
	got, err := v.get(ctx, discoveryPath)
	if err != nil {
		return t.unreached(v.address, err)
	}
	var found discovery
	if c := readJSON(v.address+discoveryPath, got, &found); c.Verdict != upgrade.Pass {
		return c
	}
	keys, err := url.Parse(found.Keys)
	if err != nil || keys.Host == "" || keys.Scheme != "http" && keys.Scheme != "https" {
		return fail(fmt.Sprintf("%s answers without a jwks_uri: it is no GitLab", v.address), wrongGitLab)
	}

	// GitLab names the keys by its external_url, which may be another address than
	// the one the gateway was given.
	k := v
	if address := keys.Scheme + "://" + keys.Host; !strings.HasPrefix(t.o.GitLabURL+"/", address+"/") {
		k = t.visitGitLab(address)
		defer k.close()
	}
	got, err = k.fetch(ctx, found.Keys)
	if err != nil {
		c := t.unreached(k.address, err)
		c.Detail = fmt.Sprintf("%s answers, and says that its keys are at %s; but %s", v.address, k.address, c.Detail)
		return c
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if c := readJSON(found.Keys, got, &set); c.Verdict != upgrade.Pass {
		return c
	}
	if len(set.Keys) == 0 {
		return fail(short(found.Keys, 200)+" has no keys", "look at GitLab's log: without keys the gateway can admit no user")
	}
	return pass(fmt.Sprintf("from inside the gateway, %s answers and shows %d keys", v.address, len(set.Keys)))
}

// visitGitLab goes to a GitLab address the way the gateway would.
func (t *trial) visitGitLab(address string) *visitor {
	v := t.visit(address, func(ctx context.Context, _, addr string) (net.Conn, error) {
		return t.Gateway.DialFrom(ctx, addr)
	}, insideTimeout)
	v.transport.Proxy = nil
	return v
}

const wrongGitLab = "set AIGW_GITLAB_URL to the external_url of GitLab"

// readJSON reads an answer that has to be 200 with a JSON object.
func readJSON(where string, got *answer, into any) upgrade.Check {
	where = short(where, 200)
	switch {
	case got.StatusCode >= 500 || got.StatusCode == http.StatusTooManyRequests:
		return unseen(fmt.Sprintf("%s: GitLab itself is in trouble: %s", where, got), "wait until GitLab is up, and run the job again")
	case got.StatusCode >= 300 && got.StatusCode < 400:
		return warn(fmt.Sprintf("%s redirects: %s", where, got), wrongGitLab+", so that nothing is redirected")
	case got.StatusCode != http.StatusOK:
		return fail(fmt.Sprintf("%s: %s, and not 200", where, got), wrongGitLab)
	case json.Unmarshal(got.body, into) != nil:
		return fail(fmt.Sprintf("%s: %s, and not JSON: a login page, or another program", where, got), wrongGitLab)
	}
	return pass("")
}

// unreached is the verdict on a connection to GitLab that the gateway did not get.
// Here the gateway's side of the network is what is judged: that its resolver does
// not answer is a failure of the gateway. An error of the engine, or one that is
// none of dialing, is about the way we look.
func (t *trial) unreached(address string, err error) upgrade.Check {
	var (
		dns  *net.DNSError
		op   *net.OpError
		dial *dialError
	)
	from := "from inside the gateway, " + address + ": "
	inside := errors.As(err, &dial)
	engine := errors.As(err, &op) && op.Net == "unix"
	switch {
	case engine:
		return unseen(from+fmt.Sprintf("could not be tried: %v", err), "look whether the engine answers")
	case inside && errors.Is(err, errors.ErrUnsupported):
		return skip("nothing can be asked from inside this gateway")
	case errors.As(err, &dns) && dns.IsNotFound:
		return fail(from+fmt.Sprintf("there is no host %q", dns.Name), "correct AIGW_GITLAB_URL, or make the name known on the gateway's network (DNS, extra hosts)")
	case errors.As(err, &dns):
		return fail(from+"its name servers do not answer: "+dns.Error(), "look at the DNS settings of the gateway's network")
	case refused(err):
		return fail(from+"connection refused", "is GitLab up, and is the port in AIGW_GITLAB_URL right?")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fail(from+"no route", "connect the gateway's network to GitLab's, or correct AIGW_GITLAB_URL")
	case inside && timeout(err):
		return fail(from+"no connection in time: packets get lost", "look for a firewall between the gateway and GitLab")
	case inside && errors.As(err, &op) && op.Op == "dial": // a target that tells the cause only in words
		return fail(from+fmt.Sprintf("no connection: %v", op.Err), "correct AIGW_GITLAB_URL, or the gateway's network: name resolution, routes, firewall")
	case inside:
		return unseen(from+fmt.Sprintf("could not be tried: %v", cause(err)), "look whether the engine answers")
	}
	if detail, remedy := untrusted(err); detail != "" {
		return fail(from+detail, remedy+"; the gateway itself is told in gateway.ca_bundle")
	}
	if timeout(err) {
		return unseen(from+"connected, but no answer in time: GitLab is slow or down", "wait until GitLab is up, and run the job again")
	}
	return fail(from+fmt.Sprintf("the connection broke off: %v", cause(err)), "is the protocol (http, https) in AIGW_GITLAB_URL right?")
}
