package program

import (
	"fmt"
	"strings"
	"testing"
)

// Together starts n runs at once. One of them must end with this outcome; the others
// must be refused, with exit code 7, and name it.
func Together(t testing.TB, n int, outcome string, start func(setting string) *Job) {
	t.Helper()
	address := func(i int) string { return fmt.Sprintf("https://gitlab.example.com/duo/-/jobs/%d", 100+i) }
	jobs := make([]*Job, n)
	for i := range jobs {
		jobs[i] = start("CI_JOB_URL=" + address(i))
	}
	worked, refused := "", []Result{}
	for i, j := range jobs {
		switch r := j.Wait(); {
		case r.Exit == 0 && r.Outcome == outcome && worked == "":
			worked = address(i)
		case r.Exit == 7 && r.Outcome == "locked":
			refused = append(refused, r)
		default:
			t.Errorf("run %d: exit code %d, %s: %s", i, r.Exit, r.Outcome, r.Error)
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
}
