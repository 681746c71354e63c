package gateway

import (
	_ "embed"
	"net/url"
	"strings"

	"aigw-ci/internal/secret"
)

// Public reports whether the values of the environment variable may be shown.
// It is a list of names that are known to hold no secret; everything else, such
// as the keys of model vendors, proxies and what users add, is taken for one.
func Public(name string) bool { return public[name] }

// Show is a variable's value as it may be written in a plan, a report or
// evidence: the value of a public variable, without the user and password of a
// URL; otherwise secret.Redacted. Empty values are shown as such.
func Show(name, value string) string {
	if !Public(name) {
		return secret.Value(value).String()
	}
	if !strings.Contains(value, "@") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return secret.Redacted
	}
	if u.User != nil {
		u.User = url.User("xxxxx") // as url.URL.Redacted does to passwords; a token can be the user
	}
	return u.String()
}

//go:embed public.json
var publicJSON []byte

// public is public.json by name; never changed.
var public = func() map[string]bool {
	type group struct {
		Source string   `json:"source"`
		Names  []string `json:"names"`
	}
	names := make(map[string]bool)
	for _, g := range decode[[]group]("public.json", publicJSON) {
		for _, name := range g.Names {
			names[name] = true
		}
	}
	return names
}()
