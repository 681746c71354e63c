package config

import "strings"

// compareTarget refuses settings of a target that was not chosen. Who names a
// namespace and forgets the target would otherwise get a container.
func (l *loader) compareTarget(s *Settings) {
	for _, setting := range catalogue {
		of, _, _ := strings.Cut(setting.Name, ".")
		if of != "docker" && of != "kubernetes" || of == s.Target || !l.given(setting) {
			continue
		}
		l.wrong(setting.Name, "it is for the target %s, and target is %s: leave it out, or set target to %s", of, s.Target, of)
	}
}

// given reports whether a user has set a setting, other than through its default.
func (l *loader) given(s Setting) bool {
	_, ok := l.entry(s.Variable)
	return ok
}

func (l *loader) compareKubernetes(s *Settings) {
	const host, cert, key = "kubernetes.host", "kubernetes.tls_cert", "kubernetes.tls_key"
	switch {
	case l.set(cert) && !l.set(key):
		l.wrong(cert, "%s is not set: a certificate needs its key", key)
	case l.set(key) && !l.set(cert):
		l.wrong(key, "%s is not set: a key needs its certificate", cert)
	case l.set(cert) && !l.set(host):
		l.wrong(cert, "%s is not set: a certificate is for a host", host)
	case l.set(host) && !l.set(cert) && s.Target == "kubernetes":
		l.warn("kubernetes.host is set without kubernetes.tls_cert: unless the release has a certificate, or something before it, users reach the gateway without TLS")
	}
	if s.Kubernetes.Chart.Path == "" {
		return
	}
	for _, name := range []string{"repository", "name", "user", "password"} {
		if setting, _ := named("kubernetes.chart." + name); l.given(setting) {
			l.wrong(setting.Name, "kubernetes.chart.path is set, and no repository is asked for the chart: leave one of them out")
		}
	}
}

// compareVerify refuses what would have no effect, and what could only fail: after
// the gateway was changed.
func (l *loader) compareVerify(s *Settings) {
	const repair = "verify.repair_url"
	v := s.Verify
	switch {
	case v.RepairURL && v.GitLab == "off":
		l.wrong(repair, "verify.gitlab is off, and nothing is looked at there: leave one of them out")
	case v.RepairURL && s.Gateway.URL == "":
		l.wrong(repair, "gateway.url is not set: it is what would be written into GitLab's settings")
	}
	if v.GitLab == "required" && !l.set("gitlab.token") {
		l.wrong("verify.gitlab", "gitlab.token is not set: without one nothing can be checked through GitLab")
	}
	for _, name := range []string{"verify.rake_user", "verify.rake_flag"} {
		if v.Rake == "" && l.set(name) && (name != "verify.rake_flag" || v.RakeFlag) {
			l.wrong(name, "verify.rake is not set, and the task is not run: set it, or leave this out")
		}
	}
}
