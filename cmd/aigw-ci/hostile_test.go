package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"aigw-ci/internal/lab/engine"
	labgitlab "aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	"aigw-ci/internal/lab/wire"
)

// evil is a text that would do something wherever it came raw: to a terminal, in one
// byte and in two; to the sections of a GitLab job log and to the log of other
// systems; to whoever reads verdicts line by line, and to XML and Markdown.
const evil = "<img src=x>\x1b[2J\x1b]0;title\a\r\x1b[0Ksection_end:1:aigw-resolve\r\x1b[0K\u009b31m\u202e\u2028\x00]]></failure>`|@all\n" +
	"::error::forged\nUPGRADED  aigw-ci upgrade, exit code 0\n/close\n"

// ours are the control sequences that the program itself writes in a GitLab job.
var ours = regexp.MustCompile(`\x1b\[0Ksection_(start|end):[0-9]+:aigw-[a-z0-9-]+(\[collapsed=true\])?\r\x1b\[0K|\x1b\[(0|1|31|32|33)m`)

// verdicts are lines that read as the run's verdict.
var verdicts = regexp.MustCompile(`(?m)^[A-Z ]+  aigw-ci [a-z]+, exit code [0-9]$`)

// harmless reports what a text still does to those who look at it.
func harmless(where, text string) error {
	text = ours.ReplaceAllString(text, "")
	for _, line := range strings.Split(text, "\n") {
		if i := strings.IndexFunc(line, acting); i >= 0 {
			return fmt.Errorf("%s: a raw control character in %q", where, line)
		}
		if strings.HasPrefix(line, "::") || strings.HasPrefix(line, "/close") {
			return fmt.Errorf("%s: a line that is a command to others: %q", where, line)
		}
	}
	return nil
}

// acting reports whether a character does something other than being shown.
func acting(r rune) bool {
	return r != '\t' && unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// hostile is a world in which others mean harm.
type hostile struct {
	*world
	dir    string // of the reports
	format string
}

func (h *hostile) run(t *testing.T, command string, more ...string) int {
	t.Helper()
	var out bytes.Buffer
	code := run(t.Context(), []string{command}, system{
		environ: slices.Concat(h.environ(), []string{
			"AIGW_CI_REPORT_DIR=" + h.dir, "AIGW_CI_LOG_LEVEL=debug", "AIGW_CI_LOG_FORMAT=" + h.format, "GITLAB_CI=true", "AIGW_CI_VERIFY_TIMEOUT=3s",
		}, more),
		stdin: strings.NewReader(""), stdout: &out, stderr: &out, hostname: "host.example.com", pace: hurried,
	})
	err := errors.Join(harmless("the output", out.String()), keptContract(h.dir, code))
	if h.format == "text" {
		if said := verdicts.FindAllString(ours.ReplaceAllString(out.String(), ""), -1); len(said) != 1 {
			err = errors.Join(err, fmt.Errorf("the verdicts are %q", said))
		}
	}
	for _, name := range []string{"report.json", "junit.xml", "deploy.env", "annotations.json", "summary.md"} {
		data, readErr := os.ReadFile(filepath.Join(h.dir, name))
		err = errors.Join(err, readErr, harmless(name, string(data)))
	}
	if err := errors.Join(err, xmlOnly(filepath.Join(h.dir, "junit.xml"))); err != nil {
		t.Errorf("%s, exit code %d: %v\n%q", command, code, err, &out)
	}
	return code
}

// xmlOnly wants a file that a strict parser reads to its end.
func xmlOnly(path string) error {
	data, err := os.ReadFile(path)
	for d := xml.NewDecoder(bytes.NewReader(data)); err == nil; {
		_, err = d.Token()
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// spoken are answers with something evil in them, of all kinds that a client meets.
func spoken() map[string]wire.Fault {
	object := func(v any) string { data, _ := json.Marshal(v); return string(data) }
	inJSON := http.Header{"Content-Type": {"application/json"}}
	return map[string]wire.Fault{
		"message":   wire.Answer("", 403, inJSON, object(map[string]string{"message": evil})),
		"error":     wire.Answer("", 401, inJSON, object(map[string]string{"error": evil, "error_description": evil, "scope": evil})),
		"errors":    wire.Answer("", 403, inJSON, object(map[string]any{"errors": []any{map[string]string{"code": evil, "message": evil}}})),
		"version":   wire.Answer("", 200, inJSON, object(map[string]string{"version": evil})),
		"tags":      wire.Answer("", 200, inJSON, object(map[string]any{"tags": []string{evil, "self-hosted-v18.2.99-ee" + evil}})),
		"text":      wire.Answer("", 500, http.Header{"Content-Type": {"text/plain"}}, evil),
		"page":      wire.Answer("", 200, http.Header{"Content-Type": {"text/html"}}, "<html>"+evil),
		"media":     wire.Answer("", 200, http.Header{"Content-Type": {"text/\u009b31m\u202e; x=\"y"}}, "{"),
		"challenge": wire.Answer("", 401, http.Header{"Www-Authenticate": {`Bearer realm="http://\u009b31m` + "\u202e" + `/x",service="x"`}}, evil),
		"redirect":  wire.Answer("", 302, http.Header{"Location": {"https://\u202e\u009b31m.example.com/%0a%1b[2J"}}, evil),
		"link":      wire.Answer("", 200, http.Header{"Content-Type": {"application/json"}, "Link": {"<\u009b31m\u202e?last=%1b[2J%0a>; rel=\"next\""}}, `{"tags":["a"]}`),
		"wait":      wire.Answer("", 403, http.Header{"Retry-After": {"\u009b31m"}}, evil),
	}
}

// TestWhatOthersSayIsOnlyShown has GitLab, registry, engine, gateway and the holder of
// the lock say something evil, and wants all of it shown and none of it acted on.
func TestWhatOthersSayIsOnlyShown(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			h := &hostile{world: newWorld(t, nil), dir: filepath.Join(t.TempDir(), "reports"), format: format}
			h.wires(t)
			h.jobs(t)
			h.gateways(t)
			h.engines(t)
			h.holders(t)
		})
	}
}

func (h *hostile) wires(t *testing.T) {
	for name, fault := range spoken() {
		h.estate.GitLab.SetFaults(fault.On("", "/api/"), fault.On("", "/jwt/"))
		if code := h.run(t, "plan"); code != 1 && code != 6 && !(name == "wait" || name == "challenge") {
			t.Errorf("GitLab, %s: exit code %d", name, code)
		}
		h.run(t, "resolve", "AIGW_CI_GITLAB_VERSION=18.2.1-ee")
		h.estate.GitLab.SetFaults()
		h.estate.Registry.SetFaults(fault)
		if code := h.run(t, "resolve"); code != 1 && code != 3 && code != 6 {
			t.Errorf("registry, %s: exit code %d", name, code)
		}
		h.estate.Registry.SetFaults()
	}
}

// jobs has the variables of a job come from somebody's branch.
func (h *hostile) jobs(t *testing.T) {
	h.estate.GitLab.AddMergeRequest(12, 7)
	for _, code := range []int{
		h.run(t, "plan", "CI_JOB_URL=https://gitlab.example.com/"+evil, "USER="+evil, "CI_JOB_NAME="+evil, "CI_SERVER_URL="+h.estate.GitLabURL,
			"CI_PROJECT_ID=12", "CI_MERGE_REQUEST_IID=7", "AIGW_CI_GITLAB_TOKEN="+labgitlab.TokenAPI),
		h.run(t, "plan", "AIGW_CI_"+strings.ReplaceAll(evil, "\x00", "")+"=x"),
	} {
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	for _, n := range h.estate.GitLab.Notes(12, 7) {
		if err := harmless("the comment", n.Body); err != nil {
			t.Error(err)
		}
	}
	if code := h.run(t, "plan", "AIGW_CI_GITLAB_URL="+evil, "AIGW_CI_TARGET="+evil, "AIGW_CI_GATEWAY_ENVIRONMENT="+evil, "DOCKER_HOST="+evil); code != 2 {
		t.Errorf("exit code %d", code)
	}
	if code := h.run(t, "plan", "DOCKER_HOST="+evil); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

// gateways has one write to its log before it dies, and another that was started with
// settings of that kind.
func (h *hostile) gateways(t *testing.T) {
	script := filepath.Join(t.TempDir(), "run.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat <<'END'\n"+evil+"\nTraceback (most recent call last):\nKeyError: '"+evil+"'\nEND\nexit 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.estate.PublishImage(image.Options{Tag: "self-hosted-v18.2.8-ee", Binary: script}); err != nil {
		t.Fatal(err)
	}
	if code := h.run(t, "upgrade"); code != 1 && code != 4 && code != 5 {
		t.Errorf("exit code %d", code)
	}
	if err := h.estate.PublishImage(image.Options{Tag: "self-hosted-v18.2.8-ee"}); err != nil {
		t.Fatal(err)
	}
	err := h.admin.run([]string{
		"-d", "--name", "gitlab-aigw", "-p", h.address + ":5052:5052", "-e", "AIGW_GITLAB_URL=" + h.estate.GitLabURL,
		"-e", "OWN=" + strings.ReplaceAll(evil, "\x00", ""), "-e", "AIGW_LOGGING__LEVEL=" + strings.ReplaceAll(evil, "\x00", ""),
		h.estate.Repository() + ":self-hosted-v18.2.7-ee",
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := h.run(t, "plan", "AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL="+h.estate.GitLabURL+"\nAIGW_LOGGING__LEVEL=info"); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// engines has the engine refuse each kind of call in evil words.
func (h *hostile) engines(t *testing.T) {
	for _, path := range []string{"/version", "/containers/json", "/containers/[^/]+/json", "/images/create", "/containers/create"} {
		for _, status := range []int{404, 500} {
			h.engine.Add(engine.Rule{Path: regexp.MustCompile("^" + path + "$"), Fault: engine.Fault{Status: status, Message: evil}})
			h.run(t, "upgrade")
		}
	}
}

// holders has somebody hold the lock who has an evil name.
func (h *hostile) holders(t *testing.T) {
	if err := h.admin.do([]string{"rm", "-f", "gitlab-aigw"}); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	h.listen(func(c engine.Call) {
		if deedOf(c).String() == "POST create gitlab-aigw.aigw-ci-rehearsal" || deedOf(c).String() == "POST create gitlab-aigw.aigw-ci-next" {
			once.Do(func() {
				second := &hostile{world: h.world, dir: h.dir + "-of-the-second", format: h.format}
				if code := second.run(t, "upgrade"); code != 7 {
					t.Errorf("exit code %d", code)
				}
			})
		}
	})
	defer h.listen(nil)
	h.run(t, "upgrade", "CI_JOB_URL="+evil)
	once.Do(func() { t.Error("nobody came while the lock was held") })
}

// An API server is no better.
func TestWhatAClusterSaysIsOnlyShown(t *testing.T) {
	t.Parallel()
	for name, fault := range spoken() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(fault.Serve(nil))
			defer server.Close()
			ctx, stop := context.WithTimeout(t.Context(), hurried.lockTTL)
			defer stop()
			code, said, reports := runOnCluster(ctx, t, server.URL)
			err := errors.Join(harmless("the output", said), keptContract(reports, code), xmlOnly(filepath.Join(reports, "junit.xml")))
			for _, file := range []string{"report.json", "junit.xml", "summary.md"} {
				data, readErr := os.ReadFile(filepath.Join(reports, file))
				err = errors.Join(err, readErr, harmless(file, string(data)))
			}
			if err != nil || code != 1 {
				t.Errorf("exit code %d: %v\n%q", code, err, said)
			}
		})
	}
}

// Whoever can write into the report directory cannot make the program write elsewhere,
// and whoever takes it away does not change what the run does and says.
func TestReportDirectoryIsSwapped(t *testing.T) {
	t.Parallel()
	precious := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "precious")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, swap := range map[string]func(dir, elsewhere string) error{
		"links in it": func(dir, elsewhere string) error {
			var errs []error
			for _, file := range []string{"report.json", ".report.json.tmp", "junit.xml", "summary.md", "evidence"} {
				errs = append(errs, os.RemoveAll(filepath.Join(dir, file)), os.Symlink(filepath.Join(elsewhere, "victim"), filepath.Join(dir, file)))
			}
			return errors.Join(errs...)
		},
		"a link in its place": func(dir, elsewhere string) error {
			return errors.Join(os.RemoveAll(dir), os.Symlink(elsewhere, dir))
		},
		"gone":   func(dir, _ string) error { return os.RemoveAll(dir) },
		"a file": func(dir, _ string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := story{name: name, gitlab: "18.3.6-ee", old: "self-hosted-v18.2.8-ee", new: "self-hosted-v18.3.1-ee", end: "self-hosted-v18.3.1-ee"}
			n := s.begin(t, s.estate(t))
			elsewhere := precious(t)
			n.listen(func(c engine.Call) {
				if deedOf(c).String() == "POST start gitlab-aigw.aigw-ci-rehearsal" {
					if err := swap(n.reports, elsewhere); err != nil {
						t.Error(err)
					}
				}
			})
			var out bytes.Buffer
			code := run(t.Context(), []string{"upgrade"}, system{environ: n.environ(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, hostname: "host.example.com", pace: hurried})
			n.listen(nil)
			left, err := os.ReadDir(elsewhere)
			if err := errors.Join(err, n.alone(t.Context(), n.end)); err != nil || code != 0 || len(left) != 0 {
				t.Errorf("exit code %d, written elsewhere: %v, %v\n%s", code, left, err, &out)
			}
		})
	}
}

// Where no report can be written nothing is begun, whatever the reason.
func TestReportDirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	began := len(w.engine.Journal())
	for _, dir := range []string{file, file + "/below", "/proc/self/reports", "/dev/null", "../outside", "nul\x00l", strings.Repeat("long", 1000)} {
		var out bytes.Buffer
		t.Cleanup(func() { _ = os.RemoveAll("aigw-ci") }) // the reports then go to where they usually go
		code := run(t.Context(), []string{"upgrade"}, system{environ: append(w.environ(), "AIGW_CI_REPORT_DIR="+dir), stdin: strings.NewReader(""), stdout: &out, stderr: &out, pace: hurried})
		if code != 2 || !strings.Contains(out.String(), "report.dir") && !strings.Contains(out.String(), "AIGW_CI_REPORT_DIR") {
			t.Errorf("%q: exit code %d\n%s", dir, code, &out)
		}
	}
	if len(w.engine.Journal()) != began || w.estate.GitLab.Log().Requests() != 0 {
		t.Error("somebody was contacted")
	}
}
