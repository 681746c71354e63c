//go:build docker

package docker

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/lab/image"
	"aigw-ci/test/crash"
	"aigw-ci/test/crowd"
)

// Somebody cleans up on the engine while the program is at work: an image that was just
// pulled is gone when a container is to be made from it.
func TestImageDeleted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		point crash.Point
		exits []int
	}{
		"before the rehearsal": {crash.Point{Deed: "POST create rehearsal", Nth: 1}, []int{1}},
		"before the promotion": {crash.Point{Deed: "POST create next", Nth: 1}, []int{4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newWorld(t).faulty(image.Options{Padding: int64(uniqueSize.Add(1))})
			m, host := n.middle()
			m.Arm(test.point, crash.Strike{Name: "image deleted", Do: func(crash.Victim) { n.forget(n.mine(false)) }})
			j := n.start("upgrade", "DOCKER_HOST="+host)
			m.Meet(crash.Victim{Process: j.Process, Ended: j.Ended})
			r := j.Wait()
			r.Says(t, "No such image", tag183, "run again")
			n.survives(r, test.exits...)
		})
	}
}

// The name of the old image is gone when the new one is rehearsed. That is no reason to
// stop: a container does not need it, not even for the way back.
func TestOldImageUntagged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		next image.Options
		exit int
	}{
		"upgraded":    {image.Options{}, 0},
		"rolled back": {image.Options{Mode: gateway.DiesWithUsers, After: 300 * time.Millisecond}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newWorld(t).faulty(test.next)
			n.settings["AIGW_CI_VERIFY_HOLD"] = "4s"
			if test.exit == 4 {
				n.exit, n.back, n.outcomes = 4, true, []string{"rolled_back"}
			}
			crowd.Work(t, n.users, 1)
			j := n.start("upgrade")
			n.await(j, state(".aigw-ci-rehearsal", "running"))
			old := n.mine(true)
			n.must(t, http.MethodPost, "/images/"+old+"/tag?repo=somebody-"+n.suffix+"&tag=1", nil, nil)
			n.atEnd(func(ctx context.Context) error {
				return n.Call(ctx, http.MethodDelete, "/images/somebody-"+n.suffix+":1", nil, nil)
			})
			n.forget(old)
			n.forget(strings.Split(old, "@")[0] + ":" + tag182)
			n.survives(j.Wait(), test.exit)
		})
	}
}

// mine is the image of the old or the new release, by digest.
func (n *night) mine(old bool) string {
	n.Helper()
	images, err := n.Images(context.Background())
	if err != nil {
		n.Error(err)
	}
	for _, i := range images {
		for _, name := range i.RepoDigests {
			if strings.HasPrefix(name, n.estate.RegistryHost+"/") && (name == n.before.Config.Image) == old {
				return name
			}
		}
	}
	n.Error("the image is not on the engine")
	return ""
}

// forget removes a name of an image, as `docker rmi -f` does.
func (n *night) forget(name string) {
	n.Helper()
	if err := n.Call(context.Background(), http.MethodDelete, "/images/"+name+"?force=1", nil, nil); err != nil {
		n.Error(err)
	}
}
