package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// Credentials are what the engine shows the registry. The zero value is an
// anonymous pull.
type Credentials struct {
	User     string
	Password secret.Value
	Token    secret.Value // an identity token, in place of a password
	Source   string       // where they come from, for messages: "DOCKER_AUTH_CONFIG"
}

// Has reports whether the engine already has the image, under its repository, by
// its digest and for its platform. An image that came from another repository
// counts as absent: a container could not be created from image.Reference.
func (e *Engine) Has(ctx context.Context, image upgrade.Image) (bool, error) {
	found, err := e.api.ImageInspect(ctx, image.Pull())
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, e.explain("looking for image "+image.Pull(), err)
	}
	if !slices.ContainsFunc(found.RepoDigests, func(name string) bool { return strings.HasSuffix(name, "@"+image.Digest) }) {
		return false, nil
	}
	system, architecture, _ := strings.Cut(image.Platform, "/")
	architecture, _, _ = strings.Cut(architecture, "/")
	if image.Platform != "" && (found.Os != system || found.Architecture != architecture) {
		return false, nil
	}
	return true, nil
}

// Pull brings the image to the engine, by digest, unless it is there already. No
// local tag is made or moved: an engine creates containers from
// "repository:tag@digest" without one, and lists them under that name, while a
// moved tag would change what other people's containers are made from.
//
// Progress goes to the log, a line every ten seconds. Errors inside the engine's
// stream are errors. What went wrong comes with what to do about it.
func (e *Engine) Pull(ctx context.Context, image upgrade.Image, auth Credentials) error {
	if has, err := e.Has(ctx, image); err != nil || has {
		if has {
			e.log.Info("the image is on the engine already", "image", image.Reference())
		}
		return err
	}
	options := client.ImagePullOptions{}
	if auth.User != "" || auth.Token != "" {
		header, err := authconfig.Encode(registry.AuthConfig{
			Username:      auth.User,
			Password:      auth.Password.Reveal(),
			IdentityToken: auth.Token.Reveal(),
			ServerAddress: registryHost(image.Repository),
		})
		if err != nil {
			return errors.New("the credentials for " + registryHost(image.Repository) + " cannot be sent to the engine")
		}
		options.RegistryAuth = header
	}
	if system, architecture, ok := strings.Cut(image.Platform, "/"); ok {
		architecture, variant, _ := strings.Cut(architecture, "/")
		options.Platforms = []ocispec.Platform{{OS: system, Architecture: architecture, Variant: variant}}
	}
	if err := e.pull(ctx, image, options); err != nil {
		return &pullError{image: image, auth: auth, cause: err}
	}
	switch has, err := e.Has(ctx, image); {
	case err != nil:
		return err
	case !has:
		return fmt.Errorf("pulling %s: the engine reported no error, but does not have the image for %s", image.Reference(), image.Platform)
	}
	return nil
}

func (e *Engine) pull(ctx context.Context, image upgrade.Image, options client.ImagePullOptions) error {
	e.log.Info("pulling the image", "image", image.Reference())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(stallTime, func() { cancel(errStalled) })
	defer stalled.Stop()
	stream, err := e.api.ImagePull(ctx, image.Pull(), options)
	if err != nil {
		return cmp.Or(stall(ctx), err)
	}
	progress := newProgress(time.Now())
	stop := progress.report(ctx, e.log, 10*time.Second)
	defer stop()
	for message, err := range stream.JSONMessages(ctx) {
		if err != nil {
			return cmp.Or(stall(ctx), err)
		}
		if message.Error != nil {
			return message.Error
		}
		if progress.add(message) {
			stalled.Reset(stallTime)
		}
	}
	stop()
	progress.log(e.log, time.Now(), "pulled the image")
	return cmp.Or(stall(ctx), ctx.Err())
}

// stallTime is how long a pull may not get on. An engine tells of every few hundred
// kilobytes, and of each layer it unpacks; with containerd's image store it tells so
// ten times a second, whether or not anything has come.
const stallTime = 10 * time.Minute

// errStalled is the cause of a pull that was given up.
var errStalled = errors.New("this pull did not get on for " + stallTime.String())

// stall is errStalled when that is what ended ctx.
func stall(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return cause
	}
	return nil
}

// registryHost is the host in a repository's name; Docker Hub has none there.
// Source: distribution/reference, "familiar" names.
func registryHost(repository string) string {
	host, _, found := strings.Cut(repository, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "https://index.docker.io/v1/"
	}
	return host
}

// pullError is an image that could not be brought to the engine.
type pullError struct {
	image upgrade.Image
	auth  Credentials
	cause error
}

func (e *pullError) Unwrap() error { return e.cause }

func (e *pullError) Error() string {
	words := engineWords(e.cause)
	return fmt.Sprintf("pulling %s: %s\n%s", e.image.Reference(), words, e.remedy(strings.ToLower(words)))
}

// remedy reads the engine's words, which are all it tells. They only choose the
// advice; that the pull failed is known without them.
func (e *pullError) remedy(words string) string {
	says := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(words, p) })
	}
	host := registryHost(e.image.Repository)
	switch {
	case errors.Is(e.cause, errStalled):
		return "the registry may hang; later pulls of this image join the same transfer, so if it stays like this restart the engine"
	case errors.Is(e.cause, context.Canceled), errors.Is(e.cause, context.DeadlineExceeded):
		return "the pull was cut short; layers that are complete stay on the engine, run again to go on"
	case e.engineGone():
		return "the engine went away in the middle of the pull, as when it is restarted; layers that are complete stay on it, run again to go on"
	case says("no space left"):
		return diskFull
	case says("toomanyrequests", "rate limit"):
		return "the registry limits pulls: wait, or give credentials (registry.user, registry.password)"
	case says("unauthorized", "denied", "authentication required", "no basic auth"):
		return "the registry refused " + e.who() + ": check that the repository is right, and that these credentials may read it"
	case says("manifest unknown", "not found", "no matching manifest"):
		return "the registry no longer has this digest for this platform: run again to resolve the tag anew"
	case says("http response to https"):
		return host + " speaks no TLS: add it to insecure-registries in the engine's daemon.json, or give it a certificate"
	case says("x509", "certificate"):
		return fmt.Sprintf("the engine does not trust the registry's certificate: put its authority into /etc/docker/certs.d/%s/ca.crt on the engine's host", host)
	case says("no such host", "timeout", "refused", "no route", "unreachable", "reset", "eof"):
		return "the engine's host cannot reach " + host + ": check its network, name server and proxy (the engine has proxy settings of its own)"
	}
	return "the engine's own log says more: journalctl -u docker"
}

// engineGone reports whether it was the engine that broke off, and not the registry:
// what the engine says of a registry comes in a message of its own.
func (e *pullError) engineGone() bool {
	if errors.Is(e.cause, io.ErrUnexpectedEOF) || errors.Is(e.cause, syscall.ECONNRESET) || client.IsErrConnectionFailed(e.cause) {
		return true
	}
	_, broken := errors.AsType[*url.Error](e.cause)
	return broken
}

// who names the credentials without showing them.
func (e *pullError) who() string {
	if e.auth.User == "" && e.auth.Token == "" {
		return "an anonymous pull"
	}
	s := "user " + clean(e.auth.User, 100)
	if e.auth.Source != "" {
		s += " (from " + e.auth.Source + ")"
	}
	return s
}
