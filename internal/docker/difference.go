package docker

import (
	"fmt"
	"slices"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// Difference is one setting that two containers do not share. It holds the values,
// so that two differences are equal only when the values are; but nothing that
// prints, encodes or reports it gets to see one that may be a secret.
type Difference struct {
	Field    string // "image", "environment.AIGW_GITLAB_URL", "HostConfig.Memory"
	from, to string
}

// Change is the difference for a plan or a report.
func (d Difference) Change() upgrade.Change {
	c := upgrade.Change{Field: clean(d.Field, 200), From: shown(d.Field, d.from), To: shown(d.Field, d.to)}
	if c.From == secret.Redacted {
		c.From = "(set)"
	}
	if c.To == secret.Redacted {
		if c.To = "(set)"; d.from != "" && d.from != d.to {
			c.To = "(changed)"
		}
	}
	return c
}

// String is the difference without secrets.
func (d Difference) String() string {
	c := d.Change()
	return fmt.Sprintf("%s: %q -> %q", c.Field, c.From, c.To)
}

// GoString is String, for "%#v".
func (d Difference) GoString() string { return d.String() }

// Changes are differences for a plan or a report.
func Changes(differences []Difference) []upgrade.Change {
	changes := make([]upgrade.Change, 0, len(differences))
	for _, d := range differences {
		changes = append(changes, d.Change())
	}
	return changes
}

// private are settings in which users put passwords and tokens: a logging driver's
// token, a proxy's basic authentication in a label, an argument of a command.
var private = []string{
	"Config.Cmd", "Config.Entrypoint", "Config.Healthcheck.Test", "Config.Labels.", "Config.Shell",
	"HostConfig.Annotations.", "HostConfig.LogConfig.Config.", "HostConfig.StorageOpt.",
}

// shown is a field's value as it may be reported.
func shown(field, value string) string {
	if value == "" || value == valueEmpty || value == valueRemoved {
		return value
	}
	if name, ok := strings.CutPrefix(field, "environment."); ok {
		return clean(gateway.Show(name, value), 300)
	}
	if strings.Contains(field, "DriverOpts") || strings.Contains(value, `"DriverConfig"`) || slices.ContainsFunc(private, func(p string) bool { return strings.HasPrefix(field, p) }) {
		return secret.Redacted
	}
	return clean(value, 300)
}
