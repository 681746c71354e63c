// Package chart is a stand-in for GitLab's AI Gateway Helm chart: the same values and
// the same objects under the same names, as far as they are public, and a repository
// and a registry to get it from. The texts are its own.
//
// Sources: docs.gitlab.com/install/install_ai_gateway, "Install by using the Helm
// chart"; the values of gitlab-org/charts/ai-gateway-helm-chart 0.15.1.
package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Name is the chart's.
const Name = "ai-gateway"

// Options describe one chart.
type Options struct {
	Version    string // of the chart, "0.15.1"; it has nothing to do with GitLab's
	AppVersion string // the tag that is deployed when the values name none

	// Values replaces the chart's values.yaml when it is not "".
	Values string
}

// Each tree is a part of a chart, laid over the first.
//
//go:embed all:files
var trees embed.FS

// Files are the chart's, by their path in it.
//
// A chart before 0.7.0 is of the older kind: it keeps images that a node has
// (IfNotPresent), makes no keys, knows no second service, and renders an Ingress when
// it is enabled, where the newer kind also wants ingress.gitlabIngressEnabled to be
// false.
func Files(o Options) (map[string][]byte, error) {
	kind := "current"
	if o.old() {
		kind = "old"
	}
	files := map[string][]byte{"Chart.yaml": []byte(o.metadata())}
	for _, root := range []string{"files/every", "files/" + kind} {
		err := fs.WalkDir(trees, root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := trees.ReadFile(name)
			files[strings.TrimPrefix(name, root+"/")] = data
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the files of chart %s: %w", o.Version, err)
		}
	}
	if o.Values != "" {
		files["values.yaml"] = []byte(o.Values)
	}
	return files, nil
}

func (o Options) old() bool {
	minor, _, _ := strings.Cut(strings.TrimPrefix(o.Version, "0."), ".")
	n, err := strconv.Atoi(minor)
	return strings.HasPrefix(o.Version, "0.") && err == nil && n < 7
}

// fields are what Chart.yaml says, and an index, and the configuration of an artifact.
// Source: helm.sh/docs/topics/charts, "The Chart.yaml File".
type fields struct {
	APIVersion   string       `json:"apiVersion"`
	Name         string       `json:"name"`
	Description  string       `json:"description"`
	Type         string       `json:"type"`
	Version      string       `json:"version"`
	AppVersion   string       `json:"appVersion"`
	Dependencies []dependency `json:"dependencies,omitempty"`
}

type dependency struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	Repository string `json:"repository"`
	Condition  string `json:"condition"`
}

func (o Options) fields() fields {
	f := fields{APIVersion: "v2", Name: Name, Description: "A stand-in for GitLab's AI Gateway", Type: "application", Version: o.Version, AppVersion: o.AppVersion}
	if !o.old() {
		f.Dependencies = []dependency{{Name: "grpc-tls-proxy", Version: "0.1.0", Condition: "grpc-tls-proxy.enabled"}}
	}
	return f
}

// metadata is Chart.yaml. All JSON is YAML.
func (o Options) metadata() string {
	text, err := json.MarshalIndent(o.fields(), "", "  ")
	if err != nil {
		panic(err) // strings only
	}
	return string(text) + "\n"
}

// Write writes the chart as a directory, which must not exist.
func Write(directory string, o Options) error {
	files, err := Files(o)
	if err != nil {
		return err
	}
	if err := os.Mkdir(directory, 0o755); err != nil {
		return fmt.Errorf("writing chart %s: %w", o.Version, err)
	}
	for name, data := range files {
		to := filepath.Join(directory, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("writing chart %s: %w", o.Version, err)
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return fmt.Errorf("writing chart %s: %w", o.Version, err)
		}
	}
	return nil
}

// Archive is the chart as "helm package" makes it, a .tgz with one directory at the
// top, and after it the entries that more describes, full of zeros. The same options
// give the same bytes.
func Archive(o Options, more ...tar.Header) ([]byte, error) {
	files, err := Files(o)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	w := tar.NewWriter(compressed)
	write := func(h tar.Header, data []byte) error {
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		if data == nil { // as many zeros as it says
			data = make([]byte, h.Size)
		}
		_, err := w.Write(data)
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := write(tar.Header{Name: path.Join(Name, name), Size: int64(len(files[name]))}, files[name]); err != nil {
			return nil, fmt.Errorf("packing chart %s: %w", o.Version, err)
		}
	}
	for _, h := range more {
		if err := write(h, nil); err != nil {
			return nil, fmt.Errorf("packing chart %s: %w", o.Version, err)
		}
	}
	if err := errors.Join(w.Close(), compressed.Close()); err != nil {
		return nil, fmt.Errorf("packing chart %s: %w", o.Version, err)
	}
	return out.Bytes(), nil
}
