package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"aigw-ci/internal/secret"
)

// The files of the contract. Pipelines refer to them by these names.
const (
	jsonFile        = "report.json"
	junitFile       = "junit.xml"
	dotenvFile      = "deploy.env"
	annotationsFile = "annotations.json"
	summaryFile     = "summary.md"
	evidenceDir     = "evidence"
)

// Dir is the directory that reports are written to. It is opened once; a link that
// is put in its place or into it afterwards leads nowhere else.
type Dir struct {
	root     *os.Root
	name     string // as it was given
	redact   *secret.Redactor
	evidence []string // what was saved, as paths inside the directory
	saved    int      // bytes of it
}

// Open makes the directory if need be, and removes the reports that an earlier run
// left in it, so that no one reads an old verdict as a new one. Other files stay.
// A relative path must lie below the working directory; no part of it, and not the
// last part of an absolute one, may be a symbolic link.
func Open(path string, redact *secret.Redactor) (*Dir, error) {
	root, err := open(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("report.dir %q: %w", path, err)
	}
	d := &Dir{root: root, name: filepath.Clean(path), redact: redact}
	if err := d.sweep(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("report.dir %q: removing an earlier run's report: %w", path, err)
	}
	return d, nil
}

// Close lets go of the directory. The reports stay.
func (d *Dir) Close() error { return d.root.Close() }

func open(path string) (*os.Root, error) {
	base, name := ".", path
	if filepath.IsAbs(path) {
		base, name = filepath.Split(path)
		if err := os.MkdirAll(base, 0o755); err != nil {
			return nil, err
		}
	}
	if !filepath.IsLocal(name) {
		return nil, errors.New("it leads out of the working directory: give a path below it, or an absolute one")
	}
	parent, err := os.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := directories(parent, name); err != nil {
		return nil, err
	}
	if err := parent.MkdirAll(name, 0o755); err != nil {
		return nil, err
	}
	return parent.OpenRoot(name)
}

// directories checks that as much of path as exists is directories, and no links:
// in a checkout, a link can be anybody's.
func directories(root *os.Root, path string) error {
	for i, c := range path + string(filepath.Separator) {
		if c != filepath.Separator {
			continue
		}
		info, err := root.Lstat(path[:i])
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("%q is a symbolic link: remove it, or set report.dir to a directory", path[:i])
		case !info.IsDir():
			return fmt.Errorf("%q is not a directory: remove it, or set report.dir to another path", path[:i])
		}
	}
	return nil
}

// sweep removes what a run may have written, and nothing else.
func (d *Dir) sweep() error {
	for _, name := range []string{jsonFile, junitFile, dotenvFile, annotationsFile, summaryFile} {
		for _, old := range []string{name, temporary(name)} {
			if err := d.root.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return d.sweepEvidence()
}

func temporary(name string) string { return "." + name + ".tmp" }

// Write writes all reports. One that cannot be written does not keep the others
// from being written; the error names every one that is missing.
func (d *Dir) Write(r Report) error {
	r = r.clean(d.redact)
	return errors.Join(
		d.put(jsonFile, renderJSON(r.Result)),
		d.put(junitFile, renderJUnit(r.Result)),
		d.put(dotenvFile, renderDotenv(r)),
		d.put(annotationsFile, renderAnnotations(r, d.name)),
		d.put(summaryFile, renderSummary(r, d.evidence)),
	)
}

// Summary is summary.md as Write wrote it, for those who publish it elsewhere.
func (d *Dir) Summary() ([]byte, error) {
	data, err := d.root.ReadFile(summaryFile)
	if err != nil {
		return nil, fmt.Errorf("reading the summary of %q: %w", d.name, err)
	}
	return data, nil
}

// put writes a file so that a reader finds the whole of it or none.
func (d *Dir) put(name string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s: %w", filepath.Join(d.name, name), err)
		}
	}()
	if err := d.create(temporary(name), data); err != nil {
		return err
	}
	return d.root.Rename(temporary(name), name)
}

// create writes a file that is not there yet. O_EXCL also refuses a link.
func (d *Dir) create(name string, data []byte) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
