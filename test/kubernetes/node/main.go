// Command node is a whole one-node Kubernetes in one program, for tests: what runs a
// cluster, and every part of that cluster under its own name.
//
//	node up --pause PROGRAM -- COMMAND [ARGUMENT...]   runs a command with a cluster
//	node kubectl ...                                   a kubectl of its version
//
// It is a module of its own: Kubernetes is no library, and the versions that it needs
// are no business of the program that is tested.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // as each part's own main does
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: node up --pause PROGRAM -- COMMAND [ARGUMENT...] | node kubectl ...")
		os.Exit(2)
	}
	name, arguments := os.Args[1], os.Args[2:]
	os.Args = os.Args[1:] // each part reads them itself
	switch name {
	case "up":
		os.Exit(up(arguments))
	case "inside":
		os.Exit(inside(arguments))
	case "etcd":
		os.Exit(etcd(arguments))
	case "dns":
		os.Exit(dns(arguments))
	}
	if command := kubernetesCommand(name); command != nil {
		os.Exit(cli.Run(command))
	}
	fmt.Fprintf(os.Stderr, "node: there is no %q\n", name)
	os.Exit(2)
}

// kubernetesCommand makes the one command that is asked for: making a second would
// register the same feature gates twice.
func kubernetesCommand(name string) *cobra.Command {
	switch name {
	case "kube-apiserver":
		return apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		return controllers.NewControllerManagerCommand()
	case "kube-scheduler":
		return scheduler.NewSchedulerCommand()
	case "kubelet":
		return kubelet.NewKubeletCommand(context.Background()) // it sees to signals itself
	case "kube-proxy":
		return proxy.NewProxyCommand()
	case "kubectl":
		return kubectl.NewDefaultKubectlCommand()
	}
	return nil
}
