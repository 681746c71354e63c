package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The contract with pipelines, written down a second time: what other programs
// read is checked against this, and not against the code that writes it.

// shape is report.json, schema 1, by example. A name that ends in ? may be null.
const shape = `{
	"schema": 1, "command": "upgrade", "exit_code": 0, "outcome": "upgraded", "error": "",
	"gitlab": {"url": "", "version": "", "source": "", "enterprise?": true},
	"image": {"repository": "", "tag": "", "digest": "", "config_digest": "", "platform": "", "reason": ""},
	"target": {"kind": "", "name": ""},
	"before?": {"image": "", "digest": "", "id": ""},
	"after?": {"image": "", "digest": "", "id": ""},
	"changes": [{"field": "", "from": "", "to": ""}],
	"phases": [{"name": "", "started": "", "seconds": 0.0, "outcome": ""}],
	"checks": [{"id": "", "stage": "", "verdict": "", "detail": "", "remedy": "", "seconds": 0.0}],
	"registry": {"requests": 0},
	"outage_seconds?": 0.0
}`

// exitCodes are the codes of the README, by outcome.
var exitCodes = map[string]float64{
	"upgraded": 0, "unchanged": 0, "installed": 0, "planned": 0, "verified": 0,
	"failed": 1, "usage": 2, "no_image": 3, "rejected": 4, "rolled_back": 4,
	"rollback_failed": 5, "inconclusive": 6, "locked": 7, "cancelled": 8,
}

// keptContract reports what is wrong with the reports of a run that ended with code.
func keptContract(dir string, code int) error {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil
		}
		return data
	}
	return errors.Join(
		checkJSON(read("report.json"), code),
		checkJUnit(read("junit.xml"), code),
		checkDotenv(read("deploy.env")),
		checkAnnotations(read("annotations.json")),
		checkSummary(read("summary.md"), code),
		checkNothingElse(dir),
	)
}

func checkJSON(data []byte, code int) error {
	var report, want map[string]any
	if err := json.Unmarshal(data, &report); err != nil {
		return fmt.Errorf("report.json: %w", err)
	}
	if err := json.Unmarshal([]byte(shape), &want); err != nil {
		return err
	}
	if err := fits("report", report, want); err != nil {
		return err
	}
	outcome, _ := report["outcome"].(string)
	expected, known := exitCodes[outcome]
	if report["command"] == "rollback" && outcome == "rolled_back" && report["error"] == "" {
		expected = 0
	}
	switch {
	case report["schema"] != 1.0:
		return fmt.Errorf("report.json: schema %v", report["schema"])
	case !known || report["exit_code"] != expected || expected != float64(code):
		return fmt.Errorf("report.json: outcome %s, exit code %v, and the program ended with %d", outcome, report["exit_code"], code)
	case (report["error"] == "") != (code == 0):
		return fmt.Errorf("report.json: exit code %d, error %q", code, report["error"])
	}
	for _, c := range report["checks"].([]any) {
		if c := c.(map[string]any); c["verdict"] == "fail" && c["remedy"] == "" {
			return fmt.Errorf("report.json: %s failed, and there is no remedy", c["id"])
		}
	}
	return nil
}

// fits compares a value with an example: the same names, the same types.
func fits(where string, got, want any) error {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %v, and no object", where, got)
		}
		names := slices.Collect(maps.Keys(object))
		for name, example := range want {
			name, optional := strings.CutSuffix(name, "?")
			value, there := object[name]
			if !there {
				return fmt.Errorf("%s.%s is missing", where, name)
			}
			names = slices.DeleteFunc(names, func(n string) bool { return n == name })
			if value == nil && optional {
				continue
			}
			if err := fits(where+"."+name, value, example); err != nil {
				return err
			}
		}
		if len(names) > 0 {
			return fmt.Errorf("%s has %q, which the contract does not know", where, names)
		}
	case []any:
		list, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s is %v, and no list", where, got)
		}
		for i, value := range list {
			if err := fits(fmt.Sprintf("%s[%d]", where, i), value, want[0]); err != nil {
				return err
			}
		}
	default:
		if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			return fmt.Errorf("%s is %v (%T), want %T", where, got, got, want)
		}
	}
	return nil
}

// checkJUnit wants a report that GitLab can read, and that is red when the run was.
// Source: docs.gitlab.com/ci/testing/unit_test_reports.
func checkJUnit(data []byte, code int) error {
	var suites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suite    []struct {
			Case []struct {
				Class   string    `xml:"classname,attr"`
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil {
		return fmt.Errorf("junit.xml: %w", err)
	}
	cases, red := map[string]bool{}, 0
	for _, s := range suites.Suite {
		for _, c := range s.Case {
			if cases[c.Class+" "+c.Name] {
				return fmt.Errorf("junit.xml: %s %s comes twice", c.Class, c.Name)
			}
			cases[c.Class+" "+c.Name] = true
			if c.Failure != nil || c.Error != nil {
				red++
			}
		}
	}
	switch {
	case len(cases) == 0:
		return errors.New("junit.xml has no case")
	case red != suites.Failures+suites.Errors:
		return fmt.Errorf("junit.xml counts %d failures and %d errors, and shows %d", suites.Failures, suites.Errors, red)
	case code != 0 && red == 0:
		return fmt.Errorf("junit.xml is green, and the exit code %d", code)
	case code == 0 && red > 0:
		return fmt.Errorf("junit.xml is red, and the exit code 0")
	}
	return nil
}

// checkDotenv wants the six variables, and what GitLab allows in such a file.
// Source: docs.gitlab.com/ci/yaml/artifacts_reports, dotenv.
func checkDotenv(data []byte) error {
	line := regexp.MustCompile(`^AIGW_(URL|IMAGE|DIGEST|VERSION|PREVIOUS_IMAGE|OUTCOME)=[!-~]*$`)
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for _, l := range lines {
		if !line.MatchString(l) || strings.ContainsAny(l, "\"'`$\\") {
			return fmt.Errorf("deploy.env: %q", l)
		}
	}
	if len(lines) != 6 || len(data) > 5<<10 {
		return fmt.Errorf("deploy.env: %d lines, %d bytes", len(lines), len(data))
	}
	return nil
}

// checkAnnotations wants links, and no other keys.
// Source: gitlab-org/gitlab app/validators/json_schemas/ci_job_annotation_data.json.
func checkAnnotations(data []byte) error {
	var groups map[string][]map[string]map[string]string
	if err := json.Unmarshal(data, &groups); err != nil {
		return fmt.Errorf("annotations.json: %w", err)
	}
	for _, links := range groups {
		for _, l := range links {
			link := l["external_link"]
			if len(l) != 1 || len(link) != 2 || link["label"] == "" || !strings.HasPrefix(link["url"], "http") {
				return fmt.Errorf("annotations.json: %v", l)
			}
		}
	}
	return nil
}

func checkSummary(data []byte, code int) error {
	if want := fmt.Sprintf("exit code %d)", code); !strings.Contains(string(data), want) {
		return fmt.Errorf("summary.md does not say %q", want)
	}
	return nil
}

// checkNothingElse wants no other files: half-written ones above all.
func checkNothingElse(dir string) error {
	known := []string{"report.json", "junit.xml", "deploy.env", "annotations.json", "summary.md", "evidence"}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !slices.Contains(known, e.Name()) {
			err = errors.Join(err, fmt.Errorf("%s is none of the reports", e.Name()))
		}
	}
	return err
}

// leaks names the places where a secret can be read: what the program said, and
// all files below dir.
func leaks(secrets []string, said, dir string) error {
	var errs []error
	look := func(where, text string) {
		for _, s := range secrets {
			if strings.Contains(text, s) {
				errs = append(errs, fmt.Errorf("the secret %q is in %s", s, where))
			}
		}
	}
	look("the output", said)
	errs = append(errs, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignore(err, fs.ErrNotExist)
		}
		data, err := os.ReadFile(path)
		look(path, string(data))
		return err
	}))
	return errors.Join(errs...)
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}
