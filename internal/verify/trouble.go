package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// explain is what a request without an answer says about the gateway.
//
// Somebody refused the connection, or took it and answered nothing or nonsense:
// that is the gateway's doing, a failure. No connection came about and nobody
// refused it - packets were lost, a proxy or a tunnel broke, a resolver is down:
// that is about the road, and says nothing about the gateway.
func (v *visitor) explain(err error) upgrade.Check {
	var (
		proxy *proxyError
		op    *net.OpError
		dns   *net.DNSError
		dial  *dialError
	)
	where := v.String()
	switch {
	case errors.As(err, &proxy), errors.As(err, &op) && op.Op == "proxyconnect":
		return unseen(fmt.Sprintf("the proxy on the way to %s does not let us through: %v", where, err), gateway.ProxyInTheWay)
	case errors.As(err, &dns) && v.front:
		return resolving(dns)
	case refused(err):
		return fail("nobody listens at "+where+": connection refused", v.refusal())
	case errors.As(err, &dial):
		return unseen(fmt.Sprintf("no connection to %s, and no refusal either: %v", where, cause(err)), gateway.NoRoad)
	}
	if detail, why := untrusted(err); detail != "" {
		return fail(where+": "+detail, why)
	}
	if _, ok := errors.AsType[*upgrade.RoadError](err); ok {
		return unseen(fmt.Sprintf("the road to %s broke: %v", where, cause(err)), gateway.NoRoad)
	}
	if timeout(err) {
		return fail(fmt.Sprintf("%s took the connection and gave no answer within %s", where, v.patience), gateway.Hangs)
	}
	return fail(fmt.Sprintf("%s broke the connection off: %v", where, cause(err)), gateway.ConnectionBroken)
}

// refusal is why nobody listens.
func (v *visitor) refusal() gateway.DiagnosisID {
	if v.front {
		return gateway.NobodyAtURL
	}
	return gateway.NotListening
}

// resolving is a verdict on a name that was not found. Only "there is no such
// name" is one; a resolver that does not answer is another matter.
func resolving(err *net.DNSError) upgrade.Check {
	if err.IsNotFound {
		return fail(fmt.Sprintf("the host %q of gateway.url does not exist in the DNS", err.Name), gateway.URLUnknown)
	}
	return unseen(fmt.Sprintf("the host %q of gateway.url could not be looked up: %v", err.Name, err), gateway.NoResolver)
}

// untrusted is what is wrong with a TLS handshake; empty when it was not that.
func untrusted(err error) (detail string, why gateway.DiagnosisID) {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		op      *net.OpError
	)
	switch {
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority that is not known here", gateway.CertificateUntrusted
	case errors.As(err, &name):
		return "its certificate is for another name: " + name.Error(), gateway.CertificateName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is not valid today: " + invalid.Error(), gateway.CertificateExpired
	case errors.As(err, &verify), errors.As(err, &invalid):
		return "its certificate cannot be verified: " + err.Error(), gateway.CertificateUntrusted
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "it answers, but not with TLS", gateway.NoTLS
	case errors.As(err, &op) && op.Op == "remote error": // how crypto/tls tells an alert of the other side
		return "it broke the TLS handshake off: " + op.Err.Error(), gateway.TLSHandshake
	}
	return "", ""
}

func refused(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) && errors.As(err, new(*dialError))
}

func timeout(err error) bool {
	var t net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// cause is the error without what the reader was told already.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

// soon is how long before its end a certificate is warned about.
const soon = 14 * 24 * time.Hour

// certificate is the verdict on the TLS handshake of a request.
func certificate(v *visitor, got *answer, err error) upgrade.Check {
	if err != nil {
		if detail, why := untrusted(err); detail != "" {
			return fail(detail, why)
		}
		return skip("no handshake to look at")
	}
	if got.TLS == nil || len(got.TLS.PeerCertificates) == 0 {
		return skip(v.address + " is without TLS")
	}
	leaf := got.TLS.PeerCertificates[0]
	until := leaf.NotAfter.UTC().Format(time.DateOnly)
	if left := time.Until(leaf.NotAfter); left < soon {
		return warn(fmt.Sprintf("verified; the certificate ends on %s, in %d days", until, int(left.Hours()/24)), gateway.CertificateEnds)
	}
	return pass(fmt.Sprintf("%s, verified, valid until %s", tls.VersionName(got.TLS.Version), until))
}
