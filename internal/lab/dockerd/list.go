package dockerd

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// Listed is a container, image, volume or network in a list of the engine.
type Listed struct {
	ID                    string `json:"Id"`
	Name                  string
	Names                 []string // of a container, each with a leading slash
	Labels                map[string]string
	RepoTags, RepoDigests []string
}

// Belongs reports whether a container is a gateway of this name, or one that the
// program has beside it, "name.aigw-ci-next".
func (l Listed) Belongs(name string) bool {
	return slices.ContainsFunc(l.Names, func(n string) bool {
		return n == "/"+name || strings.HasPrefix(n, "/"+name+".")
	})
}

// Containers are all of them, also those that do not run.
func (e *Engine) Containers(ctx context.Context) (list []Listed, err error) {
	return list, e.Call(ctx, http.MethodGet, "/containers/json?all=1", nil, &list)
}

// Images are all that have a name.
func (e *Engine) Images(ctx context.Context) (list []Listed, err error) {
	return list, e.Call(ctx, http.MethodGet, "/images/json", nil, &list)
}

// Volumes are all of them, with their names and labels.
func (e *Engine) Volumes(ctx context.Context) ([]Listed, error) {
	var answer struct{ Volumes []Listed }
	err := e.Call(ctx, http.MethodGet, "/volumes", nil, &answer)
	return answer.Volumes, err
}

// Networks are all of them.
func (e *Engine) Networks(ctx context.Context) (list []Listed, err error) {
	return list, e.Call(ctx, http.MethodGet, "/networks", nil, &list)
}
