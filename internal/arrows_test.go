// Package arrows holds the arrows between the packages: which may import which, and
// who alone may import a library.
package arrows

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "aigw-ci/"

// arrows are the imports within the module that are allowed, by package or by the
// tree it is in. What is not listed imports nothing of the module; a command may
// import everything.
var arrows = map[string][]string{
	"internal/version":    {},
	"internal/secret":     {},
	"internal/transport":  {},
	"internal/road":       {"internal/secret"},
	"internal/upgrade":    {"internal/version"},
	"internal/gateway":    {"internal/secret", "internal/version"},
	"internal/config":     {"internal/secret", "internal/version", "internal/gateway"},
	"internal/report":     {"internal/secret", "internal/upgrade"},
	"internal/gitlab":     {"internal/secret", "internal/version", "internal/gateway", "internal/transport", "internal/upgrade"},
	"internal/registry":   {"internal/secret", "internal/version", "internal/gateway", "internal/transport", "internal/upgrade"},
	"internal/docker":     {"internal/secret", "internal/version", "internal/gateway", "internal/transport", "internal/road", "internal/upgrade"},
	"internal/kubernetes": {"internal/secret", "internal/version", "internal/gateway", "internal/transport", "internal/road", "internal/upgrade"},
	"internal/verify":     {"internal/secret", "internal/version", "internal/gateway", "internal/transport", "internal/upgrade"},
	"internal/rake":       {"internal/secret", "internal/version", "internal/upgrade"},

	// The stand-in world shares no code with what it tests, and so no mistakes;
	// only the grammar of tags is the same.
	"internal/lab": {"internal/lab", "internal/version"},

	// What tests of several packages share knows the program from outside alone.
	"test": {"test", "internal/lab"},

	// The image that jobs run in is built beside the program, not from it.
	"internal/jobimage": {"internal/coreutil"},
}

// libraries are the modules that are imported, and by whom alone.
var libraries = map[string][]string{
	"github.com/xanzy/go-gitlab":             {"internal/gitlab"},
	"github.com/sethvargo/go-envconfig":      {"internal/config"},
	"gopkg.in/yaml.v3":                       {"internal/config"},
	"github.com/moby/moby/client":            {"internal/docker"},
	"github.com/moby/moby/api":               {"internal/docker", "internal/lab/engine"},
	"github.com/moby/docker-image-spec":      {"internal/docker"},
	"github.com/opencontainers/image-spec":   {"internal/docker", "internal/kubernetes"},
	"helm.sh/helm/v4":                        {"internal/kubernetes"},
	"github.com/go-logr/logr":                {"internal/kubernetes"},
	"k8s.io":                                 {"internal/kubernetes"},
	"sigs.k8s.io/yaml":                       {"internal/kubernetes"},
	"go.yaml.in/yaml/v3":                     {"internal/kubernetes"},
	"oras.land/oras-go/v2":                   {"internal/kubernetes"},
	"github.com/Masterminds/semver/v3":       {"internal/kubernetes"},
	"github.com/containerd/errdefs":          {"internal/docker"},
	"golang.org/x/crypto":                    {"internal/docker", "internal/jobimage"},
	"github.com/google/go-containerregistry": {"internal/registry", "internal/jobimage", "internal/lab"},
	"google.golang.org/grpc":                 {"internal/verify", "internal/lab"},
	"golang.org/x/sys":                       {"internal/lab"},
	"golang.org/x/net/http/httpproxy":        {"cmd"},
	"golang.org/x/net/publicsuffix":          {"internal/registry"},
	"mvdan.cc/sh/v3":                         {"internal/shell"},
	"github.com/spf13":                       {"cmd"},
}

// retired are libraries whose successor is named already: one file knows them.
var retired = []string{"github.com/xanzy/go-gitlab", "gopkg.in/yaml.v3"}

func TestArrows(t *testing.T) {
	users := map[string][]string{} // of the retired libraries: files
	for file, imports := range sources(t) {
		from := path.Dir(file)
		for _, i := range imports {
			switch to, own := strings.CutPrefix(i, module); {
			case own && !below(from, "cmd") && !allowed(from, to):
				t.Errorf("%s imports %s: that arrow points the wrong way", file, to)
			case own || !strings.Contains(strings.Split(i, "/")[0], "."): // or the standard library
			default:
				checkLibrary(t, file, i)
			}
			for _, r := range retired {
				if below(i, r) {
					users[r] = append(users[r], file)
				}
			}
		}
	}
	for _, r := range retired {
		if len(users[r]) != 1 {
			t.Errorf("%s is to be replaced, and %d files import it: %q", r, len(users[r]), users[r])
		}
	}
}

func checkLibrary(t *testing.T, file, library string) {
	for name, importers := range libraries {
		if !below(library, name) {
			continue
		}
		if !slices.ContainsFunc(importers, func(p string) bool { return below(path.Dir(file), p) }) {
			t.Errorf("%s imports %s: only %s may", file, library, strings.Join(importers, " and "))
		}
		return
	}
	t.Errorf("%s imports %s, a library that nobody has decided on: see libraries", file, library)
}

// allowed looks for the arrows of the innermost listed tree.
func allowed(from, to string) bool {
	for p := from; p != "."; p = path.Dir(p) {
		if targets, listed := arrows[p]; listed {
			return slices.ContainsFunc(targets, func(t string) bool { return below(to, t) })
		}
	}
	return false
}

// below reports whether a path is in the tree of root.
func below(p, root string) bool { return p == root || strings.HasPrefix(p, root+"/") }

// isModule reports whether a directory is a module of its own, with its own rules.
func isModule(root fs.FS, dir string) bool {
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return err == nil
}

// sources are the imports of every file of the program, whatever its build tags.
// Tests may import what they test with.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() != "." && (entry.Name()[0] == '.' || isModule(root, name))):
			return fs.SkipDir
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			i, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			files[name] = append(files[name], i)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if listed := slices.Collect(maps.Keys(files)); !slices.Contains(listed, "internal/upgrade/job.go") {
		t.Fatalf("these are not the program's sources: %q", listed)
	}
	return files
}
