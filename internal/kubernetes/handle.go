package kubernetes

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"aigw-ci/internal/upgrade"
)

// handle is the gateway that one Deployment runs: the pods of its newest ReplicaSet.
type handle struct {
	cluster *Cluster
	workload

	mu   sync.Mutex
	seen map[types.UID]int // times that the process of a pod ended, also of pods that are gone
}

var _ upgrade.Gateway = (*handle)(nil)

// gateway is a handle on the gateway of w. It contacts nobody.
func (c *Cluster) gateway(w workload) upgrade.Gateway {
	return &handle{cluster: c, workload: w, seen: make(map[types.UID]int)}
}

// Endpoint implements upgrade.Gateway: a port-forward to one pod, ready if there is
// one that is, with a stream of its own for each connection. It does not last: when
// the pod is replaced, so is the road.
func (h *handle) Endpoint(ctx context.Context) (upgrade.Endpoint, error) {
	r, err := h.cluster.rollout(ctx, h.workload)
	if err != nil {
		return upgrade.Endpoint{}, err
	}
	pod := reachable(r.pods, h.container)
	if pod == nil {
		return upgrade.Endpoint{}, fmt.Errorf("no pod of Deployment %s runs yet", h.deployment)
	}
	p, err := h.cluster.portsOf(ctx, pod, h.container)
	if err != nil {
		return upgrade.Endpoint{}, err
	}
	name := pod.Name
	address := func(port int) string { return net.JoinHostPort(name, strconv.Itoa(port)) }
	endpoint := upgrade.Endpoint{
		HTTP: p.Scheme() + "://" + address(p.HTTP),
		Via:  "port-forward to pod " + name,
		Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			number, numeric := strconv.ParseUint(port, 10, 16)
			if err != nil || numeric != nil || host != name {
				return nil, fmt.Errorf("a port-forward to pod %s does not lead to %q", name, clean(addr, 300))
			}
			return h.cluster.dialPod(ctx, name, int(number))
		},
	}
	if p.GRPC != 0 {
		endpoint.GRPC = address(p.GRPC)
	}
	return endpoint, nil
}

// reachable is the pod to talk to: one that is ready, else one whose gateway runs,
// so that it can be told what is wrong with it; nil without any.
func reachable(pods []corev1.Pod, container string) *corev1.Pod {
	var found *corev1.Pod
	for i := range pods {
		p := &pods[i]
		if finished(p) {
			continue
		}
		if ready(p) {
			return p
		}
		if s := statusOf(p, container); found == nil && s != nil && s.State.Running != nil {
			found = p
		}
	}
	return found
}
