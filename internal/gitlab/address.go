package gitlab

import (
	"net"
	"net/url"
	"strings"
)

// sameInstance reports whether two addresses lead to one GitLab: host, port and
// relative root are equal. The scheme does not count, and a scheme's own port is
// like none, because an instance behind a proxy that ends TLS often knows itself
// as http while everybody calls it by https.
func sameInstance(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	return errA == nil && errB == nil && ua.Hostname() != "" &&
		host(ua) == host(ub) && strings.Trim(ua.Path, "/") == strings.Trim(ub.Path, "/")
}

// host is the host and port of u, in one spelling.
func host(u *url.URL) string {
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	port := u.Port()
	if u.Scheme == "http" && port == "80" || u.Scheme == "https" && port == "443" {
		port = ""
	}
	return net.JoinHostPort(name, port)
}

// mayFollow reports whether a request with the token may go from one address to
// another: to the same host only, and never out of TLS.
func mayFollow(from, to *url.URL) bool {
	return host(from) == host(to) && (to.Scheme == "https" || to.Scheme == from.Scheme)
}

// place is an address as an error may show it: without user, query and fragment,
// which can hold secrets.
func place(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "an address that cannot be read"
	}
	return cut((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}
