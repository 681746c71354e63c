package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"list for a value", "log:\n  level: [debug]\n", []string{"log.level (.aigw.yml:2): one value was expected"}},
		{"map for a value", "report:\n  dir: {a: b}\n", []string{"report.dir (.aigw.yml:2): one value was expected"}},
		{"map for a list", "ca_file: {a: b}\n", []string{"ca_file (.aigw.yml:1): a list was expected"}},
		{"lists in a list", "docker:\n  ports:\n  - [a]\n  - {b: c}\n", []string{
			"docker.ports (.aigw.yml:3): a list of plain values was expected",
			"docker.ports (.aigw.yml:4): a list of plain values was expected",
		}},
		{"comma in a list's value", "docker:\n  ports:\n  - 1:1,2:2\n", []string{"docker.ports (.aigw.yml:3): a value of a list has no commas and line breaks: make it several values"}},
		{"text for a map", "gateway:\n  environment: A=b\n", []string{"gateway.environment (.aigw.yml:2): names with values below it were expected"}},
		{"list for a map", "gateway:\n  environment:\n  - A=b\n", []string{"gateway.environment (.aigw.yml:3): names with values below it were expected"}},
		{"map in a map", "gateway:\n  environment:\n    A: {b: c}\n    B:\n", []string{
			"gateway.environment.A (.aigw.yml:3): a name with one value was expected",
			`gateway.environment.B (.aigw.yml:4): it has no value: write "" for an empty one`,
		}},
		{"bad name in a map", "gateway:\n  environment:\n    1x: y\n", []string{`gateway.environment.1x (.aigw.yml:3): "1x" is no name for a variable: it has letters, digits and _`}},
		{"variable twice", "gateway:\n  environment:\n    A: 1\n    A: 2\n", []string{"gateway.environment.A (.aigw.yml:4): it is given twice"}},
		{"value for a section", "gitlab: x\n", []string{"gitlab (.aigw.yml:1): settings were expected below it, not a value"}},
		{"key twice", "log:\n  level: info\n  level: debug\n", []string{"log.level (.aigw.yml:3): it is already set in line 2"}},
		{"section twice", "log:\n  level: info\nlog:\n  format: json\n", []string{"log (.aigw.yml:3): it is already set in line 1"}},
		{"unknown, near", "dokcer:\n  container: x\n", []string{"dokcer (.aigw.yml:1): there is no such setting: did you mean docker?"}},
		{"unknown, flat", "docker_container: x\n", []string{"docker_container (.aigw.yml:1): there is no such setting: did you mean docker.container?"}},
		{"unknown, far", "log:\n  colour-scheme: x\n", []string{"log.colour-scheme (.aigw.yml:2): there is no such setting: log has level, format"}},
		{"known, dotted", "log.level: debug\n", []string{"log.level (.aigw.yml:1): in a file it is written as log: {level: ...}"}},
		{"unknown, dotted", "log.levle: debug\n", []string{"log.levle (.aigw.yml:1): there is no such setting: did you mean log.level?"}},
		{"of a later release", "verify:\n  weather: good\nmirror: x\nkubernetes:\n  chart:\n    weather-of-all-of-Asia: y\n", []string{
			"verify.weather (.aigw.yml:2): there is no such setting: verify has timeout, hold, successes, gitlab, repair_url, rake, rake_user, rake_flag",
			"mirror (.aigw.yml:3): there is no such setting: see the table of settings",
			"kubernetes.chart.weather-of-all-of-Asia (.aigw.yml:6): there is no such setting: kubernetes.chart has repository, name, version, path, user, password",
		}},
		{"three levels, dotted", "kubernetes.chart.version: 0.15.1\n", []string{"kubernetes.chart.version (.aigw.yml:1): in a file it is written as kubernetes: {chart: {version: ...}}"}},
		{"text for YAML", "target: kubernetes\nkubernetes:\n  values: replicaCount\n", []string{"kubernetes.values (.aigw.yml:3): names with values below it were expected"}},
		{"list for YAML", "target: kubernetes\nkubernetes:\n  values: [a]\n", []string{"kubernetes.values (.aigw.yml:3): names with values below it were expected"}},
		{"no name in YAML", "target: kubernetes\nkubernetes:\n  values:\n    ? [hunter2]\n    : x\n", []string{"kubernetes.values (.aigw.yml:4): before the : a name was expected"}},
		{"a name twice in YAML", "target: kubernetes\nkubernetes:\n  values:\n    image: {tag: x, tag: y}\n", []string{"kubernetes.values (.aigw.yml:4): this name is already there, in line 4"}},
		{"a huge key", strings.Repeat("k", 1000) + ": x\n", []string{strings.Repeat("k", 48) + `... (.aigw.yml:1): there is no such setting: see the table of settings`}},
		{"key that is no name", "? [a]\n: b\n", []string{".aigw.yml:1: a name was expected"}},
		{"list on top", "- gitlab\n", []string{`.aigw.yml:1: settings were expected, such as "gitlab:" with "url:" below it`}},
		{"text on top", "glpat-1234567890", []string{`.aigw.yml:1: settings were expected, such as "gitlab:" with "url:" below it`}},
		{"two documents", "log:\n  level: info\n---\nlog:\n  level: debug\n", []string{`.aigw.yml: it holds more than one document: remove what follows the second "---"`}},
		{"syntax", "log:\n  level: [info\n", []string{".aigw.yml:1: it is no valid YAML: did not find expected ',' or ']'"}},
		{"not UTF-8", "log:\n  level: inf\xf6\n", []string{".aigw.yml: it is not UTF-8 text"}},
		{"UTF-16", "\xff\xfel\x00o\x00g\x00", []string{".aigw.yml: it is not UTF-8 text"}},
		{"tag", "log:\n  level: !!str info\n", []string{".aigw.yml:2: tags (!) are not read here: remove it, or quote the value"}},
		{"merge key", "a: &x {level: info}\nlog:\n  <<: *x\n", []string{".aigw.yml:1: anchors and aliases (& and *) are not read here: write the value out, or quote it"}},
		{"anchor of a value", "gitlab:\n  token: &pass word\n", []string{".aigw.yml:2: anchors and aliases (& and *) are not read here: write the value out, or quote it"}},
		{"unknown alias", "gitlab:\n  token: *hunter2\n", []string{".aigw.yml: it is no valid YAML"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, problems := load(t, Sources{}, files{".aigw.yml": tt.text})
			if diff := cmp.Diff(tt.want, problems); diff != "" {
				t.Errorf("%s\n%s", tt.text, diff)
			}
		})
	}
}

func TestFileValues(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":          "",
		"comment":          "# nothing\n",
		"null":             "~\n",
		"null section":     "gitlab:\nlog: ~\n",
		"document markers": "---\n{}\n...\n",
		"byte order mark":  "\ufefflog:\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(good(t, Sources{}, nil), good(t, Sources{}, files{".aigw.yml": text})); diff != "" {
				t.Error(diff)
			}
		})
	}
	got := good(t, Sources{}, files{".aigw.yml": "gateway:\n  environment:\n    A: yes\n    B: 0x10\n    C: 1.50\n    D: |-\n      two\n      lines, with a comma\n    E: ''\n"})
	want := Environment{"A": "yes", "B": "0x10", "C": "1.50", "D": "two\nlines, with a comma", "E": ""}
	if diff := cmp.Diff(want, got.Gateway.Environment); diff != "" {
		t.Errorf("values are taken as they are written: %s", diff)
	}
}

func TestWhichFile(t *testing.T) {
	t.Parallel()
	in := files{".aigw.yml": "log: {level: debug}", "other.yml": "log: {level: error}", "bad/.aigw.yml": "log: {level: no}"}
	if got := good(t, Sources{File: "other.yml"}, in).Log.Level.String(); got != "ERROR" {
		t.Errorf("named file: %s", got)
	}
	if got := good(t, Sources{}, in).Log.Level.String(); got != "DEBUG" {
		t.Errorf("default file: %s", got)
	}
	for name, want := range map[string]string{
		"gone.yml":      "gone.yml: there is no file gone.yml",
		"bad/.aigw.yml": "log.level (bad/.aigw.yml:1)",
		"bad":           "bad: ", // a directory
	} {
		if _, _, problems := load(t, Sources{File: name}, in); len(problems) != 1 || !strings.HasPrefix(problems[0], want) {
			t.Errorf("%s: %q, want %q", name, problems, want)
		}
	}
	_, _, err := Load(t.Context(), Sources{Open: func(name string) (fs.File, error) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}})
	if err == nil || !strings.Contains(err.Error(), ".aigw.yml: the file .aigw.yml cannot be read by this user") {
		t.Errorf("unreadable default file: %v", err)
	}
}

// Files that are made to do harm are refused.
func TestHarmfulFiles(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 10 {
		bomb += fmt.Sprintf("b%d: &b%d [*%s,*%s,*%s,*%s,*%s]\n", i, i, "a", "a", "a", "a", "a")
	}
	for name, tt := range map[string]struct{ text, want string }{
		"alias bomb":      {bomb, "anchors and aliases"},
		"deep flow":       {"gateway: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "more than 16 levels"},
		"deep flow, open": {strings.Repeat("[", 1<<19), "no valid YAML"},
		"deep maps":       {deepMap(100), "more than 16 levels"},
		"large":           {"# " + strings.Repeat("x", largestFile), "larger than 1024 KiB"},
		"many keys":       {strings.Repeat("a: b\n", 1<<13), "already set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, problems := load(t, Sources{}, files{".aigw.yml": tt.text})
			if len(problems) == 0 || !strings.Contains(strings.Join(problems[:min(2, len(problems))], ""), tt.want) {
				t.Errorf("%.300q, want %q", problems, tt.want)
			}
		})
	}
}

func deepMap(levels int) string {
	var b strings.Builder
	for i := range levels {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// A file of exactly the largest size is read.
func TestLargestFile(t *testing.T) {
	t.Parallel()
	text := "log: {level: debug}\n#"
	text += strings.Repeat("x", largestFile-len(text))
	if got := good(t, Sources{}, files{".aigw.yml": text}); got.Log.Level.String() != "DEBUG" {
		t.Errorf("level %v", got.Log.Level)
	}
}

// endless is a file such as /dev/zero.
type endless struct {
	fs.File
	read int
}

func (e *endless) Close() error { return nil }

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 64<<20 {
		return 0, errors.New("read on and on")
	}
	return len(p), nil
}

func TestEndlessFile(t *testing.T) {
	t.Parallel()
	for _, from := range []Sources{
		{File: "x"},
		{Environ: []string{"AIGW_CI_CA_FILE=x"}},
		{Environ: []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=x"}},
		{Environ: []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=A=x"}},
		{Environ: []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_VALUES_FILES=x"}},
		{Environ: []string{"AIGW_CI_TARGET=kubernetes", "AIGW_CI_KUBERNETES_TLS_CERT=x", "AIGW_CI_KUBERNETES_TLS_KEY=x", "AIGW_CI_KUBERNETES_HOST=x.example.com"}},
	} {
		from.Open = func(name string) (fs.File, error) {
			if name == "x" {
				return new(endless), nil
			}
			return nil, fs.ErrNotExist
		}
		_, _, err := Load(t.Context(), from)
		if err == nil || !strings.Contains(err.Error(), "x is larger than") {
			t.Errorf("%v: %v", from.Environ, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"gitlab:\n  url: https://gitlab.example.com\n", "gateway: {environment: {A: b, C: ''}}", "docker: {ports: [1:1, 2:2]}",
		"target: kubernetes\nkubernetes:\n  chart: {version: 1.2.3}\n  values: {a: [{b: 1}], ? [c] : d, <<: {e: f}}", "a: &a [*a]", "? x\n: y", "%YAML 1.1\n---\n- |\n  x", "{a: {b: {c: {d: [[[]]]}}}}", "gitlab:\n\t- x", "\ufeff---\n~\n...",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		settings, _, problems := load(t, Sources{}, files{".aigw.yml": text})
		if problems == nil && (settings.Target != "docker" && settings.Target != "kubernetes" || settings.Verify.Successes < 1 || settings.Docker.Container == "") {
			t.Errorf("accepted with impossible settings: %+v", settings)
		}
		for _, p := range problems {
			if len(p) > 1000 {
				t.Errorf("a problem of %d bytes", len(p))
			}
		}
	})
}
