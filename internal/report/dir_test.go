package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"

	"github.com/google/go-cmp/cmp"
)

// tree is what lies below a directory, links as "name -> target".
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if target, err := os.Readlink(path); err == nil {
			name += " -> " + filepath.Base(target)
		}
		if !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	work := t.TempDir()
	t.Chdir(work) // so this test is not parallel
	outside := t.TempDir()
	if err := os.Symlink(outside, "link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", "inside"); err != nil {
		t.Fatal(err)
	}
	write(t, "real/file", "")
	for path, want := range map[string]string{
		"../elsewhere":               "leads out of the working directory",
		"a/../../elsewhere":          "leads out of the working directory",
		"":                           "", // the working directory, as for every tool
		"link":                       `"link" is a symbolic link`,
		"link/deeper":                `"link" is a symbolic link`,
		"inside":                     `"inside" is a symbolic link`,
		"inside/deeper":              `"inside" is a symbolic link`,
		"real/file":                  `"real/file" is not a directory`,
		"real/file/deeper":           `"real/file" is not a directory`,
		filepath.Join(work, "link"):  `"link" is a symbolic link`,
		filepath.Join(work, "a/b/c"): "",
		"new/and/deep":               "",
		"./real/":                    "",
		"/":                          "leads out",
	} {
		dir, err := Open(path, nil)
		if err == nil {
			dir.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Open(%q): %v, want %q", path, err, want)
		}
	}
	if got := tree(t, outside); got != nil {
		t.Errorf("outside: %v", got)
	}
}

func TestOpenSweepsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	path, outside := t.TempDir(), t.TempDir()
	keep := filepath.Join(outside, "keep")
	write(t, keep, "precious")
	for _, name := range []string{"report.json", ".report.json.tmp", "junit.xml", "summary.md", "mine.txt", "evidence/live/logs.txt", "evidence/mine.txt"} {
		write(t, filepath.Join(path, name), "old")
	}
	for name, target := range map[string]string{"deploy.env": keep, "evidence/rehearsal": outside} {
		if err := os.Symlink(target, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if diff := cmp.Diff([]string{"evidence/mine.txt", "mine.txt"}, tree(t, path)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if got, _ := os.ReadFile(keep); string(got) != "precious" {
		t.Errorf("a file outside is now %q", got)
	}
}

// Whatever is put into the directory while a run is at work, nothing outside of it
// is written.
func TestWriteFollowsNoLink(t *testing.T) {
	t.Parallel()
	path, outside := filepath.Join(t.TempDir(), "aigw-ci"), t.TempDir()
	victim := filepath.Join(outside, "victim")
	write(t, victim, "precious")
	dir, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, name := range []string{"report.json", ".junit.xml.tmp", "evidence"} {
		if err := os.Symlink(victim, filepath.Join(path, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.Write(Report{Result: job()}); err != nil {
		t.Fatal(err)
	}
	if err := dir.Evidence(upgrade.Live, []upgrade.File{{Name: "logs.txt"}}); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("evidence: %v", err)
	}
	if got, _ := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("the file outside is now %q", got)
	}
	want := []string{"annotations.json", "deploy.env", "evidence -> victim", "junit.xml", "report.json", "summary.md"}
	if diff := cmp.Diff(want, tree(t, path)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestWriteGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	write(t, filepath.Join(path, "report.json", "in", "the", "way"), "")
	err = dir.Write(Report{Result: job()})
	if err == nil || !strings.Contains(err.Error(), "report.json: ") || strings.Contains(err.Error(), "junit") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, "summary.md")); err != nil {
		t.Error(err)
	}
}

func TestSummaryIsWhatWasWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "reports")
	d, err := Open(path, secret.NewRedactor("hunter2-hunter2"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if text, err := d.Summary(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("before anything was written: %q, %v", text, err)
	}
	r := Report{Result: upgrade.Result{Command: "plan", Outcome: upgrade.Planned, Notes: []string{"the password is hunter2-hunter2"}}}
	if err := d.Write(r); err != nil {
		t.Fatal(err)
	}
	text, err := d.Summary()
	if err != nil || !bytes.HasPrefix(text, []byte("### AI Gateway: planned\n")) || bytes.Contains(text, []byte("hunter2")) {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := Open(path, secret.NewRedactor(password))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	large := append(append([]byte("first line\n"), bytes.Repeat([]byte("x"), maxEvidenceFile)...), "\nlast line"...)
	files := []upgrade.File{
		{Name: "logs.txt", Data: []byte("PASSWORD=" + password + "\n")},
		{Name: "logs.txt", Data: []byte("again")},
		{Name: "../../etc/passwd", Data: []byte("no")},
		{Name: "..", Data: []byte("no")},
		{Name: ".hidden\x00/\x1b[2J" + strings.Repeat("n", 500) + ".json", Data: []byte("long")},
		{Name: "large.txt", Data: large},
	}
	if err := dir.Evidence(upgrade.Live, files); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"evidence/live/etc-passwd", "evidence/live/file", "evidence/live/large.txt", "evidence/live/logs-2.txt",
		"evidence/live/logs.txt", "evidence/live/" + strings.Repeat("n", 75) + ".json",
	}
	if diff := cmp.Diff(want, tree(t, path)); diff != "" {
		t.Errorf("saved (-want +got):\n%s", diff)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(path, evidenceDir, "live", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if got := read("logs.txt"); got != "PASSWORD=[redacted]\n" {
		t.Errorf("saved %q", got)
	}
	got := read("large.txt")
	if len(got) > maxEvidenceFile+100 || !strings.HasPrefix(got, "first line\n") || !strings.HasSuffix(got, "\nlast line") || !strings.Contains(got, "[... 21 bytes left out ...]") {
		t.Errorf("saved %d bytes: %q ... %q", len(got), got[:20], got[len(got)-20:])
	}

	many := make([]upgrade.File, maxEvidenceFiles)
	err = dir.Evidence(upgrade.Restored, many)
	if err == nil || !strings.Contains(err.Error(), "more than 100 files") {
		t.Errorf("too many files: %v", err)
	}
	if got := len(tree(t, path)); got != maxEvidenceFiles {
		t.Errorf("%d files", got)
	}
}
