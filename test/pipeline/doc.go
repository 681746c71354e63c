// Package pipeline tests the CI components as their users meet them: a project that
// includes them from another project, by tag or by SHA, and whose pipelines run.
//
// GitLab's part is played by gitlab-ci-local, which reads the unchanged templates and
// runs the jobs' scripts, and by the lab's GitLab, which serves the components over
// git and is the API that the jobs speak to. The program is the real one, and so is
// the Docker Engine.
//
// gitlab-ci-local is no GitLab. What it does otherwise is tested elsewhere: inputs
// that are unknown or wrong (test/component), GitLab's own markers in the job log
// (internal/report).
//
// The tests carry the build tag docker; `make test` installs what they need and runs
// them. What is missing is an error that says how to get it, never a skip.
package pipeline
