package registry

import (
	"fmt"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"aigw-ci/internal/transport"
)

// BenchmarkResolve finds an image from a cold start, all digests included.
// BenchmarkList reads only the names of all tags, with go-containerregistry: the way
// other tools begin. Run both to compare requests, as the server counts them and with
// the one to the token service, and bytes.
func BenchmarkResolve(b *testing.B) {
	crowded(b, func(b *testing.B, e *estate) (bytes int64) {
		r := e.registry()
		if _, err := r.Find(b.Context(), gitlab(b, "18.2.1-ee"), "linux/amd64"); err != nil {
			b.Fatal(err)
		}
		return r.Bytes()
	})
}

func BenchmarkList(b *testing.B) {
	crowded(b, func(b *testing.B, e *estate) (bytes int64) {
		repo, err := name.NewRepository(e.repository())
		if err != nil {
			b.Fatal(err)
		}
		counter := &transport.Counter{Base: road(b)}
		tags, err := remote.List(repo, remote.WithTransport(counter), remote.WithContext(b.Context()))
		if err != nil || len(tags) != len(e.tags) {
			b.Fatalf("%d tags of %d, %v", len(tags), len(e.tags), err)
		}
		return counter.Bytes()
	})
}

func crowded(b *testing.B, resolve func(*testing.B, *estate) (bytes int64)) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("tags=%d", n), func(b *testing.B) {
			e := newEstate(b, append(lines(b, "gateway-tags.txt"), crowd(n)...)...)
			var bytes int64
			for b.Loop() {
				bytes += resolve(b, e)
			}
			b.ReportMetric(float64(len(e.log()))/float64(b.N), "requests/op")
			b.ReportMetric(float64(bytes)/float64(b.N), "bytes/op")
		})
	}
}
