package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"aigw-ci/internal/version"
)

// noTagError says that a repository was read and has no tag of a line.
type noTagError struct {
	repository string
	line       version.Line
	edition    version.Edition
	others     []version.Tag // of other lines
}

func (e *noTagError) Error() string {
	return fmt.Sprintf("%s has no tag %s%s.*-%s", e.repository, tagPrefix, e.line, e.edition)
}

// passedOver collects why repositories were not taken.
type passedOver []error

const passedPrefix = "; passed over: "

// passOver notes that repo was not taken and goes on with the next one.
func (r *Registry) passOver(p *passedOver, repo repository, err error) {
	*p = append(*p, err)
	if len(*p) < len(r.repositories) {
		r.log.Warn("passing over a repository, trying the next", "repository", repo.written, "error", err)
	}
}

// String continues a Reason; it is empty when nothing was passed over.
func (p passedOver) String() string {
	if len(p) == 0 {
		return ""
	}
	why := make([]string, len(p))
	for i, err := range p {
		why[i] = err.Error()
	}
	return passedPrefix + strings.Join(why, "; ")
}

// onlyMissing reports whether every repository answered that it has no such tag.
func (p passedOver) onlyMissing() bool {
	return !slices.ContainsFunc(p, func(err error) bool {
		none := (*noTagError)(nil)
		return !errors.As(err, &none)
	})
}

func (p passedOver) err() error {
	if len(p) == 1 {
		return p[0]
	}
	return errors.Join(p...)
}

// maxNearest is how many tags are proposed when none fits.
const maxNearest = 4

// nearest picks the highest tags of the lines around line, the nearest first and, of
// two as near, the older first: an older gateway breaks less often than a newer one.
func nearest(line version.Line, tags []version.Tag) []string {
	best := make(map[version.Line]version.Tag)
	for _, t := range tags {
		if b, ok := best[t.Line()]; !ok || t.Compare(b) > 0 {
			best[t.Line()] = t
		}
	}
	var older, newer []version.Tag // both nearest first
	for l, t := range best {
		switch c := l.Compare(line); {
		case c < 0:
			older = append(older, t)
		case c > 0:
			newer = append(newer, t)
		}
	}
	slices.SortFunc(older, func(a, b version.Tag) int { return b.Compare(a) })
	slices.SortFunc(newer, version.Tag.Compare)

	var names []string
	for i := 0; len(names) < maxNearest && (i < len(older) || i < len(newer)); i++ {
		if i < len(older) {
			names = append(names, older[i].String())
		}
		if i < len(newer) {
			names = append(names, newer[i].String())
		}
	}
	return names
}
