package registry

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"aigw-ci/internal/secret"
)

// Credential is what a registry is shown. The zero value shows nothing.
type Credential struct {
	Username      string
	Password      secret.Value
	IdentityToken secret.Value // instead of a password: an OAuth2 refresh token
	Source        string       // where it was found, for a person: "DOCKER_AUTH_CONFIG"
}

// sources are all places that are searched, for a person.
const sources = "registry.user, DOCKER_AUTH_CONFIG, the docker configuration, CI_DEPLOY_USER or CI_REGISTRY_USER"

// keyring holds the credentials of a job, from everywhere they may be.
//
// The order is from what was said for this program to what every job has anyway:
// the settings, DOCKER_AUTH_CONFIG, the docker configuration file, the deploy token,
// the job's own CI_REGISTRY_*.
type keyring struct {
	settings configured
	docker   []*dockerConfig
	ci       []configured
	redact   func(...string)
}

// configured is one credential and the only registry it is for.
type configured struct {
	host string
	Credential
}

// newKeyring reads everything but the helpers, which are asked when a registry wants
// to know. first is the registry of the first repository.
func newKeyring(o Options, first string, log *slog.Logger, redact func(...string)) (*keyring, error) {
	env := o.Environment
	if env == nil {
		env = func(string) string { return "" }
	}
	k := &keyring{redact: redact}
	var problems []error
	if (o.User == "") != (o.Password == "") {
		problems = append(problems, errors.New("registry.user and registry.password belong together: one of them is missing"))
	}
	k.settings = configured{first, Credential{Username: o.User, Password: o.Password, Source: "registry.user"}}

	for _, load := range []func() (*dockerConfig, error){
		func() (*dockerConfig, error) { return dockerAuthConfig(env("DOCKER_AUTH_CONFIG")) },
		func() (*dockerConfig, error) { return dockerConfigFile(env("DOCKER_CONFIG"), env("HOME")) },
	} {
		config, err := load()
		if err != nil {
			problems = append(problems, err)
		}
		if config != nil {
			config.run, config.log = runHelper, log
			k.docker = append(k.docker, config)
		}
	}

	host := canonical(env("CI_REGISTRY"))
	for _, pair := range []string{"CI_DEPLOY", "CI_REGISTRY"} {
		user, password := env(pair+"_USER"), env(pair+"_PASSWORD")
		if host != "" && user != "" && password != "" {
			k.ci = append(k.ci, configured{host, Credential{Username: user, Password: secret.Value(password), Source: pair + "_USER"}})
		}
	}
	return k, errors.Join(problems...)
}

// find returns the credential for a repository, or none.
func (k *keyring) find(ctx context.Context, repo repository) (Credential, error) {
	cred, err := k.search(ctx, repo)
	if err != nil {
		return Credential{}, err
	}
	k.redact(cred.Password.Reveal(), cred.IdentityToken.Reveal())
	return cred, nil
}

func (k *keyring) search(ctx context.Context, repo repository) (Credential, error) {
	host := canonical(repo.host())
	if k.settings.Username != "" && k.settings.host == host {
		return k.settings.Credential, nil
	}
	for _, config := range k.docker {
		cred, err := config.find(ctx, host, repo.name.RepositoryStr())
		if err != nil || cred != (Credential{}) {
			return cred, err
		}
	}
	for _, ci := range k.ci {
		if ci.host == host {
			return ci.Credential, nil
		}
	}
	return Credential{}, nil
}

// hubKey is the name under which docker login keeps the credentials of Docker Hub.
const hubKey = "https://index.docker.io/v1/"

// canonical is the one spelling of a registry's host here: without scheme and path,
// and with one name for Docker Hub, which has several.
func canonical(host string) string {
	host = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(host), "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	host = strings.ToLower(host)
	if isHub(host) {
		return name.DefaultRegistry
	}
	return host
}

func isHub(host string) bool {
	switch host {
	case "docker.io", "index.docker.io", "registry-1.docker.io":
		return true
	}
	return false
}
