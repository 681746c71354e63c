package kubernetes

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
)

// field is one value in an object: where it is, and what it says.
type field struct {
	kind  string   // "Deployment"
	group string   // "apps"; empty for the core
	path  []string // "spec", "template", ..., "env", "[AIGW_GITLAB_URL]", "value"
	value string
}

// maxShown bounds a value in a difference, in bytes.
const maxShown = 200

// shown is the value for a plan or a report. What may be a secret is not: the data of
// Secrets, variables that are not known to be public, commands, headers, annotations
// that are not known to be harmless, and the password in an address.
func (f field) shown() string {
	if f.value == "" {
		return ""
	}
	if f.secret() {
		return secret.Redacted
	}
	if name, ok := f.variable(); ok {
		return clean(gateway.Show(name, f.value), maxShown)
	}
	return clean(withoutPassword(f.value), maxShown)
}

func (f field) secret() bool {
	top, last := f.path[0], f.path[len(f.path)-1]
	switch {
	case f.kind == "Secret":
		return top == "data" || top == "stringData" || top == "metadata" && f.has("annotations")
	case f.has("annotations"):
		return !f.harmlessAnnotation()
	case f.has("command"), f.has("args"), f.has("httpHeaders") && last == "value":
		return true
	case f.kind == "ConfigMap" && (top == "data" || top == "binaryData"):
		return false // as a variable, see there
	case !known(f.group): // a kind that others have made
		return slices.ContainsFunc(f.path, soundsSecret)
	}
	return false
}

// variable is the environment variable whose value the field is.
func (f field) variable() (name string, ok bool) {
	if f.kind == "ConfigMap" && (f.path[0] == "data" || f.path[0] == "binaryData") && len(f.path) == 2 {
		return f.path[1], true // the chart's is read as variables, with envFrom
	}
	n := len(f.path)
	if n >= 3 && f.path[n-1] == "value" && f.path[n-3] == "env" {
		return strings.Trim(f.path[n-2], "[]"), true
	}
	return "", false
}

func (f field) has(part string) bool { return slices.Contains(f.path, part) }

// openAnnotations are annotations, or beginnings of them, that hold no secrets. Others may:
// those of an Ingress hold whole pieces of configuration.
var openAnnotations = []string{
	"checksum/", "meta.helm.sh/", "helm.sh/", "prometheus.io/", "deployment.kubernetes.io/", "kubernetes.io/ingress.class",
	"nginx.ingress.kubernetes.io/backend-protocol", "nginx.ingress.kubernetes.io/proxy-", "cert-manager.io/", "eks.amazonaws.com/role-arn",
}

func (f field) harmlessAnnotation() bool {
	return slices.ContainsFunc(openAnnotations, func(prefix string) bool {
		return strings.HasPrefix(f.path[len(f.path)-1], prefix)
	})
}

// known reports whether a group is one of Kubernetes' own, in which secrets lie in
// Secrets.
func known(group string) bool {
	switch group {
	case "", "apps", "batch", "autoscaling", "policy":
		return true
	}
	return strings.HasSuffix(group, ".k8s.io") || group == "gateway.networking.k8s.io"
}

// soundsSecret reports whether a name says that what it names is a secret.
func soundsSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"password", "passwd", "secret", "token", "credential", "private", "apikey", "api_key", "data"},
		func(part string) bool { return strings.Contains(name, part) })
}

var address = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]*@[^\s"'<>]*`)

// withoutPassword takes the user and password out of every address in a text.
func withoutPassword(text string) string {
	if !strings.Contains(text, "@") {
		return text
	}
	return address.ReplaceAllStringFunc(text, func(at string) string {
		u, err := url.Parse(at)
		if err != nil || u.Host == "" {
			return secret.Redacted
		}
		if u.User != nil {
			u.User = url.User("xxxxx") // as gateway.Show does: a token can be the user
		}
		return u.String()
	})
}
