package kubernetes

import (
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// getter is a Cluster as the libraries of kubectl and Helm take one. What the server
// can do is asked once, and kept in memory.
type getter struct {
	cluster *Cluster
	loader  clientcmd.ClientConfig

	mu     sync.Mutex
	cached discovery.CachedDiscoveryInterface
}

var _ genericclioptions.RESTClientGetter = (*getter)(nil)

// ToRESTConfig returns a copy, because Helm changes what it gets.
func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.cluster.rest), nil }

func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cached == nil {
		client, err := discovery.NewDiscoveryClientForConfig(g.cluster.rest)
		if err != nil {
			return nil, err
		}
		g.cached = memory.NewMemCacheClient(client)
	}
	return g.cached, nil
}

func (g *getter) ToRESTMapper() (meta.RESTMapper, error) {
	client, err := g.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(client)
	return restmapper.NewShortcutExpander(mapper, client, func(text string) {
		g.cluster.log.Debug("the API server warns", "text", clean(text, 500))
	}), nil
}

func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig { return g.loader }
