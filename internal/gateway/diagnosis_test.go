package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// each calls visit with every entry of the catalogue.
func each(visit func(Diagnosis)) {
	for _, c := range catalogue {
		for _, d := range c.Entries {
			visit(d)
		}
	}
}

func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	shown := regexp.MustCompile(`^(resolve|plan|prepare|gateway\.[a-z]+|gitlab\.[a-z_]+)$`)
	ids, texts := map[DiagnosisID]bool{}, map[string]DiagnosisID{}
	each(func(d Diagnosis) {
		if !word.MatchString(string(d.ID)) || ids[d.ID] {
			t.Errorf("%q is no ID, or there twice", d.ID)
		}
		ids[d.ID] = true
		for what, text := range map[string]string{"seen": d.Seen, "cause": d.Cause, "cure": d.Cure, "source": d.Source} {
			if text == "" || strings.ContainsAny(text, "\n\r\t") || strings.HasSuffix(text, ".") {
				t.Errorf("%s: %s is %q", d.ID, what, text)
			}
		}
		if (len(d.Shown) == 0) != (d.Unseen != "") {
			t.Errorf("%s: either a pipeline shows it, or there is a reason why none does", d.ID)
		}
		for _, where := range d.Shown {
			if !shown.MatchString(where) {
				t.Errorf("%s: shown by %q, which is neither a check nor a phase", d.ID, where)
			}
		}
		if d.Link != "" && !strings.HasPrefix(d.Link, "https://docs.gitlab.com/") && !strings.HasPrefix(d.Link, "https://gitlab.com/") {
			t.Errorf("%s: %s is no page of GitLab's", d.ID, d.Link)
		}
		for _, l := range d.Log {
			if l.Text == "" || l.Severity != SeverityFail && l.Severity != SeverityWarn || texts[l.Text] != "" {
				t.Errorf("%s: log text %+v is not complete, or also in %q", d.ID, l, texts[l.Text])
			}
			texts[l.Text] = d.ID
		}
	})
}

// Every constant has an entry, and is used: by code outside of this package, unless
// its entry is about GitLab's own view. Every entry is found by code or in the log,
// or is told by what runs before there is anything to check, or is there to be read.
func TestCatalogueIsUsed(t *testing.T) {
	t.Parallel()
	constants := map[string]DiagnosisID{}
	parse(t, ".", "diagnoses.go", func(n ast.Node) {
		if v, ok := n.(*ast.ValueSpec); ok {
			id, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			constants[v.Names[0].Name] = DiagnosisID(id)
		}
	})
	used := map[string]bool{}
	err := fs.WalkDir(os.DirFS(".."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || path.Dir(name) == "gateway" {
			return err
		}
		parse(t, "..", name, func(n ast.Node) {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "gateway" {
					used[s.Sel.Name] = true
				}
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	coded := map[DiagnosisID]bool{}
	for name, id := range constants {
		coded[id] = true
		d := Known(id)
		byGitLab := slices.ContainsFunc(d.Shown, func(s string) bool { return strings.HasPrefix(s, "gitlab.") })
		switch {
		case d.ID == "":
			t.Errorf("%s is %q, which is not in the catalogue", name, id)
		case !used[name] && !byGitLab:
			t.Errorf("%s is used nowhere", name)
		}
	}
	each(func(d Diagnosis) {
		early := slices.ContainsFunc(d.Shown, func(s string) bool { return s == "resolve" || s == "plan" })
		if !coded[d.ID] && len(d.Log) == 0 && !early && d.Unseen == "" {
			t.Errorf("%s is found by nothing", d.ID)
		}
	})
}

// parse walks the syntax of one file.
func parse(t *testing.T, dir, name string, visit func(ast.Node)) {
	t.Helper()
	data, err := os.ReadFile(path.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
	if err != nil {
		return // somebody is at work on it; the compiler tells
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if n != nil {
			visit(n)
		}
		return true
	})
}
