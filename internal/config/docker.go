package config

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/version"
)

// Source of names: github.com/moby/moby, daemon/names (RestrictedNamePattern).
var dockerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$`)

func containerName(value string) (string, error) {
	if !dockerName.MatchString(value) {
		return "", fmt.Errorf("%s is no name of a container: letters, digits, _ . -, at least two", quote(value))
	}
	return value, nil
}

func network(value string) (string, error) {
	switch {
	case value == "none":
		return "", errors.New("a gateway without a network reaches no GitLab")
	case !dockerName.MatchString(value):
		return "", fmt.Errorf("%s is no name of a network", quote(value))
	}
	return value, nil
}

// port checks [address:]host:container, as docker run --publish reads it, without
// ranges: an IPv6 address is in brackets.
func port(value string) (string, error) {
	wrong := fmt.Errorf("%s is no published port such as 5052:5052 or 127.0.0.1:5052:5052", quote(value))
	rest := strings.TrimSuffix(value, "/tcp")
	container := strings.LastIndexByte(rest, ':')
	if container < 0 {
		return "", wrong
	}
	host := strings.LastIndexByte(rest[:container], ':')
	for _, p := range []string{rest[container+1:], rest[host+1 : container]} {
		if p == "" || p[0] == '+' || !validPort(p) {
			return "", wrong
		}
	}
	if host < 0 {
		return rest, nil
	}
	ip := rest[:host]
	bracketed := strings.HasPrefix(ip, "[") && strings.HasSuffix(ip, "]")
	addr, err := netip.ParseAddr(strings.Trim(ip, "[]"))
	if err != nil || addr.Is6() != bracketed || addr.Zone() != "" {
		return "", wrong
	}
	return rest, nil
}

// mount checks source:target[:ro|rw], as docker run --volume reads it.
func mount(value string) (string, error) {
	parts := strings.Split(value, ":")
	switch {
	case len(parts) < 2 || len(parts) > 3:
		return "", fmt.Errorf("%s is no mount such as /srv/cache:/var/tmp/cache or cache:/var/tmp/cache:ro", quote(value))
	case len(parts) == 3 && parts[2] != "ro" && parts[2] != "rw":
		return "", fmt.Errorf("the option at the end of %s is neither ro nor rw", quote(value))
	case !plainPath(parts[0]) && !dockerName.MatchString(parts[0]):
		return "", fmt.Errorf("the source of %s is neither an absolute path nor the name of a volume", quote(value))
	case !plainPath(parts[1]) || parts[1] == "/":
		return "", fmt.Errorf("the target of %s is not an absolute path below /", quote(value))
	}
	return value, nil
}

func plainPath(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

func memory(value string) (string, error) {
	bytes, err := parseBytes(value)
	if err != nil {
		return "", err
	}
	if least := gateway.For(version.Line{}).Memory; bytes < least {
		return "", fmt.Errorf("%s is too little: a gateway needs at least %dm", quote(value), least>>20)
	}
	return value, nil
}

// parseBytes reads an amount as docker run --memory does: a whole number with b,
// k, m or g, of 1024 each.
func parseBytes(value string) (int64, error) {
	digits := strings.TrimRight(strings.ToLower(value), "bkmgi")
	shift, ok := map[string]uint{"": 0, "b": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30}[strings.ToLower(value)[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || n < 0 || n > 1<<50>>shift {
		return 0, fmt.Errorf("%s is no amount of memory such as 512m or 4g", quote(value))
	}
	return n << shift, nil
}

// EnvDecode reads what memory has checked.
func (b *Bytes) EnvDecode(_ context.Context, text string) error {
	if text == "" {
		*b = 0
		return nil
	}
	n, err := parseBytes(text)
	*b = Bytes(n)
	return err
}
