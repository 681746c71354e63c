package coreutil

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bench is a directory with a few files: a, b/10, b/9, b/.hidden, and a link to a.
func bench(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "alpha\n", "b/10": "ten\n", "b/9": "nine\n", "b/.hidden": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tree is every file below a directory with its text; directories end in a slash.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		switch {
		case d.IsDir():
			found[name+"/"] = ""
		case d.Type()&os.ModeSymlink != 0:
			link, err := os.Readlink(path)
			found[name] = "-> " + link
			return err
		default:
			text, err := os.ReadFile(path)
			found[name] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

type result struct {
	Status      int
	Out, Errors string
}

// run runs a command line in which @ is the directory.
func run(t *testing.T, dir, line, stdin string) result {
	t.Helper()
	args := strings.Fields(strings.ReplaceAll(line, "@", dir))
	var out, errs bytes.Buffer
	status := Run(t.Context(), Process{
		Args: args, Environ: []string{"A=1", "B=2 3"}, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
	})
	hide := strings.NewReplacer(dir, "@")
	return result{status, hide.Replace(out.String()), hide.Replace(errs.String())}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]result{
		"cat @/a - @/b/9":          {Out: "alpha\nin\nnine\n"},
		"cat @/no @/a":             {Status: 1, Out: "alpha\n", Errors: "cat: open @/no: no such file or directory\n"},
		"ls @":                     {Out: "a\nb\nlink\n"},
		"ls -v @/b":                {Out: "9\n10\n"},
		"ls -rvd @/b/10 @/b/9 @/b": {Out: "@/b/10\n@/b/9\n@/b\n"},
		"ls -A @/b":                {Out: ".hidden\n10\n9\n"},
		"ls @/a @/b":               {Out: "@/a\n\n@/b:\n10\n9\n"},
		"ls @/no":                  {Status: 1, Errors: "ls: lstat @/no: no such file or directory\n"},
		"env":                      {Out: "A=1\nB=2 3\n"},
		"id -u":                    {Out: strconv.Itoa(os.Geteuid()) + "\n"},
		"id -g":                    {Out: strconv.Itoa(os.Getegid()) + "\n"},
		"sleep 0.001":              {},
		"sleep 1ms":                {},
		"sleep x":                  {Status: 2, Errors: "sleep: usage: \"x\" is no number of seconds\n"},
		"mkdir":                    {Status: 2, Errors: "mkdir: usage: which directory?\n"},
		"mkdir @/b":                {Status: 1, Errors: "mkdir: mkdir @/b: file exists\n"},
		"rm @/b":                   {Status: 1, Errors: "rm: @/b is a directory\n"},
		"rm @/no":                  {Status: 1, Errors: "rm: lstat @/no: no such file or directory\n"},
		"rm -x @/a":                {Status: 2, Errors: "rm: usage: unknown option \"-x\"\n"},
		"cp @/b @/c":               {Status: 1, Errors: "cp: @/b is a directory\n"},
		"cp @/a @/b/9 @/no":        {Status: 1, Errors: "cp: @/no is no directory\n"},
		"chmod u+x @/a":            {Status: 2, Errors: "chmod: usage: \"u+x\" is no mode; write it like 755\n"},
		"awk x":                    {Status: 127, Errors: "awk: not found; there are " + strings.Join(Names(), ", ") + "\n"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, run(t, bench(t), line, "in\n")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What a command leaves behind: files that are new or changed, and "gone".
func TestFiles(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]map[string]string{
		"mkdir -p @/x/y @/b": {"x/": "", "x/y/": ""},
		"rm -rf @/b @/no":    {"b/": "gone", "b/.hidden": "gone", "b/10": "gone", "b/9": "gone"},
		"rm -f -- @/a @/no":  {"a": "gone"},
		"rm @/link":          {"link": "gone"},
		"cp @/a @/c":         {"c": "alpha\n"},
		"cp -r @/b @/c":      {"c/": "", "c/.hidden": "", "c/10": "ten\n", "c/9": "nine\n"},
		"cp @/a @/link @/b":  {"b/a": "alpha\n", "b/link": "alpha\n"},
		"mv @/a @/b/9":       {"a": "gone", "b/9": "alpha\n"},
		"mv @/a @/link @/b":  {"a": "gone", "link": "gone", "b/a": "alpha\n", "b/link": "-> a"},
		"touch @/new @/a":    {"new": ""},
		"touch -c @/new":     {},
		"tee @/a @/new":      {"a": "in\n", "new": "in\n"},
		"tee -a @/a":         {"a": "alpha\nin\n"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			dir := bench(t)
			before := tree(t, dir)
			if got := run(t, dir, line, "in\n"); got.Status != 0 {
				t.Fatalf("status %d: %s", got.Status, got.Errors)
			}
			after := tree(t, dir)
			changed := make(map[string]string)
			for name, text := range after {
				if old, ok := before[name]; !ok || old != text {
					changed[name] = text
				}
			}
			for name := range before {
				if _, ok := after[name]; !ok {
					changed[name] = "gone"
				}
			}
			if diff := cmp.Diff(want, changed); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	dir := bench(t)
	if got := run(t, dir, "chmod -R 700 @/b", ""); got.Status != 0 {
		t.Fatal(got)
	}
	if got := run(t, dir, "cp -p @/b/9 @/c", ""); got.Status != 0 {
		t.Fatal(got)
	}
	for _, name := range []string{"b", "b/9", "c"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
	}
	if got := run(t, dir, "ls -l @/c", ""); !strings.HasPrefix(got.Out, "-rwx------ "+strconv.Itoa(os.Geteuid())+":") {
		t.Errorf("ls -l: %q", got.Out)
	}
}

func FuzzCompareNumbers(f *testing.F) {
	f.Add("10", "9")
	f.Add("a007", "a7b")
	f.Add("", "0")
	f.Fuzz(func(t *testing.T, a, b string) {
		if x, y := compareNumbers(a, b), compareNumbers(b, a); x != -y {
			t.Errorf("%q and %q: %d one way, %d the other", a, b, x, y)
		}
		if compareNumbers(a, a) != 0 {
			t.Errorf("%q is not itself", a)
		}
	})
}
