// Package lab is a stand-in estate: a GitLab, a registry full of gateway images, and
// the gateway in them. It follows what is public about the real ones to the status
// code and the body, so that everything around it can be tried and tested without
// them. It shares no code with the program it tests, and so none of its mistakes.
package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/internal/lab/registry"
	"aigw-ci/internal/lab/wire"
)

// The repositories of the estate's registry, under the names they have in public.
const (
	Repository = "gitlab-org/modelops/applied-ml/code-suggestions/ai-assist/model-gateway"
	DockerHub  = "gitlab/model-gateway" // stable tags only, and no "latest"
)

// Options describe an estate. The zero value is one on loopback, with free ports.
type Options struct {
	GitLabAddr   string   // "127.0.0.1:0" when empty
	RegistryAddr string   // likewise
	ExtraAddrs   []string // more hosts to listen on, with the same ports: "172.17.0.1" lets containers in

	Version string // GitLab's; "18.2.1-ee" when empty
	Root    string // GitLab's relative URL root, "/gitlab"

	Seed     uint64 // of the commit-hash tags
	HashTags int    // how many there are

	// Binary is the stand-in gateway's program, from image.BuildBinary. Without one
	// the images can be found and pulled, and not run.
	Binary    string
	BootDelay time.Duration // of gateways that are not published with another

	// TLS serves GitLab and the registry with certificates of Estate.CA.
	TLS bool

	// Private refuses the registry to the anonymous.
	Private bool

	// OwnRealm puts the token endpoint on the registry's own address. Otherwise it
	// is GitLab's, on another port, as on a self-managed instance.
	OwnRealm bool
}

// Estate is a running lab.
type Estate struct {
	GitLab   *gitlab.Server
	Registry *registry.Server

	GitLabURL    string // "http://127.0.0.1:40001", with the relative root
	RegistryHost string // "127.0.0.1:40002"
	CA           []byte // PEM; nil without TLS

	options Options
	servers []*wire.Server
}

// Start starts an estate, which runs until Close. ctx is for starting alone.
func Start(ctx context.Context, o Options) (_ *Estate, err error) {
	if o.GitLabAddr == "" {
		o.GitLabAddr = "127.0.0.1:0"
	}
	if o.RegistryAddr == "" {
		o.RegistryAddr = "127.0.0.1:0"
	}
	e := &Estate{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting the lab: %w", err), e.Close())
		}
	}()
	certificate, err := e.certificate()
	if err != nil {
		return nil, err
	}
	var private []string
	if o.Private {
		private = []string{Repository, DockerHub}
	}
	e.GitLab = gitlab.New(gitlab.Options{Version: o.Version, Root: o.Root, Private: private})
	gitlabHost, err := e.serve(ctx, e.GitLab, certificate, o.GitLabAddr)
	if err != nil {
		return nil, err
	}
	e.GitLabURL = e.scheme() + gitlabHost + strings.TrimSuffix(o.Root, "/")

	e.Registry = registry.New(registry.Options{Authority: e.GitLab, Realm: e.realm, Image: e.release})
	e.Registry.AddTags(Repository, HashTags(o.Seed, o.HashTags)...)
	e.Registry.AddTags(Repository, Tags()...)
	e.Registry.AddTags(DockerHub, slices.DeleteFunc(Tags(), func(tag string) bool {
		return !strings.HasPrefix(tag, "self-hosted-")
	})...)
	e.RegistryHost, err = e.serve(ctx, e.withRealm(e.Registry), certificate, o.RegistryAddr)
	return e, err
}

// serve runs h on addr and on the extra hosts, and returns the address it got.
func (e *Estate) serve(ctx context.Context, h http.Handler, certificate *tls.Certificate, addr string) (string, error) {
	listeners, err := wire.Listen(ctx, addr, e.options.ExtraAddrs...)
	if err != nil {
		return "", err
	}
	e.servers = append(e.servers, wire.Serve(h, certificate, listeners...))
	return listeners[0].Addr().String(), nil
}

// Close ends the estate and waits for its servers.
func (e *Estate) Close() error {
	var errs []error
	for _, s := range e.servers {
		errs = append(errs, s.Close())
	}
	e.servers = nil
	return errors.Join(errs...)
}

// Repository is the first repository, as an image reference begins:
// "127.0.0.1:40002/gitlab-org/.../model-gateway".
func (e *Estate) Repository() string { return e.RegistryHost + "/" + Repository }

// GitLabURLAt is GitLab's address on one of the extra hosts.
func (e *Estate) GitLabURLAt(host string) string {
	return e.scheme() + net.JoinHostPort(host, e.gitlabPort()) + strings.TrimSuffix(e.options.Root, "/")
}

// SetVersion upgrades GitLab: "18.3.6-ee".
func (e *Estate) SetVersion(v string) { e.GitLab.SetVersion(v) }

// Publish releases a gateway, or releases a tag once more with another image.
func (e *Estate) Publish(tag string, mode gateway.Mode) error {
	return e.PublishImage(image.Options{Tag: tag, Mode: mode})
}

// PublishImage is Publish with everything an image can have. Without a Binary it
// gets the estate's, and without a BootDelay likewise.
func (e *Estate) PublishImage(o image.Options) error {
	built, err := image.Build(e.complete(o))
	if err != nil {
		return err
	}
	for _, repository := range []string{Repository, DockerHub} {
		if err := e.Registry.Push(repository, o.Tag, built); err != nil {
			return err
		}
	}
	return nil
}

// release makes the image of a tag that nobody published, when it is first wanted.
func (e *Estate) release(_, tag string) (v1.Image, error) {
	return image.Build(e.complete(image.Options{Tag: tag}))
}

func (e *Estate) complete(o image.Options) image.Options {
	if o.Binary == "" {
		o.Binary = e.options.Binary
	}
	if o.BootDelay == 0 {
		o.BootDelay = e.options.BootDelay
	}
	return o
}
