package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"aigw-ci/internal/jobimage"
	"aigw-ci/internal/registry"
	"aigw-ci/internal/transport"
)

// push publishes what was built before, so that what was tested is what is
// published.
func push(ctx context.Context, sys surroundings, at place, references []string) error {
	built, err := jobimage.ReadLayout(at.layout)
	if err != nil {
		return err
	}
	digest, err := built.Digest()
	if err != nil {
		return err
	}
	options := transport.Options{UserAgent: "aigw-image", Proxy: sys.proxy}
	// GitLab Runner puts the instance's own authority into this file. Source:
	// docs.gitlab.com/runner/configuration/tls-self-signed.
	if file := sys.getenv("CI_SERVER_TLS_CA_FILE"); file != "" {
		ca, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("reading CI_SERVER_TLS_CA_FILE: %w", err)
		}
		options.CAs = append(options.CAs, ca)
	}
	web, err := transport.New(options)
	if err != nil {
		return err
	}
	defer web.CloseIdleConnections()
	// Only for the credentials: it knows every place where they can be. A deploy token,
	// which would come before the job's own, is for pulling.
	registries, err := registry.New(registry.Options{Transport: web, Environment: func(name string) string {
		if strings.HasPrefix(name, "CI_DEPLOY_") {
			return ""
		}
		return sys.getenv(name)
	}})
	if err != nil {
		return err
	}
	var errs []error
	for _, reference := range references {
		err := pushOne(ctx, built, reference, registries, web)
		if err == nil {
			_, err = fmt.Fprintf(sys.stdout, "%s@%s\n", reference, digest)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func pushOne(ctx context.Context, built *jobimage.Built, reference string, registries *registry.Registry, web http.RoundTripper) error {
	repository, err := jobimage.Repository(reference)
	if err != nil {
		return err
	}
	credential, err := registries.Credentials(ctx, repository)
	if err != nil {
		return err
	}
	return built.Push(ctx, reference, jobimage.Login{
		Username:      credential.Username,
		Password:      credential.Password.Reveal(),
		IdentityToken: credential.IdentityToken.Reveal(),
	}, web)
}
