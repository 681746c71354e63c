package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"slices"
	"strings"

	"aigw-ci/internal/secret"
)

// Declared is what the user's settings say about the gateway.
type Declared struct {
	// Environment is set on top of what the container has. A variable that is no
	// longer declared stays until it is declared otherwise.
	Environment map[string]secret.Value

	// CABundle is a PEM file that the gateway trusts; nil when none is declared.
	CABundle []byte
}

// Where a CA bundle is put: in a directory of its own, readable by everybody, as
// the gateway runs without privileges from 17.6 on, and not in /tmp, where the
// gateway writes.
const (
	bundleDir  = "/etc/aigw-ci"
	bundlePath = bundleDir + "/ca-bundle.pem"
)

// bundleVariables point the gateway's HTTP clients to its CA bundle. The requests
// library reads one, httpx only the other. Source:
// docs.gitlab.com/install/install_ai_gateway; ai-assist, config.py.
var bundleVariables = []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}

// Declare applies declared settings to the recipe. What they change shows in
// Differences.
func (r *Recipe) Declare(d Declared) Findings {
	var found Findings
	if d.CABundle != nil {
		sum := sha256.Sum256(d.CABundle)
		digest := hex.EncodeToString(sum[:])
		if digest != r.Origin.CABundle {
			found.note("the CA bundle replaces the authorities that the gateway's image trusts: it must also hold the public ones if models are reached on public addresses")
		}
		r.deposit(d.CABundle, digest)
		if at := r.mountAbove(bundlePath); at != "" {
			found.refuse("the CA bundle belongs at %s, but the container has a mount at %s: mount the bundle yourself and declare SSL_CERT_FILE and REQUESTS_CA_BUNDLE", bundlePath, at)
		}
		for _, name := range bundleVariables {
			r.Set(name, bundlePath)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		r.Set(name, d.Environment[name])
	}
	return found
}

// Set sets one environment variable, as the user's choice.
func (r *Recipe) Set(name string, value secret.Value) {
	r.Config.Env = variables(r.Config.Env).with(name + "=" + value.Reveal())
	if !slices.Contains(r.Origin.Environment, name) {
		r.Origin.Environment = append(slices.Clip(r.Origin.Environment), name)
		slices.Sort(r.Origin.Environment)
	}
}

// deposit puts a CA bundle into the recipe, in place of an earlier one.
func (r *Recipe) deposit(bundle []byte, digest string) {
	r.Origin.CABundle = digest
	r.Files = slices.DeleteFunc(slices.Clone(r.Files), func(f Deposit) bool { return f.Path == bundlePath })
	r.Files = append(r.Files, Deposit{Path: bundlePath, Mode: 0o644, Data: bundle})
}

// mountAbove finds a mount that a file would end up in: a directory of the host,
// perhaps. It returns the mount's place, or "".
func (r Recipe) mountAbove(file string) string {
	var targets []string
	for _, bind := range r.HostConfig.Binds {
		_, target := bindEnds(bind)
		targets = append(targets, target)
	}
	for _, m := range r.HostConfig.Mounts {
		targets = append(targets, m.Target)
	}
	targets = slices.AppendSeq(targets, maps.Keys(r.HostConfig.Tmpfs))
	for _, target := range slices.Sorted(slices.Values(targets)) {
		if target = path.Clean(target); file == target || strings.HasPrefix(file, strings.TrimSuffix(target, "/")+"/") {
			return target
		}
	}
	return ""
}
