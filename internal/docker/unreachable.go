package docker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// unreachable says that no engine answers at host, why, and what to do.
func unreachable(host hostAddress, err error) error {
	return &unreachableError{host: host, cause: err}
}

type unreachableError struct {
	host  hostAddress
	cause error
}

func (e *unreachableError) Unwrap() error { return e.cause }

func (e *unreachableError) Error() string {
	var lines []string
	for line := range strings.Lines(e.cause.Error()) { // a refused host key is explained in several
		lines = append(lines, clean(line, 2000))
	}
	s := fmt.Sprintf("no Docker Engine answers at %s: %s", e.host, strings.Join(lines, "\n"))
	if remedy := remedy(e.host, e.cause); remedy != "" {
		s += "\n" + remedy
	}
	return s
}

// remedy is what the administrator can do about a connection that failed.
func remedy(host hostAddress, err error) string {
	if isTLS(err) {
		return tlsRemedy(err)
	}
	switch host.Scheme {
	case "unix":
		return socketRemedy(host.Socket, err)
	case "ssh":
		return sshRemedy(host, err)
	}
	var dns *net.DNSError
	switch {
	case strings.Contains(err.Error(), "HTTP request to an HTTPS server"):
		return "the engine expects TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH to the directory with ca.pem, cert.pem and key.pem"
	case errors.As(err, &dns):
		return "the name does not resolve from here: correct DOCKER_HOST, or name the service of the job so"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start the engine with -H tcp://..., or correct the port in DOCKER_HOST (2376 with TLS, 2375 without)"
	}
	return "check DOCKER_HOST, and the firewalls between this job and the engine"
}

func socketRemedy(socket string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such socket: start the engine, mount " + socket + " into the job's container, or set DOCKER_HOST"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("user %d of this job may not use the socket (%s): run the job as root or as a member of the group that owns it, usually docker",
			os.Getuid(), socketOwner(socket))
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the socket is there but nobody listens: start the engine (systemctl start docker)"
	}
	return "check that what listens there is a Docker Engine"
}

func socketOwner(socket string) string {
	info, err := os.Stat(socket)
	if err != nil {
		return "its owner cannot be read"
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("owner %d, group %d, mode %s", stat.Uid, stat.Gid, info.Mode().Perm())
	}
	return "mode " + info.Mode().Perm().String()
}

// isTLS reports whether the two sides did not agree on TLS. With TLS 1.3 a
// refused client certificate only shows in the first answer, so the text is the
// only trace of it.
func isTLS(err error) bool {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid) ||
		errors.As(err, &verification) || errors.As(err, &record) || strings.Contains(err.Error(), "remote error: tls:")
}

func tlsRemedy(err error) string {
	var record tls.RecordHeaderError
	var name x509.HostnameError
	switch {
	case errors.As(err, &record):
		return "the other side does not speak TLS: unset DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or correct the port (2376 with TLS)"
	case errors.As(err, &name):
		return "the engine's certificate is for another name: use a name from it in DOCKER_HOST"
	case strings.Contains(err.Error(), "remote error: tls:"):
		return "the engine refused our certificate: cert.pem and key.pem in DOCKER_CERT_PATH must be signed by the authority the engine trusts, and not be expired"
	}
	return "the engine's certificate is not signed by ca.pem in DOCKER_CERT_PATH: copy the authority of this engine there"
}

// sshRemedy explains what an SSH server refused. Host keys and logins explain
// themselves where they are checked. OpenSSH gives the same answer when it may not
// forward and when the socket cannot be opened, so the advice covers both.
func sshRemedy(host hostAddress, err error) string {
	var open *ssh.OpenChannelError
	if !errors.As(err, &open) {
		return ""
	}
	return fmt.Sprintf("the login works, but user %s gets no connection to %s on that host: start the engine there; make the user a member of the group that owns the socket, "+
		"usually docker; and let sshd forward to sockets (AllowStreamLocalForwarding yes, no \"restrict\" in authorized_keys)", host.User, host.Socket)
}
