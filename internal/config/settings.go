package config

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"aigw-ci/internal/secret"
)

// Settings is everything a user can say. The struct is also the list of settings:
// Catalogue reads the tags, and so flags, README and component inputs come from here.
//
//	env        name and default; the lists' separator is a line break
//	help       what it is, in one line
//	example    a value that is accepted
//	otherwise  what happens without a value, where there is no default
//
// The fields without an env tag are filled from the files that settings name. Paths
// are relative to the working directory.
type Settings struct {
	GitLab   GitLab   `env:", prefix=GITLAB_"`
	Image    Image    `env:", prefix=IMAGE_"`
	Registry Registry `env:", prefix=REGISTRY_"`

	CAFiles []string `env:"CA_FILE, delimiter=\n" help:"certificate authorities to trust besides the system's and CI_SERVER_TLS_CA_FILE, PEM" otherwise:"the system's and CI_SERVER_TLS_CA_FILE" example:"/etc/ssl/corp.pem"`
	CAs     [][]byte // PEM; what ca_file and CI_SERVER_TLS_CA_FILE hold

	Target     string     `env:"TARGET, default=docker" help:"where the gateway runs: docker, a container on a Docker Engine, or kubernetes, a Helm release" example:"kubernetes"`
	Gateway    Gateway    `env:", prefix=GATEWAY_"`
	Docker     Docker     `env:", prefix=DOCKER_"`
	Kubernetes Kubernetes `env:", prefix=KUBERNETES_"`
	Verify     Verify     `env:", prefix=VERIFY_"`

	Rehearse bool `env:"REHEARSE, default=true" help:"try the new gateway beside the old one before users see it" example:"false"`
	Rollback bool `env:"ROLLBACK, default=true" help:"put the old gateway back when the new one fails" example:"false"`

	Report Report `env:", prefix=REPORT_"`
	Log    Log    `env:", prefix=LOG_"`
}

// GitLab is the instance whose gateway this is.
type GitLab struct {
	URL     string       `env:"URL, default=$CI_SERVER_URL" help:"the instance whose gateway this is" example:"https://gitlab.example.com"` // no trailing slash
	Token   secret.Value `env:"TOKEN" help:"scope read_user or read_api to read the version; ai_features, of a user with GitLab Duo, to use the gateway through GitLab; read_api, of an administrator, to look at GitLab's settings; api to also keep a plan as a comment on its merge request" otherwise:"no token" example:"glpat-..."`
	Version string       `env:"VERSION" help:"take this version instead of reading one" otherwise:"read from GitLab" example:"18.2.1-ee"` // version.ParseGitLab reads it
}

// Image says where the image comes from.
type Image struct {
	Repositories []string `env:"REPOSITORY, delimiter=\n, default=registry.gitlab.com/gitlab-org/modelops/applied-ml/code-suggestions/ai-assist/model-gateway\ndocker.io/gitlab/model-gateway" help:"repositories to look in, tried in order" example:"registry.example.com/mirror/model-gateway"`
	Tag          string   `env:"TAG" help:"pin this tag, or tag@sha256:...; needed to cross minor releases" otherwise:"chosen for GitLab's version" example:"self-hosted-v18.2.8-ee"`
	Platform     string   `env:"PLATFORM" help:"platform of the image" otherwise:"the target's" example:"linux/amd64"`
}

// Registry is the account to read images with. Both are set or none.
type Registry struct {
	User     string       `env:"USER" help:"account at the image's registry" otherwise:"docker's configuration, DOCKER_AUTH_CONFIG, CI_REGISTRY_USER" example:"deploy"`
	Password secret.Value `env:"PASSWORD" help:"password or token of registry.user" otherwise:"docker's configuration, DOCKER_AUTH_CONFIG, CI_REGISTRY_PASSWORD" example:"gldt-..."`
}

// Gateway is what the gateway is told, on top of what it has already.
type Gateway struct {
	URL             string      `env:"URL" help:"the address by which GitLab reaches the gateway; without /v1, not localhost" otherwise:"not checked" example:"https://aigw.example.com"` // no trailing slash
	Environment     Environment `env:"ENVIRONMENT" help:"variables for the gateway, one NAME=value per line; in the file a map" otherwise:"none" example:"AIGW_LOGGING__LEVEL=debug"`
	EnvironmentFrom []string    `env:"ENVIRONMENT_FROM, delimiter=\n" help:"files with variables, for secrets: the path of a NAME=value file, or NAME=path for a file that is the value" otherwise:"none" example:"AIGW_SELF_SIGNED_JWT__SIGNING_KEY=/run/secrets/signing.key"`
	CAFile          string      `env:"CA_BUNDLE" help:"certificate authorities for the gateway to trust, PEM; mounted, and named in SSL_CERT_FILE and REQUESTS_CA_BUNDLE" otherwise:"the image's" example:"/etc/ssl/corp.pem"`
	CABundle        []byte      // PEM; what CAFile holds
}

// Docker is how the gateway runs on a Docker Engine. All but Container and Reload
// matter for a first install only.
type Docker struct {
	Container string   `env:"CONTAINER, default=gitlab-aigw" help:"the gateway's container; when there is none of that name, the one container that runs a gateway image" example:"ai-gateway"`
	Ports     []string `env:"PORTS, delimiter=\n" help:"ports to publish at a first install, [address:]host:container" otherwise:"5052:5052, and 50052:50052 from 18.4" example:"127.0.0.1:5052:5052"`
	Network   string   `env:"NETWORK, default=bridge" help:"network to join at a first install" example:"duo"`
	Restart   string   `env:"RESTART, default=unless-stopped" help:"restart policy at a first install: no, always, unless-stopped, on-failure[:times]" example:"always"`
	Memory    Bytes    `env:"MEMORY" help:"memory limit at a first install" otherwise:"none" example:"4g"`
	Mounts    []string `env:"MOUNTS, delimiter=\n" help:"mounts at a first install, source:target[:ro]; the source is a path on the engine's host, or a volume" otherwise:"none" example:"/srv/aigw/cache:/var/tmp/huggingface"`
	Reload    []string `env:"RELOAD, delimiter=\n" help:"containers that get SIGHUP when the new gateway has taken over, such as a proxy before it" otherwise:"none" example:"nginx-proxy"`
}

// Kubernetes is the Helm release that the gateway is on a cluster.
type Kubernetes struct {
	Namespace string `env:"NAMESPACE, default=ai-gateway" help:"namespace of the release; made at a first install when it is not there" example:"duo"`
	Release   string `env:"RELEASE, default=ai-gateway" help:"the gateway's Helm release" example:"duo-gateway"`
	Context   string `env:"CONTEXT, default=$KUBE_CONTEXT" help:"context of KUBECONFIG, with GitLab's agent PROJECT/PATH:AGENT; without one, the current context, or the cluster that the job runs in" example:"infrastructure/clusters:production"`

	Chart Chart `env:", prefix=CHART_"`

	Host        string   `env:"HOST" help:"host name of the gateway's Ingress" otherwise:"the release's own; at a first install, no Ingress" example:"aigw.example.com"`
	TLSCertFile string   `env:"TLS_CERT" help:"certificate for kubernetes.host with its chain, PEM file, the host's first" otherwise:"the release's own" example:"/etc/ssl/aigw.crt"`
	TLSKeyFile  string   `env:"TLS_KEY" help:"private key of kubernetes.tls_cert, PEM file" otherwise:"the release's own" example:"/etc/ssl/aigw.key"`
	Inline      Mapping  `env:"VALUES" help:"values for the chart, over those of the release, as YAML; in the file a map" otherwise:"the release's own" example:"replicaCount: 2"`
	ValuesFiles []string `env:"VALUES_FILES, delimiter=\n" help:"files with values for the chart, YAML; later ones win, kubernetes.values over all" otherwise:"none" example:"values/production.yml"`

	TLSCert []byte       // PEM; what TLSCertFile holds
	TLSKey  secret.Value // PEM; what TLSKeyFile holds
	Values  []Document   // what ValuesFiles hold, in order, and then Inline; later ones win
}

// Chart says where the chart is: in a repository, or in a file.
type Chart struct {
	Repository string       `env:"REPOSITORY, default=https://gitlab.com/api/v4/projects/gitlab-org%2fcharts%2fai-gateway-helm-chart/packages/helm/devel" help:"the chart's repository, https:// or oci://" example:"oci://registry.example.com/charts"`
	Name       string       `env:"NAME, default=ai-gateway" help:"name of the chart in its repository" example:"ai-gateway"`
	Version    string       `env:"VERSION" help:"version of the chart, which has nothing to do with GitLab's" otherwise:"the release's own; at a first install, the newest" example:"0.15.1"`
	Path       string       `env:"PATH" help:"the chart itself, a directory or a .tgz, instead of a repository" otherwise:"taken from the repository" example:"charts/ai-gateway-0.15.1.tgz"`
	User       string       `env:"USER" help:"account at the chart's repository" otherwise:"none; for oci://, as for images" example:"deploy"`
	Password   secret.Value `env:"PASSWORD" help:"password or token of kubernetes.chart.user" otherwise:"none; for oci://, as for images" example:"gldt-..."`
}

// Verify is how a gateway is judged.
type Verify struct {
	Timeout   time.Duration `env:"TIMEOUT, default=300s" help:"how long a gateway may take until it works" example:"10m"`
	Hold      time.Duration `env:"HOLD, default=30s" help:"how long it must stay well after that" example:"2m"`
	Successes int           `env:"SUCCESSES, default=3" help:"successful rounds of checks in a row that make it work" example:"5"`

	GitLab    string `env:"GITLAB, default=auto" help:"checks through GitLab: auto makes those that gitlab.token can, required fails without one of them, off makes none" example:"required"`
	RepairURL bool   `env:"REPAIR_URL, default=false" help:"write gateway.url into GitLab's settings when they have another address or none, as after the upgrade to 19.2; needs a token of an administrator, scope api" example:"true"`

	Rake     string `env:"RAKE" help:"how to reach the GitLab that can run gitlab:duo:verify_self_hosted_setup: local, docker:CONTAINER, kubernetes:NAMESPACE or ssh:USER@HOST[:PORT]" otherwise:"not run" example:"ssh:deploy@gitlab.example.com"`
	RakeUser string `env:"RAKE_USER" help:"GitLab user for whom that task asks: one with GitLab Duo" otherwise:"root" example:"alice"`
	RakeFlag bool   `env:"RAKE_FLAG, default=false" help:"run that task also before GitLab 17.8, where it may switch the feature flag ai_custom_model on" example:"true"`
}

// Report is where the reports go.
type Report struct {
	Dir string `env:"DIR, default=aigw-ci" help:"directory for the reports" example:"reports"`
}

// Log is how the log looks.
type Log struct {
	Level  slog.Level `env:"LEVEL, default=info" help:"debug, info, warn or error" example:"debug"`
	Format string     `env:"FORMAT, default=text" help:"text or json" example:"json"`
}

// Environment is variables by name. A variable that is set to nothing is there,
// with an empty value: gateways know settings where that means something.
type Environment map[string]secret.Value

// EnvDecode reads the form in which the sources hand a map to envconfig: JSON.
func (e *Environment) EnvDecode(_ context.Context, text string) error {
	var m map[string]string
	if text != "" {
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return err
		}
	}
	*e = make(Environment, len(m))
	for name, value := range m {
		(*e)[name] = secret.Value(value)
	}
	return nil
}

// encodeMap writes what EnvDecode reads.
func encodeMap(m map[string]string) string {
	text, _ := json.Marshal(m) // a map of strings never fails
	return string(text)
}

// Bytes is an amount of memory; 0 means that none is set.
type Bytes int64

// Mapping is a YAML document with a mapping in it; empty when none is set.
type Mapping string

// Document is a YAML document, a mapping or nothing, and where it comes from.
type Document struct {
	Source string // the file, or the setting
	Text   []byte
}
