//go:build docker

package docker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
)

// Of several runs at once one works. The others end, and name it.
func TestTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.install()
	w.release(image.Options{Tag: tag183, BootDelay: 4 * time.Second})
	w.estate.SetVersion("18.3.6-ee")
	var jobs []*program.Job
	for i := range 4 {
		jobs = append(jobs, w.start("upgrade", fmt.Sprintf("CI_JOB_URL=https://gitlab.example.com/duo/-/jobs/%d", i)))
	}
	worked, refused := "", []program.Result{}
	for i, j := range jobs {
		switch r := j.Wait(); {
		case r.Exit == 0 && r.Outcome == "upgraded" && worked == "":
			worked = fmt.Sprintf("https://gitlab.example.com/duo/-/jobs/%d", i)
		case r.Exit == 7 && r.Outcome == "locked":
			refused = append(refused, r)
		default:
			t.Errorf("job %d: exit code %d, %s: %s", i, r.Exit, r.Outcome, r.Error)
		}
	}
	if worked == "" {
		t.Fatal("none of them worked")
	}
	for _, r := range refused {
		if !strings.Contains(r.Error, worked) {
			t.Errorf("%s held the lock; a refused run says: %s", worked, r.Error)
		}
	}
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
