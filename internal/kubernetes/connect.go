package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ConnectOptions say which cluster is meant, as they do for kubectl.
type ConnectOptions struct {
	Kubeconfig string // KUBECONFIG: a list of files, merged; empty means Home/.kube/config
	Home       string
	Context    string // empty: the current one. A GitLab agent's is called "group/project:agent"
	Namespace  string
	UserAgent  string

	// Environ looks up an environment variable. It tells whether this process runs in
	// a pod (KUBERNETES_SERVICE_HOST). Nil: it does not.
	Environ func(name string) string

	Log *slog.Logger // nil discards
}

// Cluster is one namespace of one API server. It is safe for concurrent use.
type Cluster struct {
	rest      *rest.Config
	getter    genericclioptions.RESTClientGetter // the same connection, as Helm wants it
	api       kubernetes.Interface
	namespace string
	context   string // its name, or "in-cluster", for messages
	log       *slog.Logger
	presence  presence
}

// helloTimeout is how long an API server may take to answer the first question.
const helloTimeout = 20 * time.Second

// Connect finds the cluster as kubectl does - the files of KUBECONFIG, else
// ~/.kube/config, else the service account of the pod that this runs in - and makes
// sure that it answers. The error of one that does not has a method Temporary.
// Sources: kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig,
// kubernetes.io/docs/tasks/run-application/access-api-from-pod.
func Connect(ctx context.Context, o ConnectOptions) (*Cluster, error) {
	c := &Cluster{namespace: o.Namespace, log: o.Log}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.presence.log = c.log
	config, err := c.choose(o)
	if err != nil {
		return nil, err
	}
	c.rest = c.tune(config, o.UserAgent)
	if c.api, err = kubernetes.NewForConfig(c.rest); err != nil {
		return nil, fmt.Errorf("setting up the connection to the cluster of context %q: %w", c.context, err)
	}
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	// Everybody may ask for the version; credentials that are not valid show all the same.
	if err := c.api.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil {
		return nil, c.explain("connecting to the cluster", err)
	}
	return c, nil
}

// choose finds the configuration of the connection.
func (c *Cluster) choose(o ConnectOptions) (*rest.Config, error) {
	files := configFiles(o)
	merged, err := (&clientcmd.ClientConfigLoadingRules{Precedence: files}).Load()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", clean(strings.Join(files, ", "), 500), err)
	}
	overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: o.Namespace}}
	if len(merged.Contexts) == 0 && o.Context == "" {
		return c.inPod(o, files, overrides)
	}
	c.context = o.Context
	if c.context == "" {
		c.context = merged.CurrentContext
	}
	if merged.Contexts[c.context] == nil {
		return nil, unknownContext(c.context, slices.Sorted(maps.Keys(merged.Contexts)), files)
	}
	loader := clientcmd.NewNonInteractiveClientConfig(*merged, c.context, overrides, nil)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("using context %q of the kubeconfig: %w", c.context, err)
	}
	c.getter = &getter{cluster: c, loader: loader}
	return config, nil
}

func configFiles(o ConnectOptions) []string {
	files := slices.DeleteFunc(filepath.SplitList(o.Kubeconfig), func(f string) bool { return f == "" })
	if len(files) == 0 && o.Home != "" {
		files = []string{filepath.Join(o.Home, ".kube", "config")}
	}
	return files
}

// inPod uses the service account of the pod that this process runs in.
func (c *Cluster) inPod(o ConnectOptions, files []string, overrides *clientcmd.ConfigOverrides) (*rest.Config, error) {
	if o.Environ == nil || o.Environ("KUBERNETES_SERVICE_HOST") == "" {
		return nil, fmt.Errorf("no cluster is configured: %s has no context, and this does not run in a pod\n"+
			"set KUBECONFIG to a kubeconfig file. In GitLab CI, an agent for Kubernetes whose ci_access names this project gives one: "+
			"set kubernetes.context to \"group/project:agent\" (docs.gitlab.com/user/clusters/agent/ci_cd_workflow)", described(files))
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, fmt.Errorf("using the service account of this pod: %w", err)
	}
	c.context = "in-cluster"
	c.getter = &getter{cluster: c, loader: clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)}
	return config, nil
}

func described(files []string) string {
	if len(files) == 0 {
		return "KUBECONFIG"
	}
	return clean(strings.Join(files, ", "), 500)
}

// unknownContext lists the contexts there are: an agent's is easily mistyped.
func unknownContext(name string, known, files []string) error {
	if len(known) == 0 {
		return fmt.Errorf("there is no context %q: %s has no context at all\n"+
			"set KUBECONFIG to a file with contexts; for a GitLab agent, let its ci_access name this project", clean(name, 300), described(files))
	}
	for i := range known {
		known[i] = clean(known[i], 300)
	}
	const most = 50
	if more := len(known) - most; more > 0 {
		known = append(known[:most], fmt.Sprintf("and %d more", more))
	}
	doing := fmt.Sprintf("there is no context %q", clean(name, 300))
	if name == "" {
		doing = "no context is chosen, and the kubeconfig has no current one"
	}
	return errors.New(doing + "\nset kubernetes.context to one of: " + strings.Join(known, ", "))
}

// tune sets what a kubeconfig does not. Client-side rate limits are off: a limiter
// that is used up ends a wait with an error although nothing is wrong, and the server
// has priority and fairness of its own. Source: kubernetes.io/docs/concepts/cluster-administration/flow-control.
func (c *Cluster) tune(config *rest.Config, userAgent string) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, 0
	if userAgent != "" {
		config.UserAgent = userAgent
	}
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper {
		return &absence{next: &patience{rt, answerTimeout}, presence: &c.presence}
	})
	config.WarningHandler = warnings{c.log}
	if config.Insecure {
		c.log.Warn("the connection to the cluster does not prove who is at the other end: take insecure-skip-tls-verify out of the kubeconfig", "context", c.context)
	}
	return config
}

// warnings are the API server's, about what is deprecated.
type warnings struct{ log *slog.Logger }

func (w warnings) HandleWarningHeader(code int, _, text string) {
	if code == 299 && text != "" {
		w.log.Debug("the API server warns", "text", clean(text, 500))
	}
}
