package version

import (
	"cmp"
	"fmt"
	"regexp"
)

// Tag is a stable gateway tag, self-hosted-vX.Y.Z-ee. Tags of one line with a
// higher patch hold later fixes, whatever GitLab's own patch is.
type Tag struct {
	Major, Minor, Patch int
	Edition             Edition // Enterprise or JiHu
}

// maxTag is the longest tag there is, in bytes: OCI distribution-spec, "Pulling
// manifests".
const maxTag = 128

var (
	// Source: docs.gitlab.com/install/install_ai_gateway; JiHu's edition of it for -jh.
	tagPattern = regexp.MustCompile(`^self-hosted-v` + numbers + `-(ee|jh)$`)

	// The same page once spelled tags without the v. No such tag was ever pushed.
	misspelled = regexp.MustCompile(`^self-hosted-(` + numbers + `-(?:ee|jh))$`)
)

// ParseTag reads a stable gateway tag. Everything else that lives in a gateway
// repository is an error: latest, v1.2.3, commit hashes, signatures.
func ParseTag(s string) (Tag, error) {
	if len(s) > maxTag {
		return Tag{}, notTag(s)
	}
	if m := misspelled.FindStringSubmatch(s); m != nil {
		return Tag{}, fmt.Errorf(`%s is not a gateway tag: it is spelled with a v, "self-hosted-v%s"`, quote(s), m[1])
	}
	m := tagPattern.FindStringSubmatch(s)
	if m == nil {
		return Tag{}, notTag(s)
	}
	major, minor, patch, err := atoi(m[1:4])
	if err != nil {
		return Tag{}, fmt.Errorf("%s is not a gateway tag: %w", quote(s), err)
	}
	return Tag{Major: major, Minor: minor, Patch: patch, Edition: Edition(m[4])}, nil
}

func notTag(s string) error {
	return fmt.Errorf(`%s is not a gateway tag: expected one such as "self-hosted-v18.2.1-ee"`, quote(s))
}

// Line is the minor release the gateway was built for.
func (t Tag) Line() Line { return Line{t.Major, t.Minor} }

// Compare orders tags by version; tags of one version by edition.
func (t Tag) Compare(o Tag) int {
	return cmp.Or(t.Line().Compare(o.Line()), cmp.Compare(t.Patch, o.Patch), cmp.Compare(t.Edition, o.Edition))
}

// String is the tag as it is pushed: "self-hosted-v18.2.1-ee".
func (t Tag) String() string {
	return fmt.Sprintf("self-hosted-v%d.%d.%d-%s", t.Major, t.Minor, t.Patch, t.Edition)
}
