package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// mostRevisions are kept in a release's history, as by Helm's program (--history-max).
const mostRevisions = 10

// helm does with one release what the program of that name does.
type helm struct {
	getter    genericclioptions.RESTClientGetter
	namespace string
	release   string
	wait      time.Duration
	log       *slog.Logger

	// storage is where releases are recorded; empty means Secrets, Helm's default.
	// Tests keep them in memory.
	configure func() (*action.Configuration, error)
}

// configuration is a new one each time: Helm caches what the API server can do in it.
func (h helm) configuration() (*action.Configuration, error) {
	if h.configure != nil {
		return h.configure()
	}
	c := action.NewConfiguration(action.ConfigurationSetLogger(quietly{h.log.Handler()}))
	if err := c.Init(h.getter, h.namespace, "secret"); err != nil {
		return nil, fmt.Errorf("preparing Helm: %w", err)
	}
	return c, nil
}

// history reads all revisions; without a release it is empty.
func (h helm) history() (history, error) {
	c, err := h.configuration()
	if err != nil {
		return nil, err
	}
	found, err := c.Releases.History(h.release)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the history of release %s/%s: %w", h.namespace, h.release, err)
	}
	var all history
	for _, f := range found {
		if rel, ok := f.(*releasev1.Release); ok && rel.Info != nil && rel.Info.Status != common.StatusUninstalled {
			all = append(all, rel)
		}
	}
	slices.SortFunc(all, func(a, b *releasev1.Release) int { return cmp.Compare(a.Version, b.Version) })
	return all, nil
}

// render asks for the release that an installation or an upgrade would make. Nothing
// is changed: the templates are carried out here, and look things up in the cluster.
func (h helm) render(b *blueprint) (*releasev1.Release, error) {
	config, err := h.configuration()
	if err != nil {
		return nil, err
	}
	if b.install {
		i := h.installation(config, b.drain)
		i.DryRunStrategy = action.DryRunServer
		return released(i.Run(b.chart, b.values))
	}
	u := h.upgrade(config, b.drain)
	u.DryRunStrategy = action.DryRunServer
	return released(u.Run(h.release, b.chart, b.values))
}

func (h helm) installation(config *action.Configuration, d drain) *action.Install {
	i := action.NewInstall(config)
	i.ReleaseName, i.Namespace = h.release, h.namespace
	i.Timeout, i.WaitStrategy, i.WaitForJobs = h.wait, kube.StatusWatcherStrategy, true
	i.PostRenderer, i.PostRenderStrategy = d, action.PostRenderStrategyNoHooks
	return i
}

func (h helm) upgrade(config *action.Configuration, d drain) *action.Upgrade {
	u := action.NewUpgrade(config)
	u.Namespace, u.MaxHistory, u.ResetValues = h.namespace, mostRevisions, true
	u.Timeout, u.WaitStrategy, u.WaitForJobs = h.wait, kube.StatusWatcherStrategy, true
	u.PostRenderer, u.PostRenderStrategy = d, action.PostRenderStrategyNoHooks
	return u
}

// apply carries out what render has shown, and waits as `helm --wait --wait-for-jobs`
// does until ctx ends. The end of ctx ends the wait alone: given to Helm itself it
// would record a failure while the upgrade still goes on.
func (h helm) apply(ctx context.Context, b *blueprint, description string) error {
	config, err := h.configuration()
	if err != nil {
		return err
	}
	if b.install {
		i := h.installation(config, b.drain)
		i.Description, i.WaitOptions = description, waiting(ctx)
		_, err = i.Run(b.chart, b.values)
	} else {
		u := h.upgrade(config, b.drain)
		u.Description, u.WaitOptions = description, waiting(ctx)
		_, err = u.Run(h.release, b.chart, b.values)
	}
	return err
}

func (h helm) rollback(ctx context.Context, revision int, description string) error {
	config, err := h.configuration()
	if err != nil {
		return err
	}
	r := action.NewRollback(config)
	r.Version, r.MaxHistory, r.Description = revision, mostRevisions, description
	r.Timeout, r.WaitStrategy, r.WaitForJobs, r.WaitOptions = h.wait, kube.StatusWatcherStrategy, true, waiting(ctx)
	return r.Run(h.release)
}

// uninstall removes the release and its history; one that is gone is fine.
func (h helm) uninstall(ctx context.Context) error {
	config, err := h.configuration()
	if err != nil {
		return err
	}
	u := action.NewUninstall(config)
	u.IgnoreNotFound, u.Timeout, u.WaitStrategy, u.WaitOptions = true, h.wait, kube.StatusWatcherStrategy, waiting(ctx)
	_, err = u.Run(h.release)
	return err
}

// fail ends a revision whose owner is gone: Helm refuses to do anything with a
// release that is "pending". Source: helm/helm#8987.
func (h helm) fail(rel *releasev1.Release, why string) error {
	config, err := h.configuration()
	if err != nil {
		return err
	}
	rel.SetStatus(common.StatusFailed, why)
	if err := config.Releases.Update(rel); err != nil {
		return fmt.Errorf("marking revision %d of release %s/%s as failed: %w", rel.Version, h.namespace, h.release, err)
	}
	return nil
}

func waiting(ctx context.Context) []kube.WaitOption {
	return []kube.WaitOption{kube.WithWaitContext(ctx)}
}

func released(r any, err error) (*releasev1.Release, error) {
	if err != nil {
		return nil, err
	}
	rel, ok := r.(*releasev1.Release)
	if !ok {
		return nil, fmt.Errorf("Helm answered with a release of an unknown kind, %T", r)
	}
	return rel, nil
}

// quietly lowers what Helm has to say to the level of details: what matters of it
// comes back as errors.
type quietly struct{ slog.Handler }

func (q quietly) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quietly) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q quietly) WithAttrs(a []slog.Attr) slog.Handler { return quietly{q.Handler.WithAttrs(a)} }
func (q quietly) WithGroup(name string) slog.Handler   { return quietly{q.Handler.WithGroup(name)} }
