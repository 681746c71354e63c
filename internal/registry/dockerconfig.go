package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"aigw-ci/internal/secret"
)

// dockerConfig is the part of docker's config.json that holds credentials. GitLab's
// DOCKER_AUTH_CONFIG has the same form. Everything else in it is ignored. Sources:
// docs.docker.com/reference/cli/docker/login, docs.gitlab.com/ci/docker/using_docker_images.
type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredHelpers map[string]string     `json:"credHelpers"`
	CredsStore  string                `json:"credsStore"`

	source string
	run    helper
	log    *slog.Logger
}

type dockerAuth struct {
	Auth          string       `json:"auth"` // base64 of "user:password"
	Username      string       `json:"username"`
	Password      secret.Value `json:"password"`
	IdentityToken secret.Value `json:"identitytoken"`
}

// maxDockerConfig bounds a docker configuration, in bytes.
const maxDockerConfig = 1 << 20

// dockerAuthConfig reads the variable itself. No docker configuration file needs to
// exist for it to count.
func dockerAuthConfig(value string) (*dockerConfig, error) {
	if strings.TrimSpace(value) == "" {
		return nil, nil
	}
	return parseDockerConfig("DOCKER_AUTH_CONFIG", []byte(value))
}

// dockerConfigFile reads config.json in dir, or in home's .docker. That there is none
// is no error.
func dockerConfigFile(dir, home string) (*dockerConfig, error) {
	if dir == "" {
		if home == "" {
			return nil, nil
		}
		dir = filepath.Join(home, ".docker")
	}
	path := filepath.Join(dir, "config.json")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the docker configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDockerConfig+1))
	if err != nil {
		return nil, fmt.Errorf("reading the docker configuration: %w", err)
	}
	return parseDockerConfig(path, b)
}

// parseDockerConfig never repeats what it reads: it is made of secrets.
func parseDockerConfig(source string, b []byte) (*dockerConfig, error) {
	if len(b) > maxDockerConfig {
		return nil, fmt.Errorf("%s is larger than %d bytes", source, maxDockerConfig)
	}
	config := &dockerConfig{source: source}
	if json.Unmarshal(b, config) != nil {
		return nil, fmt.Errorf(`%s is not a docker configuration in JSON, such as {"auths": {"registry.example.com": {"auth": "..."}}}`, source)
	}
	return config, nil
}

// find looks for the credential of a repository: the helper for its registry, an
// entry of its own, the store for everything else.
func (c *dockerConfig) find(ctx context.Context, host, path string) (Credential, error) {
	for key, helper := range c.CredHelpers {
		if canonical(key) == host {
			return c.ask(ctx, helper, host)
		}
	}
	if cred, err := c.entry(host, path); err != nil || cred != (Credential{}) {
		return cred, err
	}
	if c.CredsStore == "" {
		return Credential{}, nil
	}
	cred, err := c.ask(ctx, c.CredsStore, host)
	if errors.Is(err, exec.ErrNotFound) {
		// The setting came with somebody's desktop; it is for all registries, also the
		// public ones, which need no credentials.
		c.log.Warn("a credential store cannot be asked, going on without it", "named_in", c.source, "error", err)
		return Credential{}, nil
	}
	return cred, err
}

// entry finds the credential with the longest key that covers the repository: a key
// may be a registry, or a registry and the beginning of a path.
func (c *dockerConfig) entry(host, path string) (Credential, error) {
	best, found := dockerAuth{}, -1
	for key, auth := range c.Auths {
		scope := strings.Trim(strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://"), "/")
		_, scope, _ = strings.Cut(scope, "/")
		if scope == "v1" || scope == "v2" { // the API's root, not a repository
			scope = ""
		}
		covers := scope == "" || path == scope || strings.HasPrefix(path, scope+"/")
		if canonical(key) == host && covers && len(scope) > found && !auth.empty() {
			best, found = auth, len(scope)
		}
	}
	if found < 0 {
		return Credential{}, nil
	}
	cred := Credential{Username: best.Username, Password: best.Password, IdentityToken: best.IdentityToken, Source: c.source}
	if best.Auth != "" {
		decoded, err := base64.StdEncoding.DecodeString(best.Auth)
		user, password, ok := strings.Cut(string(decoded), ":")
		if err != nil || !ok {
			return Credential{}, fmt.Errorf(`%s: the "auth" for %s is not the base64 of "user:password"`, c.source, host)
		}
		cred.Username, cred.Password = user, secret.Value(strings.TrimRight(password, "\x00"))
	}
	return cred, nil
}

// ask runs a helper for one registry.
func (c *dockerConfig) ask(ctx context.Context, helper, host string) (Credential, error) {
	server := host
	if host == name.DefaultRegistry {
		server = hubKey
	}
	cred, err := c.run(ctx, helper, server)
	if err != nil {
		return Credential{}, fmt.Errorf("asking the credential helper %s named in %s: %w", quote(helper), c.source, err)
	}
	if cred != (Credential{}) {
		cred.Source = fmt.Sprintf("docker-credential-%s, named in %s", helper, c.source)
	}
	return cred, nil
}

// empty is what docker login leaves when a store keeps the credential.
func (a dockerAuth) empty() bool { return a == dockerAuth{} }
