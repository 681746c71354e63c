package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/engine"
	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
)

// demoOptions are what the demo is given.
type demoOptions struct {
	program string // aigw-ci
	dir     string // for the reports
	standIn bool
}

func newDemo(getenv func(string) string, stdout, stderr io.Writer) *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show a gateway through four nights",
		Long: `Shows a gateway through four nights: a first install, an upgrade, a broken release
that is stopped at its rehearsal, and one that breaks only in front of its users.

It runs the real aigw-ci against the engine in DOCKER_HOST, or against a small
stand-in engine where AIGW_LAB_STAND_IN is set. It removes what it made.`,
		Example: `  aigw-lab demo --program bin/aigw-ci`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.standIn = getenv("AIGW_LAB_STAND_IN") != ""
			return demo(c.Context(), o, getenv, stdout, stderr)
		},
	}
	c.Flags().StringVar(&o.program, "program", "aigw-ci", "the program to show")
	c.Flags().StringVar(&o.dir, "dir", filepath.Join("build", "demo"), "where the reports go, below the working directory")
	return c
}

// nights is the story. The first version is GitLab's when it begins.
var nights = []night{
	{
		name: "1-install", gitlab: "18.2.1-ee",
		title: "There is no gateway yet. GitLab is 18.2.1.",
		text:  "The image that belongs to it is the highest patch of 18.2, whatever GitLab's own patch is.",
		exit:  0, serves: "self-hosted-v18.2.8-ee",
	},
	{
		name: "2-upgrade", gitlab: "18.3.6-ee",
		title: "GitLab was upgraded to 18.3.6. The nightly job follows.",
		text:  "The new gateway is rehearsed beside the old one, takes over with all its settings, and is verified.",
		exit:  0, serves: "self-hosted-v18.3.1-ee",
	},
	{
		name: "3-rejected", gitlab: "18.4.2-ee",
		publish: "self-hosted-v18.4.1-ee", mode: gateway.CrashAtBoot,
		title: "GitLab is 18.4.2 now, and its gateway release is broken.",
		text:  "It crashes when it boots. The rehearsal sees that; the old gateway is not touched.",
		exit:  4, serves: "self-hosted-v18.3.1-ee", untouched: true,
	},
	{
		name: "4-rolled-back", gitlab: "18.5.2-ee",
		publish: "self-hosted-v18.5.0-ee", mode: gateway.DiesWithUsers,
		title: "GitLab is 18.5.2. Its gateway release breaks only when real users come.",
		text:  "No rehearsal can see that. It is promoted, watched, found out, and the old container is put back.",
		exit:  4, serves: "self-hosted-v18.3.1-ee",
	},
}

// demo tells the story.
func demo(ctx context.Context, o demoOptions, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	fmt.Fprintln(stdout, "Preparing a GitLab, a registry and gateway images that exist only on this machine ...")
	binary, err := image.BuildBinary(ctx, "")
	if err != nil {
		return err
	}
	place, err := settle(ctx, o, getenv, stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.leave()) }()

	estate, err := lab.Start(ctx, lab.Options{
		ExtraAddrs: place.inside, Version: nights[0].gitlab, HashTags: 5000, Binary: binary, BootDelay: time.Second,
		OwnRealm: place.simple,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, estate.Close()) }()
	place.registry = estate.RegistryHost

	port, grpc, err := freePorts()
	if err != nil {
		return err
	}
	s := &story{demoOptions: o, place: place, estate: estate, port: port, grpc: grpc, home: getenv("HOME"), path: getenv("PATH"), out: stdout}
	return s.tell(ctx)
}

// place is the engine the story is set on.
type place struct {
	host      string   // DOCKER_HOST
	container string   // the gateway's name
	inside    []string // addresses of this machine that containers reach
	registry  string   // of the images to remove in the end
	simple    bool     // a stand-in, which asks for tokens only at the registry's own address
	leave     func() error
}

// settle finds the engine, and what its containers call this machine.
func settle(ctx context.Context, o demoOptions, getenv func(string) string, stdout io.Writer) (*place, error) {
	p := &place{container: "aigw-demo-" + rand.Text()[:6]}
	if o.standIn {
		return p, p.standIn(stdout)
	}
	p.host = getenv("DOCKER_HOST")
	if p.host == "" {
		p.host = dockerd.DefaultHost
	}
	api, err := dockerd.New(p.host)
	if err != nil {
		return nil, fmt.Errorf("%w; or set AIGW_LAB_STAND_IN=1", err)
	}
	if others, err := api.Gateways(ctx); err != nil {
		return nil, err
	} else if len(others) > 0 {
		fmt.Fprintf(stdout, "The container %s on the engine at %s looks like a gateway of yours, and is left alone.\n", others[0], p.host)
		return p, p.standIn(stdout)
	}
	bridge, err := api.Bridge(ctx)
	if err != nil {
		return nil, err
	}
	// An engine in a virtual machine has its bridge there, and not here.
	l, err := net.Listen("tcp", net.JoinHostPort(bridge, "0"))
	if err != nil {
		fmt.Fprintf(stdout, "The engine at %s does not run on this machine itself, so its containers could not reach the lab.\n", p.host)
		return p, p.standIn(stdout)
	}
	_ = l.Close()
	p.inside = []string{bridge}
	fmt.Fprintf(stdout, "Using the Docker Engine at %s.\n", p.host)
	p.leave = func() error {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(api.RemoveGateway(end, p.container), api.RemoveImages(end, p.registry))
	}
	return p, nil
}

func (p *place) standIn(stdout io.Writer) error {
	e, err := engine.New(engine.Options{})
	if err != nil {
		return err
	}
	if err := e.Start(); err != nil {
		return errors.Join(err, e.Close())
	}
	fmt.Fprintln(stdout, "Using a small stand-in for a Docker Engine: it runs the gateway as a plain process of yours.")
	p.host, p.leave, p.simple = e.Host(), e.Close, true
	return nil
}

// freePorts are two ports of loopback that nobody listens on.
func freePorts() (http, grpc string, err error) {
	var found [2]string
	for i := range found {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer func() { _ = l.Close() }()
		found[i] = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	return found[0], found[1], nil
}
