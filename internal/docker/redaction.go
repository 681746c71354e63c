package docker

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
)

// redaction takes the secrets out of an engine's descriptions of a container and
// its image, and remembers them for the logs.
type redaction struct {
	secrets *secret.Redactor
	baked   map[string]bool // NAME=value as the image has it: nobody's secret
}

// newRedaction reads from an image's description which variables are its own.
// Their values are the likes of a home directory, which would make a log
// unreadable if it were taken for a secret.
func newRedaction(image json.RawMessage) *redaction {
	r := &redaction{secrets: secret.NewRedactor(), baked: make(map[string]bool)}
	var own struct{ Config struct{ Env []string } }
	_ = json.Unmarshal(image, &own) // settings reports what cannot be read
	for _, pair := range own.Config.Env {
		r.baked[pair] = true
	}
	return r
}

// settings is an engine's answer for people: indented, and without secrets.
func (r *redaction) settings(raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("reading the engine's answer: %w", err)
	}
	return json.MarshalIndent(r.tree("", tree), "", "  ")
}

// tree replaces every value that is or may be a secret: environment variables that
// are not known to be public, labels and annotations that are not known to be
// harmless, options of volume drivers, tokens of log drivers, and whatever has the
// name of a secret. key is the name under which tree stands.
func (r *redaction) tree(key string, tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		for k, v := range t {
			if s, ok := v.(string); ok {
				t[k] = r.value(key, k, s)
			} else {
				t[k] = r.tree(k, v)
			}
		}
	case []any:
		for i, v := range t {
			if pair, ok := v.(string); ok && key == "Env" {
				t[i] = r.variable(pair)
			} else {
				t[i] = r.tree(key, v)
			}
		}
	}
	return tree
}

// variable keeps the name of an environment variable, and its value only when it
// is known to be public.
func (r *redaction) variable(pair string) string {
	name, value, has := strings.Cut(pair, "=")
	if !has {
		return pair
	}
	shown := gateway.Show(name, value)
	if shown != value && !r.baked[pair] {
		r.remember(value)
	}
	return name + "=" + shown
}

// remember also takes the password out of an address, which a log may show alone.
func (r *redaction) remember(value string) {
	r.secrets.Add(value)
	if u, err := url.Parse(value); err == nil {
		if password, has := u.User.Password(); has {
			r.secrets.Add(password)
		}
	}
}

// value replaces a string that stands under key in the map called parent.
func (r *redaction) value(parent, key, value string) string {
	if value != "" && soundsSecret(key) {
		r.secrets.Add(value)
		return secret.Value(value).String()
	}
	switch parent {
	case "Labels", "Annotations": // a reverse proxy's passwords may be here
		if hasPrefix(key, "aigw-ci.", "com.docker.", "org.opencontainers.", "maintainer") {
			return value
		}
	case "Options", "DriverOpts": // of volume drivers: a CIFS share has its password here
	default:
		return value
	}
	return secret.Value(value).String()
}

func hasPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// soundsSecret reports whether a setting's name says that its value is a secret:
// "splunk-token" of a log driver, say.
func soundsSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"password", "passwd", "secret", "token", "credential", "private", "apikey", "api_key"},
		func(part string) bool { return strings.Contains(name, part) })
}
