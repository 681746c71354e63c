package report

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// Evidence has bounds: a gateway that logs without end must not fill the disk of
// the machine that is to save it, nor the artifacts of a job.
const (
	maxEvidenceFile  = 2 << 20  // bytes
	maxEvidence      = 32 << 20 // bytes in all
	maxEvidenceFiles = 100
	maxEvidenceName  = 80 // bytes
)

// stages are the directories below evidence/.
var stages = [...]upgrade.Stage{upgrade.Rehearsal, upgrade.Live, upgrade.Restored}

// Evidence saves what is known about a gateway, under evidence/<stage>/. Names are
// reduced to harmless ones and made unique, secrets are removed, and of a file that
// is too large the beginning and the end are kept. The error names what could not
// be saved; the rest is.
func (d *Dir) Evidence(stage upgrade.Stage, files []upgrade.File) error {
	dir := path.Join(evidenceDir, fileName(string(stage)))
	if err := directories(d.root, dir); err != nil {
		return fmt.Errorf("saving evidence: %w", err)
	}
	if err := d.root.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("saving evidence: %w", err)
	}
	var errs []error
	for _, f := range files {
		if err := d.save(dir, f); err != nil {
			errs = append(errs, fmt.Errorf("saving evidence %s: %w", secret.Cut(line(f.Name), maxEvidenceName), err))
		}
	}
	return errors.Join(errs...)
}

func (d *Dir) save(dir string, f upgrade.File) error {
	data := middleOut(d.redact.Bytes(f.Data), maxEvidenceFile)
	if len(d.evidence) >= maxEvidenceFiles || d.saved+len(data) > maxEvidence {
		return fmt.Errorf("there is more than %d files or %d MiB already", maxEvidenceFiles, maxEvidence>>20)
	}
	name := d.unused(path.Join(dir, fileName(d.redact.String(f.Name))))
	if err := d.create(name, data); err != nil {
		return err
	}
	d.evidence, d.saved = append(d.evidence, name), d.saved+len(data)
	return nil
}

// unused is name, or name with a number when there is such a file already.
func (d *Dir) unused(name string) string {
	ext := path.Ext(name)
	for n, try := 2, name; ; n++ {
		if _, err := d.root.Lstat(try); err != nil {
			return try
		}
		try = strings.TrimSuffix(name, ext) + "-" + strconv.Itoa(n) + ext
	}
}

// fileName keeps of s what is harmless in a file name everywhere.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, s)
	s = strings.TrimLeft(s, ".-")
	if len(s) > maxEvidenceName { // the end has the extension
		s = strings.TrimLeft(s[len(s)-maxEvidenceName:], ".-")
	}
	if s == "" {
		return "file"
	}
	return s
}

// middleOut keeps the two ends of data when it is longer than most bytes: how it began and
// how it ended is what a log is read for.
func middleOut(data []byte, most int) []byte {
	if len(data) <= most {
		return data
	}
	half := most / 2
	mark := fmt.Sprintf("\n[... %d bytes left out ...]\n", len(data)-2*half)
	kept := make([]byte, 0, most+len(mark))
	kept = append(kept, data[:half]...)
	kept = append(kept, mark...)
	return append(kept, data[len(data)-half:]...)
}

// sweepEvidence removes an earlier run's evidence. A link in the place of a
// directory is removed itself; what it leads to is not looked at.
func (d *Dir) sweepEvidence() error {
	info, err := d.root.Lstat(evidenceDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return d.root.Remove(evidenceDir)
	}
	for _, stage := range stages {
		if err := d.root.RemoveAll(path.Join(evidenceDir, string(stage))); err != nil {
			return err
		}
	}
	return nil
}
