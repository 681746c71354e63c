// Package release tests what a release is made of: the pipeline, the release tool's
// configuration, and, on a Docker Engine, the job image as GitLab Runner uses it.
package release
