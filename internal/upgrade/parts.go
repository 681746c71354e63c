// Package upgrade is the job this program exists for: bring the gateway to the
// image that belongs to GitLab's version, prove it, and put the old one back
// when it cannot be proven.
//
// It knows no Docker, no Kubernetes, no registry and no GitLab. They are the
// interfaces GitLab, Images, Target and Gate, which belong to this package.
package upgrade

import (
	"context"

	"aigw-ci/internal/version"
)

// GitLab tells which version the instance runs.
type GitLab interface {
	// Version is asked more than once in a run, and reads it anew each time. The
	// error of an instance that may answer later has a method Temporary that says so.
	Version(ctx context.Context) (Release, error)
}

// Release is a GitLab instance's version and how it was learnt.
type Release struct {
	URL        string
	Version    version.GitLab
	Source     string // "api", "predefined" or "setting"
	Enterprise *bool  // nil when the source does not tell
}

// Images finds the gateway image for a GitLab version.
type Images interface {
	// Find returns a *NoImageError when the registry has no image for the version.
	Find(ctx context.Context, gitlab version.GitLab, platform string) (Image, error)

	// Describe looks up an image by its reference, "repository:tag@sha256:...".
	Describe(ctx context.Context, reference, platform string) (Image, error)
}

// NoImageError says that no gateway image belongs to a GitLab version.
type NoImageError struct {
	Wanted  version.Line
	Nearest []string // tags of neighbouring lines, nearest first
	Detail  string   // what was searched
}

func (e *NoImageError) Error() string {
	s := "no gateway image for GitLab " + e.Wanted.String() + ": " + e.Detail
	if len(e.Nearest) > 0 {
		s += "; nearest:"
		for _, t := range e.Nearest {
			s += " " + t
		}
	}
	return s + "; pin one on purpose with image.tag"
}

// Gate decides whether a gateway works.
type Gate interface {
	// Judge looks until it is sure or its deadline has passed, and returns what it
	// saw. It never returns an error: what could not be looked at is a check.
	Judge(ctx context.Context, s Subject) []Check
}

// Subject is the gateway to judge.
type Subject struct {
	Stage   Stage
	Gateway Gateway
	Image   Image   // what it should run; the zero Image when any is right
	Release Release // GitLab as it was when the image was chosen; zero when unknown

	// Settled is set for a gateway that ran before this job came: time it has
	// already been up counts as hold, and one success is enough.
	Settled bool

	// Glance asks for one look, without waiting for the gateway to get better.
	Glance bool

	// Hurry asks for no hold: the job was cancelled, and its time is short.
	Hurry bool
}
