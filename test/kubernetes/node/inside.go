package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// What the process outside and the one inside tell each other, a line each.
const (
	connected = "connected" // outside: the cable is there
	ready     = "ready"     // inside: the node takes pods
)

// lockDescriptor is where the process inside finds the lock that it also holds.
const lockDescriptor = 3

// startTimeout is how long each step of a cluster's start may take. On a machine that
// does nothing else the whole takes four seconds.
const startTimeout = 2 * time.Minute

// inside is the first process of the namespaces that the cluster lives in, of
// processes, mounts and the network. When it ends, for whatever reason, the kernel
// ends every process in there and takes away what was mounted, bridged and filtered.
func inside(arguments []string) int {
	p := parts{place: place(arguments[0]), ended: make(chan part, 16)} // all of them may end at once
	syscall.CloseOnExec(lockDescriptor)
	outside := bufio.NewReader(os.Stdin)
	if line, err := outside.ReadString('\n'); err != nil || line != connected+"\n" {
		return 1 // the process outside is gone
	}
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, outside) // until the process outside is done
		close(over)
	}()
	err := p.bringUp()
	if err == nil {
		fmt.Println(ready)
		select {
		case <-over:
			return 0
		case ended := <-p.ended:
			err = ended.explain(fmt.Errorf("%s ended by itself (%v)", ended.name, ended.err))
		}
	}
	say("%v", err)
	return 1
}

// bringUp returns when the node is ready for pods.
func (p *parts) bringUp() error {
	if err := p.mount(); err != nil {
		return err
	}
	if err := plug(); err != nil {
		return err
	}
	containerd, err := p.start("containerd", "containerd", "--config", p.path("settings/containerd.toml"))
	if err != nil {
		return err
	}
	server, err := p.startServer()
	if err != nil {
		return err
	}
	if err := p.until("containerd to answer", containerd, func(ctx context.Context) error {
		return p.ctr(ctx, "version")
	}); err != nil {
		return err
	}
	if err := p.ctr(context.Background(), "images", "import", p.path("pause.tar")); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", p.path("kubeconfig"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := p.until("the API server to be ready", server, func(ctx context.Context) error {
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}); err != nil {
		return err
	}
	kubelet, err := p.startRest()
	if err != nil {
		return err
	}
	return p.until("the node to be ready", kubelet, func(ctx context.Context) error {
		return takesPods(ctx, client)
	})
}

// startServer starts the store and the API server, and returns the latter.
func (p *parts) startServer() (part, error) {
	if _, err := p.startOwn("etcd", "--data-dir="+p.path("etcd"), "--client-url="+etcdClient, "--peer-url="+etcdPeer); err != nil {
		return part{}, err
	}
	pki := p.path("pki/")
	return p.startOwn("kube-apiserver",
		"--etcd-servers="+etcdClient,
		"--bind-address="+nodeAddress, "--secure-port="+apiPort, "--advertise-address="+nodeAddress,
		"--tls-cert-file="+pki+"/apiserver.crt", "--tls-private-key-file="+pki+"/apiserver.key",
		"--token-auth-file="+pki+"/tokens.csv", "--authorization-mode=RBAC",
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate="+pki+"/kubelet-client.crt", "--kubelet-client-key="+pki+"/kubelet-client.key",
		"--service-cluster-ip-range="+serviceNetwork,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+pki+"/sa.key", "--service-account-signing-key-file="+pki+"/sa.key")
}

// startRest starts everything that needs the API server, and returns the kubelet.
func (p *parts) startRest() (part, error) {
	kubeconfig := "--kubeconfig=" + p.path("kubeconfig")
	for _, arguments := range [][]string{
		{"kube-controller-manager", kubeconfig, "--leader-elect=false", "--secure-port=0", "--service-account-private-key-file=" + p.path("pki/sa.key"), "--root-ca-file=" + p.path("pki/ca.crt")},
		{"kube-scheduler", kubeconfig, "--leader-elect=false", "--secure-port=0"},
		{"kube-proxy", "--config=" + p.path("settings/kube-proxy.yaml")},
		{"dns", kubeconfig, "--listen=" + nodeAddress + ":53"},
	} {
		if _, err := p.startOwn(arguments[0], arguments[1:]...); err != nil {
			return part{}, err
		}
	}
	return p.startOwn("kubelet", kubeconfig, "--config="+p.path("settings/kubelet.yaml"),
		"--root-dir="+p.path("kubelet"), "--cert-dir="+p.path("kubelet/pki"),
		"--hostname-override="+nodeName, "--node-ip="+nodeAddress)
}

// takesPods reports what a pod of the default namespace would still wait for.
func takesPods(ctx context.Context, client kubernetes.Interface) error {
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("the node is marked %s", node.Spec.Taints[0].Key)
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
			return err
		}
	}
	return errors.New("the node is not ready")
}

// until waits for a check to succeed, and blames a part when it does not in time. It
// gives up at once when any part has ended.
func (p *parts) until(what string, blame part, check func(context.Context) error) error {
	deadline := time.After(startTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := check(ctx)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case ended := <-p.ended:
			return ended.explain(fmt.Errorf("waiting for %s: %s ended (%v)", what, ended.name, ended.err))
		case <-deadline:
			return blame.explain(fmt.Errorf("waited %v for %s: %w", startTimeout, what, err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ctr runs containerd's own client, for the images of pods.
func (p *parts) ctr(ctx context.Context, arguments ...string) error {
	command := exec.CommandContext(ctx, "ctr", append([]string{"--address", p.Socket(), "--namespace", "k8s.io"}, arguments...)...)
	command.Env = p.environment()
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr %q: %w: %s", arguments, err, said)
	}
	return nil
}
