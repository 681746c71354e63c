package kubernetes

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

// chartFiles is a small chart: file name, within the chart, to content.
func chartFiles(name, version string, more ...string) map[string]string {
	files := map[string]string{
		"Chart.yaml":                "apiVersion: v2\nname: " + name + "\nversion: " + version + "\nappVersion: self-hosted-v18.2.8-ee\n",
		"values.yaml":               "image: {repository: registry.example.com/gateway, tag: \"\"}\n",
		"templates/deployment.yaml": "kind: Deployment\n",
	}
	for i := 0; i+1 < len(more); i += 2 {
		files[more[i]] = files[more[i]] + more[i+1]
	}
	return files
}

// packed is a .tgz of files below a directory.
func packed(t testing.TB, dir string, files map[string]string) []byte {
	t.Helper()
	var heads []tar.Header
	var bodies []string
	for name, content := range files {
		heads = append(heads, tar.Header{Name: dir + "/" + name, Typeflag: tar.TypeReg, Mode: 0o644})
		bodies = append(bodies, content)
	}
	return tarred(t, heads, bodies)
}

func tarred(t testing.TB, heads []tar.Header, bodies []string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for i, head := range heads {
		head.Size = int64(len(bodies[i]))
		if err := w.WriteHeader(&head); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(bodies[i])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpackChart(t *testing.T) {
	t.Parallel()
	inner := packed(t, "sub", chartFiles("sub", "0.1.0"))
	files := chartFiles("ai-gateway", "1.2.3", "charts/sub-0.1.0.tgz", string(inner), "Chart.yaml", "dependencies: [{name: sub, version: 0.1.0}, {name: other, version: 1.0.0}]\n")
	for name, content := range chartFiles("other", "1.0.0") {
		files["charts/other/"+name] = content
	}
	c, err := unpackChart(packed(t, "whatever", files))
	if err != nil {
		t.Fatal(err)
	}
	if err := check(c, "ai-gateway", "1.2.3"); err != nil {
		t.Error(err)
	}
	if len(c.Templates) != 1 || len(c.Dependencies()) != 2 {
		t.Errorf("%d templates and %d subcharts, want 1 and 2", len(c.Templates), len(c.Dependencies()))
	}
}

func TestUnpackChartRefuses(t *testing.T) {
	t.Parallel()
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }
	one := func(head tar.Header) []byte { return tarred(t, []tar.Header{head}, []string{""}) }
	many := func(n int) []byte {
		heads, bodies := make([]tar.Header, n), make([]string, n)
		for i := range heads {
			heads[i] = file(fmt.Sprint("c/f", i))
		}
		return tarred(t, heads, bodies)
	}
	half := strings.Repeat("\x00", maxUnpacked/2+1)
	bomb := packed(t, "c", map[string]string{"x": half})
	nested := packed(t, "c", map[string]string{"x": ""})
	for range maxNested + 1 {
		nested = packed(t, "c", map[string]string{"charts/c.tgz": string(nested)})
	}
	aliases := "a: &a \"" + strings.Repeat("x", 1<<16) + "\"\nb: [" + strings.Repeat("*a,", 1000) + "]\n"

	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"text":                {[]byte("<html>"), "not a .tgz"},
		"nothing":             {tarred(t, nil, nil), "no files"},
		"symbolic link":       {one(tar.Header{Name: "c/values.yaml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "no links"},
		"hard link":           {one(tar.Header{Name: "c/values.yaml", Typeflag: tar.TypeLink, Linkname: "c/x"}), "no links"},
		"device":              {one(tar.Header{Name: "c/x", Typeflag: tar.TypeChar}), "no devices"},
		"way out":             {one(file("c/../../x")), "leads out"},
		"way out and in":      {one(file("c/templates/../x")), "leads out"},
		"way out at once":     {one(file("../x/y")), "leads out"},
		"absolute":            {one(file("/etc/passwd")), "not allowed"},
		"absolute below":      {one(file("c//etc/passwd")), "not allowed"},
		"windows":             {one(file(`c\..\x`)), "not allowed"},
		"drive":               {one(file("c/C:/x")), "not allowed"},
		"long name":           {one(file("c/" + strings.Repeat("x", maxName))), "not allowed"},
		"no directory":        {one(file("Chart.yaml")), "chart's directory"},
		"twice":               {tarred(t, []tar.Header{file("c/x"), file("c/./x")}, []string{"", ""}), "twice"},
		"many files":          {many(maxFiles + 1), "more than 5000 files"},
		"bomb":                {packed(t, "c", map[string]string{"x": half, "y": half}), "larger than 64 MiB"},
		"bombs in charts":     {packed(t, "c", map[string]string{"charts/a.tgz": string(bomb), "charts/b.tgz": string(bomb)}), "larger than 64 MiB"},
		"charts in charts":    {nested, "too deep"},
		"no Chart.yaml":       {packed(t, "c", map[string]string{"values.yaml": ""}), "Chart.yaml file is missing"},
		"no version":          {packed(t, "c", map[string]string{"Chart.yaml": "apiVersion: v2\nname: c\n"}), "version"},
		"aliases":             {packed(t, "c", chartFiles("c", "1.0.0", "values.yaml", aliases)), "grows beyond"},
		"aliases in subchart": {packed(t, "c", map[string]string{"charts/s/values.yaml": aliases}), "grows beyond"},
		"control characters":  {one(file("c/\x1b[2J\\x")), "not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := unpackChart(test.data)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
			if strings.ContainsAny(err.Error(), "\x1b\x00") {
				t.Errorf("control characters in %q", err)
			}
		})
	}
}

func FuzzUnpackChart(f *testing.F) {
	f.Add("c/Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n", byte(tar.TypeReg))
	f.Add("c/../x", "", byte(tar.TypeReg))
	f.Add("c/charts/x.tgz", "\x1f\x8b", byte(tar.TypeSymlink))
	f.Fuzz(func(t *testing.T, name, content string, kind byte) {
		var out bytes.Buffer
		zipped := gzip.NewWriter(&out)
		w := tar.NewWriter(zipped)
		if w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Size: int64(len(content))}) != nil {
			return
		}
		_, _ = w.Write([]byte(content))
		_, _ = w.Close(), zipped.Close()
		u := unpacking{bytes: 1 << 20, files: 10, seen: map[string]bool{}}
		if u.archive("", out.Bytes(), 0) != nil {
			return
		}
		for _, found := range u.found {
			if strings.HasPrefix(found.Name, "/") || strings.Contains("/"+found.Name+"/", "/../") {
				t.Errorf("%q leads out of the chart", found.Name)
			}
		}
		_, _ = unpackChart(out.Bytes())
	})
}
