package config

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// address checks the URL of a service and returns it without a slash at its end.
// Its errors never repeat the URL, which could have a password in it.
func address(value string) (string, error) {
	if !strings.Contains(value, "://") {
		return "", errors.New("it has no scheme: write https://gitlab.example.com")
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return "", errors.New("it is no URL such as https://gitlab.example.com")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("its scheme is neither https nor http")
	case u.User != nil:
		return "", errors.New("it has a user or a password in it: a token has a setting of its own")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(value, "#"):
		return "", errors.New("it has a query (?) or a fragment (#) in it: give the base address alone")
	case !validHost(u.Hostname()):
		return "", errors.New("it has no valid host name in it")
	case !validPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return "", errors.New("its port is not from 1 to 65535")
	}
	path := strings.TrimRight(u.Path, "/")
	switch {
	case strings.HasSuffix(path, "/v1"):
		return "", errors.New("it ends in /v1: give the base address alone (/v1 belongs to the addresses of models)")
	case strings.Contains(path+"/", "/api/v4/"):
		return "", errors.New("it has /api/v4 in it: give the base address alone")
	case strings.Contains(path, "//") || strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./"):
		return "", errors.New("its path is not a plain one")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

func gatewayAddress(value string) (string, error) {
	clean, err := address(value)
	if err == nil && isLoopback(clean) {
		return "", errors.New("it leads to the machine that asks (localhost): give the address by which GitLab reaches the gateway")
	}
	return clean, err
}

// isLoopback reports whether a URL leads whoever uses it to themselves. From
// within a container that is the container. Source: RFC 6761 section 6.3 for names.
func isLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsUnspecified()
	}
	switch host {
	case "localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback":
		return true
	}
	return strings.HasSuffix(host, ".localhost") || strings.HasPrefix(host, "127.") || host == "0"
}

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return false
		}
	}
	return true
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}
