package config

import (
	"net/netip"
	"strings"

	"aigw-ci/internal/version"
)

// compare reports settings that contradict each other, and warns about what is
// allowed and yet unwise.
func (l *loader) compare(s *Settings) {
	l.compareAddresses(s)
	l.compareAccount("registry.user", "registry.password")
	l.compareAccount("kubernetes.chart.user", "kubernetes.chart.password")
	l.compareTrust(s)
	l.compareTarget(s)
	l.compareKubernetes(s)
	l.compareVerify(s)
	l.comparePorts(s.Docker)
	l.compareMounts(s.Docker)
	for _, name := range s.Docker.Reload {
		if name == s.Docker.Container {
			l.wrong("docker.reload", "%s is the gateway itself: name the containers beside it", name)
		}
	}
	l.warnImage(s.Image)
	if !s.Rehearse && !s.Rollback {
		l.warn("rehearse and rollback are both off: a new gateway that does not work stays in place")
	}
	if value, ok := s.Gateway.Environment["AIGW_AUTH__BYPASS_EXTERNAL"]; ok && strings.EqualFold(value.Reveal(), "true") {
		l.warn("gateway.environment sets AIGW_AUTH__BYPASS_EXTERNAL: everyone may use the gateway, and its verification will fail")
	}
}

// compareAddresses refuses a GitLab on localhost: the gateway, in its container,
// would look for it within. A user who has given the gateway an address of its own
// for GitLab knows that.
func (l *loader) compareAddresses(s *Settings) {
	const own = "AIGW_GITLAB_URL"
	if value, ok := s.Gateway.Environment[own]; ok {
		if _, err := address(value.Reveal()); err != nil {
			l.wrong("gateway.environment", "%s: %v", own, err)
		}
	} else if isLoopback(s.GitLab.URL) {
		l.wrong("gitlab.url",
			"it leads to the machine that asks (localhost), and in a container that is the container: give GitLab's name in the network, or set %s in gateway.environment to the address the gateway shall use", own)
	}
	if s.Gateway.URL != "" && s.Gateway.URL == s.GitLab.URL {
		l.wrong("gateway.url", "it is the same as gitlab.url: give the gateway's own address")
	}
}

func (l *loader) compareAccount(user, password string) {
	switch {
	case l.set(user) && !l.set(password):
		l.wrong(user, "%s is not set: an account needs both", password)
	case l.set(password) && !l.set(user):
		l.wrong(password, "%s is not set: an account needs both", user)
	}
}

func (l *loader) compareTrust(s *Settings) {
	if s.Gateway.CAFile == "" {
		return
	}
	for _, name := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} {
		if _, ok := s.Gateway.Environment[name]; ok {
			l.wrong("gateway.ca_bundle", "it sets %s, and gateway.environment sets it too: leave one of them out", name)
		}
	}
}

func (l *loader) comparePorts(d Docker) {
	if d.Network == "host" && len(d.Ports) > 0 {
		l.wrong("docker.ports", "docker.network is host, where nothing is published: leave one of them out")
	}
	for i, a := range d.Ports {
		for _, b := range d.Ports[:i] {
			if sameHostPort(a, b) {
				l.wrong("docker.ports", "%s and %s want the same port of the host", quote(b), quote(a))
			}
		}
	}
}

func sameHostPort(a, b string) bool {
	ipA, portA := hostPort(a)
	ipB, portB := hostPort(b)
	all := !ipA.IsValid() || ipA.IsUnspecified() || !ipB.IsValid() || ipB.IsUnspecified()
	return portA == portB && (all || ipA == ipB)
}

// hostPort is the host's side of what port has checked.
func hostPort(published string) (netip.Addr, string) {
	host := published[:strings.LastIndexByte(published, ':')]
	i := strings.LastIndexByte(host, ':')
	ip, _ := netip.ParseAddr(strings.Trim(host[:max(i, 0)], "[]"))
	return ip, host[i+1:]
}

func (l *loader) compareMounts(d Docker) {
	seen := make(map[string]string)
	for _, m := range d.Mounts {
		target := strings.Split(m, ":")[1]
		if other, twice := seen[target]; twice {
			l.wrong("docker.mounts", "%s and %s have the same target", quote(other), quote(m))
		}
		seen[target] = m
		// Source: docs.gitlab.com/install/ai_gateway_troubleshooting.
		if target == "/home/aigateway" || strings.HasPrefix(target, "/home/aigateway/") {
			l.warn("docker.mounts: %s hides a part of the image; a gateway whose /home/aigateway/.hf is hidden answers completions with errors", m)
		}
	}
}

// warnImage warns about tags that exist and are not the self-hosted gateway.
func (l *loader) warnImage(i Image) {
	name, _, _ := strings.Cut(i.Tag, "@")
	if name == "" {
		return
	}
	if _, err := version.ParseTag(name); err == nil {
		return
	}
	hint := ""
	if rest, ok := strings.CutPrefix(name, "self-hosted-"); ok {
		if t, err := version.ParseTag("self-hosted-v" + rest); err == nil {
			hint = ": did you mean " + t.String() + "?"
		}
	}
	l.warn("image.tag: %s is not a stable tag of the self-hosted gateway, such as self-hosted-v18.2.8-ee%s", name, hint)
}
