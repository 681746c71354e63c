package kubernetes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// explain says what was being done when the API server answered with err, and what
// to do about it; nil when err is nil. The cause stays in the error, so that
// apierrors.IsNotFound and errors.As still work. Where nobody answered, or the answer
// was "not now", the error's Temporary is true.
func (c *Cluster) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if inner := (*failure)(nil); errors.As(err, &inner) {
		return fmt.Errorf("%s: %w", doing, err) // explained already
	}
	f := &failure{doing: doing, cause: err}
	f.remedy, f.temporary = c.remedy(err)
	if f.temporary {
		f.where = fmt.Sprintf("cluster %s, context %q", c.server(), clean(c.context, 300))
	}
	return f
}

// failure is a request to the API server that did not succeed.
type failure struct {
	doing     string
	where     string // which cluster, when it did not answer at all
	cause     error
	remedy    string
	temporary bool
}

func (f *failure) Unwrap() error   { return f.cause }
func (f *failure) Temporary() bool { return f.temporary }

func (f *failure) Error() string {
	s := f.doing + ": " + clean(f.cause.Error(), 2000)
	if f.where != "" {
		s += " (" + f.where + ")"
	}
	if f.remedy != "" {
		s += "\n" + f.remedy
	}
	return s
}

// server is the address of the API server, without a password that may be in it.
func (c *Cluster) server() string {
	if c.rest == nil {
		return "?"
	}
	u, err := url.Parse(c.rest.Host)
	if err != nil || u.Host == "" {
		return clean(c.rest.Host, 300)
	}
	u.User = nil
	return clean(u.String(), 300)
}

// remedy is what the administrator can do about a request that failed, and whether it
// may go well later without anybody doing something.
func (c *Cluster) remedy(err error) (remedy string, temporary bool) {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return statusRemedy(status.Status())
	}
	var (
		authority  x509.UnknownAuthorityError
		name       x509.HostnameError
		invalid    x509.CertificateInvalidError
		unverified *tls.CertificateVerificationError
		dns        *net.DNSError
		address    *net.OpError
		timeout    net.Error
		request    *url.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "", false
	case errors.As(err, &authority), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &unverified):
		return "the API server's certificate is not the one that the kubeconfig trusts: correct certificate-authority-data, or the address", false
	case errors.As(err, &dns):
		return "the name of the API server does not resolve from here: correct the kubeconfig, or run the job where the cluster can be reached", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the cluster up, and the address in the kubeconfig right?", true
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "the API server keeps silent: look for a firewall between this job and the cluster, and at the cluster itself", true
	case errors.As(err, &address), errors.As(err, &request):
		return "look at the network between this job and the cluster, and whether the cluster is up", true
	}
	return "", false
}

// statusRemedy is about an answer that the API server gave.
func statusRemedy(s metav1.Status) (remedy string, temporary bool) {
	switch s.Code {
	case http.StatusUnauthorized:
		return "the cluster does not accept these credentials: are they expired? For a GitLab agent, does its ci_access name this project " +
			"(docs.gitlab.com/user/clusters/agent/ci_cd_workflow)?", false
	case http.StatusForbidden:
		if s.Details == nil || s.Details.Name == "" && s.Details.Kind == "" {
			return "docs/kubernetes/role.yaml is a Role with the rights that are needed", false
		}
		return "give the user this right, if it is not a quota or a policy that says no; docs/kubernetes/role.yaml is a Role with all that are needed", false
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "the cluster has a problem of its own: try again later", true
	}
	return "", false
}
