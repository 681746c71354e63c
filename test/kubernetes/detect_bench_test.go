//go:build kubernetes

package kubernetes

import (
	"fmt"
	"os"
	"testing"
	"text/tabwriter"
	"time"

	"aigw-ci/internal/lab/gateway"
)

// BenchmarkDetection measures how long it takes until a release that crashes is known
// to, and until what served before is back, on the same images:
//
//	ours  aigw-ci upgrade, without the rehearsal that would find it first
//	helm  helm 4 upgrade --rollback-on-failure --timeout 60s, which waits for all of it
//
// Helm's own timeout is five minutes where nobody sets another.
// Source: helm.sh/docs/helm/helm_upgrade.
func BenchmarkDetection(b *testing.B) {
	var table []string
	for _, way := range []struct {
		name    string
		upgrade func(*world)
	}{{"ours", (*world).ours}, {"helm", (*world).helms}} {
		b.Run(way.name, func(b *testing.B) {
			var total time.Duration
			for b.Loop() {
				w := newWorld(b)
				w.byHand(4, "0.15.1", tag182)
				w.publish(tag184, gateway.CrashAtBoot)
				w.estate.SetVersion("18.4.1-ee")
				started := time.Now()
				way.upgrade(w)
				total += time.Since(started)
			}
			each := total.Seconds() / float64(b.N)
			b.ReportMetric(each, "s-until-back")
			b.ReportMetric(0, "ns/op") // of preparations, mostly
			table = append(table, fmt.Sprintf("%s\t%.1f s", way.name, each))
		})
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\na crashing release\tknown and undone after")
	for _, line := range table {
		fmt.Fprintln(out, line)
	}
	_ = out.Flush()
}

func (w *world) ours() {
	w.Helper()
	w.run("upgrade", 4, "rolled_back", "AIGW_CI_REHEARSE=false", "AIGW_CI_VERIFY_TIMEOUT=60s")
}

func (w *world) helms() {
	w.Helper()
	said, err := w.try(shared.helm[4], "--namespace", w.namespace, "upgrade", release, "ai-gateway/ai-gateway", "--version", "0.15.1",
		"--reuse-values", "--set=image.tag="+tag184, "--rollback-on-failure", "--timeout=60s")
	if err == nil {
		w.Fatalf("helm takes a release that crashes for a good one:\n%s", said)
	}
}
