package verify

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// unreached is the verdict on a connection to GitLab that the gateway did not get.
// Here the gateway's side of the network is what is judged: that its resolver does
// not answer is a failure of the gateway. A *upgrade.RoadError, or an error that is
// none of dialing, is about the way we look.
func (t *trial) unreached(v *visitor, err error) upgrade.Check {
	var (
		dns  *net.DNSError
		op   *net.OpError
		dial *dialError
	)
	from := "from inside the gateway, " + v.address + ": "
	inside := errors.As(err, &dial)
	_, road := errors.AsType[*upgrade.RoadError](err)
	switch {
	case road:
		return unseen(from+fmt.Sprintf("could not be tried: %v", cause(err)), gateway.EngineSilent)
	case inside && errors.Is(err, errors.ErrUnsupported):
		return skip("nothing can be asked from inside this gateway")
	case errors.As(err, &dns) && dns.IsNotFound:
		return fail(from+fmt.Sprintf("there is no host %q", dns.Name), gateway.GitLabNameUnknown)
	case errors.As(err, &dns):
		return fail(from+"its name servers do not answer: "+dns.Error(), gateway.GitLabNoResolver)
	case refused(err) && isLoopback(v.address):
		return fail(from+"connection refused, and localhost is the gateway's own container", gateway.GitLabLocalhost)
	case refused(err):
		return fail(from+"connection refused", gateway.GitLabRefused)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fail(from+"no route", gateway.GitLabNoRoute)
	case inside && errors.Is(err, syscall.ETIMEDOUT):
		return fail(from+"no connection in time: packets get lost", gateway.GitLabFirewall)
	case inside && errors.As(err, &op) && op.Op == "dial": // a target that tells the cause only in words
		return fail(from+fmt.Sprintf("no connection: %v", op.Err), gateway.GitLabUnreachable)
	case inside:
		return unseen(from+fmt.Sprintf("could not be tried: %v", cause(err)), gateway.EngineSilent)
	}
	if detail, why := untrusted(err); detail != "" {
		return mistrusted(v, from, detail, why)
	}
	if timeout(err) {
		return unseen(from+"connected, but no answer in time: GitLab is slow or down", gateway.GitLabInTrouble)
	}
	return fail(from+fmt.Sprintf("the connection broke off: %v", cause(err)), gateway.GitLabConnectionBroken)
}

// mistrusted is the verdict on a TLS handshake with GitLab that the gateway would
// break off too.
func mistrusted(v *visitor, from, detail string, why gateway.DiagnosisID) upgrade.Check {
	switch why {
	case gateway.CertificateUntrusted:
		if v.via == gatewayTrust {
			detail = "its certificate is signed by an authority that the gateway does not trust"
		}
		return fail(from+detail, gateway.GitLabCertificateUntrusted)
	case gateway.CertificateName, gateway.CertificateExpired:
		return fail(from+detail, gateway.GitLabCertificateInvalid)
	default:
		return fail(from+detail, gateway.GitLabNoTLS)
	}
}

// isLoopback reports whether an address names the machine, or the container, itself.
func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
}
