package kubernetes

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
)

// Bounds of a chart. The gateway's own has some forty files and is smaller than
// 100 KiB; Helm could not store one that is larger than 1 MiB in a release.
const (
	maxArchive  = 20 << 20 // bytes, as it is downloaded
	maxUnpacked = 64 << 20 // bytes, with all charts inside of it
	maxFiles    = 5000
	maxNested   = 4 // charts in charts
	maxName     = 512
)

// unpackChart reads a chart out of a .tgz. An archive is made by others: it may hold
// neither links nor devices nor names that lead out of it, no name twice, and no more
// than the bounds allow, counting the archives of subcharts inside of it. Helm's own
// loader takes links for empty files, and gives each subchart bounds of its own.
func unpackChart(data []byte) (*chartv2.Chart, error) {
	u := unpacking{bytes: maxUnpacked, files: maxFiles, seen: make(map[string]bool)}
	if err := u.archive("", data, 0); err != nil {
		return nil, err
	}
	if len(u.found) == 0 {
		return nil, errors.New("it holds no files")
	}
	for _, f := range u.found {
		if path.Ext(f.Name) != ".yaml" || strings.Contains(f.Name, "templates/") {
			continue // Helm reads these as YAML: Chart.yaml, values.yaml, requirements.yaml
		}
		if err := expands(f.Data); err != nil {
			return nil, fmt.Errorf("%s %w", clean(f.Name, 200), err)
		}
	}
	c, err := loader.LoadFiles(u.found)
	if err != nil {
		return nil, errors.New(clean(err.Error(), 300)) // it may quote the archive
	}
	return c, nil
}

// unpacking is what is left of the bounds, and what was found.
type unpacking struct {
	bytes int64
	files int
	seen  map[string]bool
	found []*archive.BufferedFile
}

// archive adds the files of a .tgz under a prefix. Each lies below one directory, the
// name of which is of no importance; see helm.sh/docs/topics/charts.
func (u *unpacking) archive(prefix string, data []byte, depth int) error {
	if depth > maxNested {
		return errors.New("it holds charts in charts in charts, too deep to be meant")
	}
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return errors.New("it is not a .tgz")
	}
	defer zipped.Close()
	files := tar.NewReader(io.LimitReader(zipped, u.bytes+int64(u.files)<<10))
	for {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		if u.files--; u.files < 0 {
			return fmt.Errorf("it holds more than %d files", maxFiles)
		}
		switch head.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		case tar.TypeReg:
		default:
			return fmt.Errorf("%s is not a plain file: charts hold no links and no devices", clean(head.Name, 200))
		}
		if err := u.file(prefix, head, files, depth); err != nil {
			return err
		}
	}
}

func (u *unpacking) file(prefix string, head *tar.Header, content io.Reader, depth int) error {
	name, err := inside(head.Name)
	if err != nil {
		return err
	}
	name = prefix + name
	if u.seen[name] {
		return fmt.Errorf("it holds %s twice", clean(name, 200))
	}
	u.seen[name] = true
	if head.Size > u.bytes {
		return fmt.Errorf("unpacked it is larger than %d MiB", maxUnpacked>>20)
	}
	data, err := io.ReadAll(io.LimitReader(content, u.bytes))
	if err != nil {
		return fmt.Errorf("reading %s: %w", clean(name, 200), err)
	}
	u.bytes -= int64(len(data))
	if dir, file := path.Split(name); strings.HasSuffix(dir, "charts/") && path.Ext(file) == ".tgz" {
		if err := u.archive(dir+strings.TrimSuffix(file, ".tgz")+"/", data, depth+1); err != nil {
			return fmt.Errorf("%s: %w", clean(name, 200), err)
		}
		return nil
	}
	u.found = append(u.found, &archive.BufferedFile{Name: name, ModTime: head.ModTime, Data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
	return nil
}

// inside is a file's name within its chart: without the directory they all lie in.
func inside(name string) (string, error) {
	_, below, ok := strings.Cut(name, "/")
	switch {
	case len(name) > maxName, strings.ContainsAny(name, "\\:\x00"), path.IsAbs(name), path.IsAbs(below):
		return "", fmt.Errorf("the name %s is not allowed in a chart", clean(name, 200))
	case !ok || below == "":
		return "", fmt.Errorf("%s does not lie in the chart's directory", clean(name, 200))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fmt.Errorf("the name %s leads out of the chart", clean(name, 200))
		}
	}
	if below = path.Clean(below); below == "." {
		return "", fmt.Errorf("%s does not lie in the chart's directory", clean(name, 200))
	}
	return below, nil
}
