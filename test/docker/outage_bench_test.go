//go:build docker

package docker

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crowd"
)

// BenchmarkOutage measures for how long users have no gateway while it is changed, on
// the same two images and under the same load:
//
//	ours        aigw-ci upgrade
//	documented  docker stop, rm, pull, run: the steps of GitLab's page
//	pulled      the same, with the image pulled before
//
// Each upgrade starts with an engine that does not have the new image. Source of the
// steps: docs.gitlab.com/install/install_ai_gateway, "Upgrade the AI gateway Docker
// image".
func BenchmarkOutage(b *testing.B) {
	for _, size := range []struct {
		name    string
		padding int64
	}{{"5MB", 5 << 20}, {"200MB", 200 << 20}} {
		w := newWorld(b)
		w.mirror(image.Options{Tag: tag182}, image.Options{Tag: tag183, Padding: size.padding})
		w.estate.SetVersion("18.3.6-ee")
		for _, way := range []struct {
			name    string
			upgrade func(*world, *dockerd.Container)
		}{{"ours", (*world).ours}, {"documented", (*world).documented}, {"pulled", (*world).documentedPulled}} {
			b.Run(size.name+"/"+way.name, func(b *testing.B) {
				here := *w
				here.TB = b
				var total time.Duration
				for b.Loop() {
					outage := here.outage(way.upgrade)
					total += outage
					outages.add(size.name, way.name, outage)
				}
				b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "outage-ms")
				b.ReportMetric(0, "ns/op") // of preparations, mostly
			})
		}
	}
}

// outage changes a gateway of GitLab 18.2, which was started by hand, to 18.3, and
// returns for how long a prober had no answer.
func (w *world) outage(upgrade func(*world, *dockerd.Container)) time.Duration {
	w.Helper()
	old := w.runPublished(w.pull(tag182))
	for crowd.Ask(w.Context(), http.MethodGet, w.url()) != "" {
		time.Sleep(20 * time.Millisecond)
	}
	users := crowd.Work(w, w.url(), 2)
	p := probe(w.url())
	time.Sleep(time.Second)
	upgrade(w, old)
	for crowd.Ask(w.Context(), http.MethodGet, w.url()) != "" {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(time.Second)
	outage := p.stop()
	users.Rest()
	if c := w.inspect(w, w.name); c.ID == old.ID {
		w.Error("nothing was upgraded")
	}
	w.must(w, http.MethodDelete, "/containers/"+w.name+"?force=1&v=1", nil, nil)
	w.dropImage(tag183)
	return outage
}

// runPublished runs an image as GitLab's page says, on the world's ports.
func (w *world) runPublished(reference string) *dockerd.Container {
	w.Helper()
	exposed, bindings := publish("127.0.0.1:"+w.port, "5052")
	return w.dockerRun(w.name, object{
		"Image": reference, "Env": w.environment(), "ExposedPorts": exposed,
		"HostConfig": object{"PortBindings": bindings, "RestartPolicy": object{"Name": "unless-stopped"}},
	})
}

func (w *world) ours(*dockerd.Container) {
	w.Helper()
	w.run("upgrade", 0, "upgraded")
}

func (w *world) documented(old *dockerd.Container) {
	w.Helper()
	w.must(w, http.MethodPost, "/containers/"+old.ID+"/stop", nil, nil)
	w.must(w, http.MethodDelete, "/containers/"+old.ID, nil, nil)
	w.runPublished(w.pull(tag183))
}

func (w *world) documentedPulled(old *dockerd.Container) {
	w.Helper()
	w.pull(tag183)
	w.documented(old)
}

// dropImage takes an image of the mirror from the engine, under all its names.
func (w *world) dropImage(tag string) {
	w.Helper()
	images, err := w.Images(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	repository := w.settings["AIGW_CI_IMAGE_REPOSITORY"]
	kept := repository + ":" + tag182
	for _, i := range images {
		if slices.Contains(i.RepoTags, kept) {
			continue
		}
		for _, name := range append(i.RepoTags, i.RepoDigests...) {
			if strings.HasPrefix(name, repository) {
				if err := w.Call(w.Context(), http.MethodDelete, "/images/"+name, nil, nil); err != nil && !dockerd.IsMissing(err) {
					w.Fatal(err)
				}
			}
		}
	}
}

// prober asks a hundred times a second whether a gateway answers. It has nothing in
// common with the one that the program has.
type prober struct {
	cancel context.CancelFunc
	done   chan struct{}
	outage time.Duration // from each last answer before a gap to the first one after it
}

func probe(url string) *prober {
	ctx, cancel := context.WithCancel(context.Background())
	p := &prober{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		var good time.Time
		out := false
		for ctx.Err() == nil {
			switch problem := p.ask(ctx, url); {
			case ctx.Err() != nil:
			case problem != "":
				out = true
			default:
				if out && !good.IsZero() {
					p.outage += time.Since(good)
				}
				good, out = time.Now(), false
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return p
}

// ask has a second for an answer.
func (p *prober) ask(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return crowd.Ask(ctx, http.MethodGet, url)
}

func (p *prober) stop() time.Duration {
	p.cancel()
	<-p.done
	return p.outage
}

// outages is the table at the end of a run of benchmarks.
var outages table

type table struct {
	mu   sync.Mutex
	rows []row
}

type row struct {
	size, way string
	outages   []time.Duration
}

func (t *table) add(size, way string, outage time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.rows, func(r row) bool { return r.size == size && r.way == way })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, row{size: size, way: way})
	}
	t.rows[i].outages = append(t.rows[i].outages, outage)
}

func printOutages() {
	if len(outages.rows) == 0 {
		return
	}
	fmt.Println("\nHow long users had no gateway, in milliseconds:")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "image\tupgrade\tmedian\tleast\tmost\t")
	for _, r := range outages.rows {
		slices.Sort(r.outages)
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t\n", r.size, r.way, r.outages[len(r.outages)/2].Milliseconds(),
			r.outages[0].Milliseconds(), r.outages[len(r.outages)-1].Milliseconds())
	}
	_ = w.Flush()
}
