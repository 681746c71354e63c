//go:build docker

package pipeline

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// The merge request that merge request pipelines belong to.
const (
	projectID    = 12
	mergeRequest = 7
)

// include is an entry below `include:`, as a user writes it, with more inputs.
func (w *world) include(component, version string, s *site, more ...string) string {
	lines := append([]string{
		"docker_container: " + s.name,
		"docker_ports: " + s.http + ":5052, " + s.grpc + ":50052",
		"gateway_url: http://" + s.http,
	}, more...)
	return fmt.Sprintf("  - component: $CI_SERVER_FQDN/components/aigw-ci/%s@%s\n    inputs:\n      %s\n",
		component, version, strings.Join(lines, "\n      "))
}

// configure makes these includes, and perhaps other text, the project's .gitlab-ci.yml.
func (w *world) configure(include string, more ...string) {
	w.Helper()
	w.project.write(".gitlab-ci.yml", "include:\n"+include+strings.Join(more, ""))
	w.project.write(".gitignore", ".gitlab-ci-local/\n/aigw-ci/\n")
	w.project.commit("Configure the pipeline")
	w.project.git("update-ref", "refs/remotes/origin/main", "HEAD")
	w.project.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
}

// saveVariables writes the CI/CD variables to where gitlab-ci-local looks for those
// that a user sets for the project in GitLab.
func (w *world) saveVariables() {
	w.Helper()
	server, err := url.Parse(w.url)
	if err != nil {
		w.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "project:\n  %s/acme/app.git:\n", server.Hostname())
	for _, name := range slices.Sorted(maps.Keys(w.variables)) {
		fmt.Fprintf(&b, "    %s: {type: variable, values: {\"*\": %q}}\n", name, w.variables[name])
	}
	home := repository{w.TB, w.home}
	home.write(".gitlab-ci-local/variables.yml", b.String())
	home.write(".gitconfig", "[user]\n\tname = Alex\n\temail = alex@example.com\n")
}
