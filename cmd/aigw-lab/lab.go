package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/internal/lab/wire"
)

type labOptions struct {
	estate  lab.Options
	control string
	also    []string
	caFile  string
}

// runLab runs an estate until ctx ends.
func runLab(ctx context.Context, o labOptions, stdout io.Writer) (err error) {
	if o.estate.ExtraAddrs, err = addresses(o.also); err != nil {
		return err
	}
	if o.estate.Binary == "" {
		fmt.Fprintln(stdout, "Compiling the stand-in gateway ...")
		if o.estate.Binary, err = image.BuildBinary(ctx, ""); err != nil {
			return fmt.Errorf("%w\nrun aigw-lab inside its source tree, or give a compiled gateway with --gateway", err)
		}
	}
	estate, err := lab.Start(ctx, o.estate)
	if err != nil {
		return err
	}
	defer func() { _ = estate.Close() }()
	if estate.CA != nil {
		if err := os.WriteFile(o.caFile, estate.CA, 0o644); err != nil {
			return fmt.Errorf("writing the certificate authority: %w", err)
		}
	}
	control := "none"
	if o.control != "" {
		listeners, err := wire.Listen(ctx, o.control)
		if err != nil {
			return err
		}
		server := wire.Serve(estate.Control(), nil, listeners...)
		defer func() { _ = server.Close() }()
		control = "http://" + listeners[0].Addr().String() + "/control/"
	}
	describe(stdout, o, estate, control)
	<-ctx.Done()
	return nil
}

// describe says where everything is and what to type.
func describe(w io.Writer, o labOptions, e *lab.Estate, control string) {
	inside := e.GitLabURL // for containers, which cannot reach this machine's loopback
	if len(o.estate.ExtraAddrs) > 0 {
		inside = e.GitLabURLAt(o.estate.ExtraAddrs[0])
	}
	fmt.Fprintf(w, `
GitLab      %s   (%s)
Registry    %s
Control     %s
Started     %s

Try:

  export AIGW_CI_GITLAB_URL=%s
  export AIGW_CI_GITLAB_TOKEN=%s
  export AIGW_CI_IMAGE_REPOSITORY=%s
`, e.GitLabURL, e.GitLab.Version(), e.Repository(), control, time.Now().Format(time.RFC3339), inside, gitlab.TokenReadAPI, e.Repository())
	if o.estate.Private {
		fmt.Fprintf(w, "  export AIGW_CI_REGISTRY_USER=%s AIGW_CI_REGISTRY_PASSWORD=%s\n", gitlab.RegistryUser, gitlab.RegistryPassword)
	}
	if e.CA != nil {
		fmt.Fprintf(w, "  export AIGW_CI_CA_FILE=%s\n", o.caFile)
	}
	fmt.Fprint(w, "\n  aigw-ci resolve\n  aigw-ci upgrade\n\nCtrl-C ends the lab.\n")
}

// addresses replaces names of network interfaces by their first IPv4 address.
func addresses(hosts []string) ([]string, error) {
	var found []string
	for _, h := range hosts {
		if net.ParseIP(h) != nil {
			found = append(found, h)
			continue
		}
		ip, err := interfaceAddress(h)
		if err != nil {
			return nil, fmt.Errorf("--also %q is neither an IP address nor an interface with one: %w", h, err)
		}
		found = append(found, ip)
	}
	return found, nil
}

func interfaceAddress(name string) (string, error) {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return "", err
	}
	addrs, err := device.Addrs()
	if err != nil {
		return "", err
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
			return n.IP.String(), nil
		}
	}
	return "", fmt.Errorf("it has no IPv4 address")
}
