package kubernetes

import "aigw-ci/internal/secret"

// clean makes text of unknown origin fit for one line of a log: see [secret.Line].
func clean(s string, limit int) string { return secret.Line(s, limit) }
