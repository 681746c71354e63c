package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// The roads to a GitLab that can run the rake task. The user of ssh: is one of the
// system, as useradd(8) makes them, with the capitals and dots that directories give.
var (
	rakeContainer = regexp.MustCompile(`^docker:[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$`)
	rakeNamespace = regexp.MustCompile(`^kubernetes:` + label + `$`)
	rakeSSH       = regexp.MustCompile(`^ssh:[a-zA-Z_][a-zA-Z0-9_.-]{0,31}@(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+)(?::([1-9][0-9]{0,4}))?$`)
)

// rake checks a road: local, docker:CONTAINER, kubernetes:NAMESPACE or
// ssh:USER@HOST[:PORT].
func rake(value string) (string, error) {
	if m := rakeSSH.FindStringSubmatch(value); value == "local" || rakeContainer.MatchString(value) || rakeNamespace.MatchString(value) ||
		m != nil && sshHost(m[1]) && validPort(m[2]) {
		return value, nil
	}
	switch road, _, _ := strings.Cut(value, ":"); road {
	case "docker":
		return "", fmt.Errorf("%s does not end in the name of a container, as docker:gitlab does", quote(value))
	case "kubernetes":
		return "", fmt.Errorf("%s does not end in the name of a namespace, as kubernetes:gitlab does", quote(value))
	case "ssh":
		// Not quoted: a password may be in it.
		return "", errors.New("it does not end in USER@HOST or USER@HOST:PORT, as ssh:deploy@gitlab.example.com does")
	}
	return "", fmt.Errorf("%s is none of local, docker:CONTAINER, kubernetes:NAMESPACE, ssh:USER@HOST[:PORT]", quote(value))
}

// sshHost reports whether a host is a name or an address, an IPv6 one in brackets.
func sshHost(host string) bool {
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && ip.Is6()
	}
	for part := range strings.SplitSeq(host, ".") {
		if len(part) > 63 || part == "" || strings.HasPrefix(part, "-") || strings.HasSuffix(part, "-") {
			return false
		}
	}
	return len(host) <= 253
}
