// Package registry finds the gateway image for a GitLab version in a container
// registry, and learns everything about it that can be learnt without pulling it.
//
// A gateway repository holds one tag per commit, by the tens of thousands, and
// about ten tags per minor release that matter. The OCI distribution
// specification lets a client start a listing anywhere in the order of names, so
// the tags of one minor are one short answer, however large the repository is. A
// registry that does not follow the specification gets a full listing instead:
// slower, never wrong.
//
// From a cold start, with a registry that wants a token:
//
//	GET tags/list?last=self-hosted-v18.2.   401, names the token service
//	GET the token                           (the one request that is not to the registry)
//	GET tags/list?last=self-hosted-v18.2.   the tags of 18.2
//	GET manifests/self-hosted-v18.2.8-ee    the digest, by hashing the answer
//	GET manifests/<platform's>, or the configuration when there is only one manifest
//
// No ping of /v2/ comes first, since the listing's own 401 says the same, and no
// HEAD: the manifest is needed anyway for the digests that a running container
// may be known by, and its hash is better proof than a header. Blobs may be
// answered with a redirect to a storage host, which is one more request there.
//
// Credentials leave only over TLS, or to loopback and private addresses, and only
// to the registry they are for and the token service that may speak for it.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/transport"
	"aigw-ci/internal/upgrade"
)

// DefaultRepositories are where GitLab publishes the gateway, in the order they
// are tried. Source: docs.gitlab.com/install/install_ai_gateway.
var DefaultRepositories = []string{
	"registry.gitlab.com/gitlab-org/modelops/applied-ml/code-suggestions/ai-assist/model-gateway",
	"docker.io/gitlab/model-gateway",
}

// patience bounds one Find or Describe, and with it how long a registry may ask to
// wait by Retry-After. An earlier deadline of the caller holds.
const patience = 5 * time.Minute

// Options are what a Registry is made of.
type Options struct {
	// Repositories are tried in order; empty means DefaultRepositories.
	Repositories []string

	// Tag pins the image: "tag" or "tag@sha256:...". It is taken as it is, and is the
	// only way to an image of another minor than GitLab's.
	Tag string

	// Transport is the road to the registries, without retries: they are added here.
	// It must be set.
	Transport http.RoundTripper

	// User and Password are for the registry of the first repository, and no other:
	// a password typed for one registry is not shown to the next.
	User     string
	Password secret.Value

	// Environment looks up a variable, as os.Getenv does; nil finds none. Read are
	// DOCKER_AUTH_CONFIG, DOCKER_CONFIG, HOME, CI_REGISTRY, CI_REGISTRY_USER,
	// CI_REGISTRY_PASSWORD, CI_DEPLOY_USER and CI_DEPLOY_PASSWORD.
	Environment func(string) string

	// TrustedRealms are hosts that may be asked for a token with the credentials of
	// any registry: the configured GitLab, which is the token service of its own.
	TrustedRealms []string

	// Redactor is told every secret that is read or received here, and takes secrets
	// out of what others answer before that is shortened: half a secret would not be
	// found. nil is one that nobody else has.
	Redactor *secret.Redactor

	Log *slog.Logger // nil discards
}

// Registry finds images. It may be used by several goroutines.
type Registry struct {
	repositories []repository
	defaults     bool // nobody chose the repositories
	pin          pin
	keys         *keyring
	realms       realms
	redact       *secret.Redactor
	log          *slog.Logger

	counter *transport.Counter
	road    http.RoundTripper // with retries, without credentials

	mu       sync.Mutex
	sessions map[string]*session // by repository
}

var _ upgrade.Images = (*Registry)(nil)

// repository is a repository as somebody spelled it and as it is addressed:
// "docker.io" is spoken to at index.docker.io.
type repository struct {
	written string
	name    name.Repository
}

func (r repository) host() string { return r.name.RegistryStr() }

// New checks the options, all of them, and contacts nobody.
func New(o Options) (*Registry, error) {
	r := &Registry{
		redact:   o.Redactor,
		log:      o.Log,
		realms:   newRealms(o.TrustedRealms),
		sessions: make(map[string]*session),
	}
	if r.redact == nil {
		r.redact = secret.NewRedactor()
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		return nil, errors.New("a registry needs a transport")
	}
	r.counter = &transport.Counter{Base: &plain{base: o.Transport, log: r.log}}
	r.road = &transport.Retry{Base: r.counter, Log: r.log}

	written := o.Repositories
	if len(written) == 0 {
		written, r.defaults = DefaultRepositories, true
	}
	var problems []error
	for _, w := range written {
		repo, err := parseRepository(w)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		r.repositories = append(r.repositories, repo)
	}
	var err error
	if r.pin, err = parsePin(o.Tag); err != nil {
		problems = append(problems, err)
	}
	if r.keys, err = newKeyring(o, r.first(), r.log, r.redact.Add); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return r, nil
}

// first is the registry that the settings' user and password are for.
func (r *Registry) first() string {
	if len(r.repositories) == 0 {
		return ""
	}
	return canonical(r.repositories[0].host())
}

// Requests is the number of requests made so far: to registries, to their token
// services and, where one redirects, to its storage.
func (r *Registry) Requests() int { return r.counter.Requests() }

// Bytes is the number of bytes read from the answers to them.
func (r *Registry) Bytes() int64 { return r.counter.Bytes() }

// Credentials are what the registry of a repository is shown for it, for those who
// must show it themselves, such as an engine that pulls. The zero Credential means
// that there are none.
func (r *Registry) Credentials(ctx context.Context, written string) (Credential, error) {
	repo, err := parseRepository(written)
	if err != nil {
		return Credential{}, err
	}
	return r.keys.find(ctx, repo)
}

// parseRepository reads a repository as docker does: without a registry it is one
// on Docker Hub.
func parseRepository(written string) (repository, error) {
	n, err := name.NewRepository(written)
	if err == nil {
		return repository{written, n}, nil
	}
	if len(written) > maxQuoted {
		return repository{}, fmt.Errorf("image.repository %s is not a repository", quote(written))
	}
	if _, err := name.ParseReference(written); err == nil && strings.ContainsAny(written, ":@") {
		return repository{}, fmt.Errorf("image.repository %s names a tag or a digest: put that part into image.tag", quote(written))
	}
	return repository{}, fmt.Errorf("image.repository %s is not a repository, such as %q", quote(written), DefaultRepositories[1])
}
