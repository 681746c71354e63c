// Package version is the grammar and order of GitLab versions and of the gateway
// tags that belong to them.
//
// Neither is semantic versioning: "18.2.1-ee" is not a pre-release of 18.2.1, and
// a gateway tag's patch number counts the gateway's own fixes, not GitLab's. So
// the suffix is kept apart from the numbers here, as an edition.
package version

import (
	"cmp"
	"fmt"
)

// Line is a minor release, such as 18.2: what GitLab and its gateway must share.
type Line struct{ Major, Minor int }

// String is the line as people write it, "18.2".
func (l Line) String() string { return fmt.Sprintf("%d.%d", l.Major, l.Minor) }

// Compare orders lines by age: negative when l is older than o, 0 when they are equal.
func (l Line) Compare(o Line) int {
	return cmp.Or(cmp.Compare(l.Major, o.Major), cmp.Compare(l.Minor, o.Minor))
}

// Edition is the kind of GitLab that a version or a tag names.
type Edition string

const (
	Unstated   Edition = "" // no suffix: Community Edition, or a source that drops it
	Enterprise Edition = "ee"
	Community  Edition = "ce"
	JiHu       Edition = "jh" // GitLab for China
)
