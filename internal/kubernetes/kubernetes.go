// Package kubernetes is the gateway as a Helm release: an upgrade.Target on a
// cluster. It is the only package that knows Helm and the Kubernetes API.
//
// A release has revisions, and a revision is what an upgrade keeps: the one that was
// observed before the upgrade is where Restore goes back to, whatever Helm believes
// was the last good one. Everything a revision refers to - the variables, the
// certificates - lies in objects whose names hold a hash of their content, so that
// going back to a revision goes back to its settings as well.
//
// The chart's own rolling update is the swap: the old pods serve until new ones are
// ready. That is why an installation that fails takes nobody's gateway away, and why
// the rehearsal of the new image runs beside the old one, behind no Service.
//
// Sources: helm.sh/docs, kubernetes.io/docs, docs.gitlab.com/install/install_ai_gateway.
package kubernetes

import (
	"log/slog"
	"net/http"
	"time"

	"aigw-ci/internal/secret"
)

// Options describe the release that is looked after.
type Options struct {
	Release   string // Helm's name of it: "ai-gateway"
	Namespace string

	// Repositories are where gateway images come from, besides those that are known by
	// name: they tell the gateway's container from others in the release.
	Repositories []string

	Chart    ChartSource
	Declared Declared

	Who     string        // this run, to others: a job's URL, or user@host
	Wait    time.Duration // how long Helm may wait for the objects to become ready
	LockTTL time.Duration // until a lock without a sign of life counts as a dead run's; zero means 30 s

	// Redact is told every secret that is read from the cluster or from a setting.
	Redact func(values ...string)
	Log    *slog.Logger // nil discards
}

// ChartSource says where the chart is. Path wins over Repository.
type ChartSource struct {
	Repository string // "https://.../packages/helm/devel", or "oci://registry.example.com/charts"
	Name       string // "ai-gateway"
	Version    string // as the setting asks; empty means newest for an installation, and the release's own for an upgrade
	Path       string // a directory or a .tgz, for clusters without a way out

	User      string
	Password  secret.Value
	Transport http.RoundTripper // with the certificate authorities, the proxy and the user agent
	Docker    []byte            // a Docker config.json with credentials for oci://; empty when there is none
}

// Declared is what the settings say about the gateway on this target.
type Declared struct {
	GitLabURL string // AIGW_GITLAB_URL, and from it the API's; empty leaves the chart's

	Environment map[string]secret.Value // gateway.environment and environment_from
	CABundle    []byte                  // gateway.ca_bundle: PEM; empty when not set

	Host    string       // kubernetes.host: the Ingress's
	TLSCert []byte       // kubernetes.tls_cert: PEM, the leaf first
	TLSKey  secret.Value // kubernetes.tls_key: PEM

	// Values are kubernetes.values_files, in order, and then kubernetes.values: each a
	// YAML document. Later ones win.
	Values []Document
}

// Document is a YAML document and where it comes from.
type Document struct {
	Source string // "kubernetes.values", or a file's name
	Text   []byte
}
