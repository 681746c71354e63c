//go:build docker

package docker

import (
	"testing"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
)

// Of many runs at once one works. The others end, and name it. They have the engine for
// themselves: on a small one there is no room for more.
func TestTogether(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.release(image.Options{Tag: tag183, BootDelay: 10 * time.Second})
	w.estate.SetVersion("18.3.6-ee")
	program.Together(t, 20, "upgraded", func(setting string) *program.Job { return w.start("upgrade", setting) })
	w.serves(tag183)
	w.alone()
}

// Runs on other gateways of the same engine are nobody's business: at no moment is
// one gateway's set-aside container taken for another's.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	one, other := newWorld(t), newWorld(t)
	one.mirror(image.Options{Tag: tag182}, image.Options{Tag: tag183})
	one.runPublished(one.pull(tag182))
	one.estate.SetVersion("18.3.6-ee")
	j := one.start("upgrade")
	one.await(j, state(".aigw-ci-previous", ""))
	other.run("upgrade", 0, "installed")
	j.Expect(0, "upgraded")
	one.serves(tag183)
	other.serves(tag182)
	for _, w := range []*world{one, other} {
		w.alone()
	}
}
