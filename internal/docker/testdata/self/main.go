// Command self stands in for this program and for a gateway in the tests of
// package docker against a real engine.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/moby/moby/client"

	"aigw-ci/internal/docker"
	"aigw-ci/internal/road"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "relay-wait":
		return road.Wait(ctx, os.Stdin)
	case len(args) == 2 && args[0] == "relay":
		return road.Relay(ctx, os.Stdin, os.Stdout, args[1])
	case len(args) == 2 && args[0] == "serve": // a gateway on that port
		fmt.Println("to stdout")
		fmt.Fprintln(os.Stderr, "to stderr: key is "+os.Getenv("SOME_API_KEY"))
		return http.ListenAndServe(":"+args[1], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			name, _ := os.Hostname()
			fmt.Fprint(w, name)
		}))
	case len(args) == 3 && args[0] == "look": // which road leads to that container
		return look(ctx, args[1], args[2] == "published")
	case len(args) == 1 && args[0] == "gitlab:duo:verify_self_hosted_setup[alice]": // GitLab's check
		fmt.Println("\x1b[32m✔\x1b[0m AI Gateway server is accessible")
		return nil
	case len(args) == 2 && args[0] == "exit":
		code, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		os.Exit(code)
	}
	return fmt.Errorf("unknown arguments %q", args)
}

func look(ctx context.Context, id string, published bool) error {
	engine, err := docker.Connect(ctx, docker.ConnectOptions{Executable: os.Args[0]})
	if err != nil {
		return err
	}
	defer engine.Close(ctx)
	api, err := client.New()
	if err != nil {
		return err
	}
	found, err := api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	road, err := engine.Road(ctx, found.Container, 5052, published)
	if err != nil {
		return err
	}
	fmt.Println(road.Via)
	return nil
}
