// Package jobimage builds the container image in which the CI components run:
// aigw-ci, the shell that GitLab Runner needs in a build container, and the
// certificate authorities of the web. It needs the sources, the go command and
// the module cache; no base image, no Docker, no root.
//
// The same sources give the same digest, on any machine: everything in the image
// is compiled by the toolchain that go.mod names, or comes from a module that
// go.sum pins; files have no owner but root, no time but [Epoch], and one order.
// That is what lets a template of the tagged commit name the digest of the image
// that the tag's pipeline is going to publish, and lets anybody check it. For the
// same reason no label holds the commit: the digest is written into the commit, so
// the commit cannot be in the digest.
//
// The package imports go-containerregistry, as internal/registry does. The one
// reads what others published, with the care that untrusted answers need; this one
// writes, at release time, and never runs on a user's machine. Credentials for
// pushing are found by internal/registry.
package jobimage

import "time"

// Epoch is the time of everything in the image.
var Epoch = time.Unix(0, 0).UTC()

// Source is the page of the project's sources, whatever instance builds the image.
const Source = "https://gitlab.com/aigw-ci/aigw-ci"

// Platforms are those the image is built for, in the order of the index.
func Platforms() []Platform { return []Platform{{"linux", "amd64"}, {"linux", "arm64"}} }

// Platform is an operating system and a processor, in Go's words, which are OCI's.
type Platform struct{ OS, Architecture string }

func (p Platform) String() string { return p.OS + "/" + p.Architecture }
