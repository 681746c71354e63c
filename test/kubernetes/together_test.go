//go:build kubernetes

package kubernetes

import (
	"testing"
	"time"

	"aigw-ci/internal/lab/image"
	"aigw-ci/test/program"
)

// Of many runs at once one works. The others end, and name it.
func TestTogether(t *testing.T) {
	t.Parallel()
	w := installed(t)
	w.estate.SetVersion("18.4.1-ee")
	w.release(image.Options{Tag: tag184, BootDelay: 20 * time.Second})
	program.Together(t, 20, "upgraded", func(setting string) *program.Job { return w.start("upgrade", setting) })
	w.runs(tag184)
	w.nothingLeft()
}
