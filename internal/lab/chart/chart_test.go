package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	current = Options{Version: "0.15.1", AppVersion: "self-hosted-v19.2.0-ee"}
	old     = Options{Version: "0.5.0", AppVersion: "self-hosted-v18.2.0-ee"}
)

// entries unpacks an archive, and returns the sizes of its files.
func entries(t *testing.T, archive []byte) map[string]int64 {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for r := tar.NewReader(plain); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[header.Name] = header.Size
	}
}

func TestFilesOfEachKind(t *testing.T) {
	t.Parallel()
	newer, err := Files(current)
	if err != nil {
		t.Fatal(err)
	}
	older, err := Files(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		files     map[string][]byte
		name      string
		want, not string
	}{
		{newer, "values.yaml", "pullPolicy: Always", "gitlabIngressEnabled:"},
		{older, "values.yaml", "pullPolicy: IfNotPresent", "grpc"},
		{newer, "Chart.yaml", `"appVersion": "self-hosted-v19.2.0-ee"`, "0.5.0"},
		{older, "Chart.yaml", `"version": "0.5.0"`, "dependencies"},
		{newer, "templates/_helpers.tpl", "ai-gateway.fullname", "\t"},
	} {
		text := string(tt.files[tt.name])
		if !strings.Contains(text, tt.want) || strings.Contains(text, tt.not) {
			t.Errorf("%s has no %q, or has %q", tt.name, tt.want, tt.not)
		}
	}
	for _, name := range []string{"templates/jwt-keys.yaml", "templates/grpc-ingress.yaml", "charts/grpc-tls-proxy/Chart.yaml"} {
		if newer[name] == nil || older[name] != nil {
			t.Errorf("%s belongs to newer charts only", name)
		}
	}
}

func TestOwnValues(t *testing.T) {
	t.Parallel()
	files, err := Files(Options{Version: "1.0.0", Values: "a: b\n"})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(files["values.yaml"]); got != "a: b\n" {
		t.Error(got)
	}
}

func TestArchiveAndDirectoryAreOneChart(t *testing.T) {
	t.Parallel()
	archive, err := Archive(current)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Archive(current)
	if err != nil || !bytes.Equal(archive, again) {
		t.Errorf("the same options gave two archives: %v", err)
	}
	directory := filepath.Join(t.TempDir(), Name)
	if err := Write(directory, current); err != nil {
		t.Fatal(err)
	}
	if err := Write(directory, current); !errors.Is(err, os.ErrExist) {
		t.Errorf("writing over a chart: %v", err)
	}
	written := map[string]int64{}
	err = filepath.WalkDir(directory, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		written[Name+strings.TrimPrefix(filepath.ToSlash(path), filepath.ToSlash(directory))] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, entries(t, archive)); diff != "" {
		t.Error(diff)
	}
}

func TestHostileEntriesAreThere(t *testing.T) {
	t.Parallel()
	for what, header := range Hostile() {
		header.Size = min(header.Size, 10<<20) // the rest would only take time
		archive, err := Archive(current, header)
		if err != nil {
			t.Fatal(err)
		}
		if found := entries(t, archive); found[header.Name] != header.Size {
			t.Errorf("no entry that %s", what)
		}
		if len(archive) > 1<<20 {
			t.Errorf("%d bytes for an entry that %s", len(archive), what)
		}
	}
}
