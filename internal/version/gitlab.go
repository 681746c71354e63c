package version

import (
	"fmt"
	"regexp"
)

// GitLab is the version of a GitLab instance.
type GitLab struct {
	Major, Minor, Patch int
	Edition             Edition
	Pre                 bool // a build of a version that is not released yet: -pre, -rcNN
}

// maxGitLab is the longest version GitLab's own parser accepts, in bytes.
// Source: gitlab-org/gitlab, gems/gitlab-utils/lib/gitlab/version_info.rb.
const maxGitLab = 128

// gitLabPattern holds every form a version is published in. Stable versions end in
// -ee, -jh or nothing, builds of the main branch in -pre; packages and Docker tags
// add -ce and an iteration (gitlab/gitlab-ee:17.9.1-ee.0, gitlab-ee 17.9.1+ee.0).
// Sources: docs.gitlab.com/api/metadata, docs.gitlab.com/policy/maintenance,
// omnibus-gitlab lib/gitlab/build/check.rb.
var gitLabPattern = regexp.MustCompile(
	`^v?` + numbers + `(?:-(ee|jh|ce)|[-+](ee|ce|jh)\.[0-9]{1,6}|-(pre|rc[0-9]{1,6})(?:-(ee|jh))?)?$`)

// ParseGitLab reads a version as the API, CI_SERVER_VERSION, a package or a Docker
// tag spells it. The package iteration and the number of a release candidate are
// dropped. GitLab's own parser finds a version anywhere in a text; this one wants
// the whole text to be one, so that a login page is not taken for a version.
func ParseGitLab(s string) (GitLab, error) {
	var m []string
	if len(s) <= maxGitLab {
		m = gitLabPattern.FindStringSubmatch(s)
	}
	if m == nil {
		return GitLab{}, fmt.Errorf(`%s is not a GitLab version: expected one such as "18.2.1-ee"`, quote(s))
	}
	major, minor, patch, err := atoi(m[1:4])
	if err != nil {
		return GitLab{}, fmt.Errorf("%s is not a GitLab version: %w", quote(s), err)
	}
	return GitLab{
		Major: major, Minor: minor, Patch: patch,
		Edition: Edition(m[4] + m[5] + m[7]), // at most one of them matched
		Pre:     m[6] != "",
	}, nil
}

// Line is the minor release the instance runs.
func (v GitLab) Line() Line { return Line{v.Major, v.Minor} }

// String is the version as GitLab's API spells it: "18.2.1-ee", "18.9.0-pre".
func (v GitLab) String() string {
	s := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre {
		s += "-pre"
	}
	if v.Edition != Unstated {
		s += "-" + string(v.Edition)
	}
	return s
}
