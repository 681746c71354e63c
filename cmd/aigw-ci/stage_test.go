package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/engine"
	"aigw-ci/internal/lab/gateway"
	labgitlab "aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
	labregistry "aigw-ci/internal/lab/registry"
	"aigw-ci/internal/lab/wire"
)

// stage is the world of one script, and what the script has seen of it.
type stage struct {
	*world
	began  int // calls to the engine when the program was last started
	code   int // its exit code
	seen   int // calls to the engine that "await" need not look at again
	noted  map[string]found
	unhold func()
}

func (s *stage) exited(want string) error {
	if strconv.Itoa(s.code) != want {
		return fmt.Errorf("exit code %d, want %s", s.code, want)
	}
	return nil
}

func reportDir(ts *testscript.TestScript) string {
	if dir := ts.Getenv("AIGW_CI_REPORT_DIR"); dir != "" {
		return ts.MkAbs(dir)
	}
	return ts.MkAbs("aigw-ci")
}

func readReport(ts *testscript.TestScript) (report map[string]any, err error) {
	data, err := os.ReadFile(filepath.Join(reportDir(ts), "report.json"))
	if err != nil {
		return nil, err
	}
	return report, json.Unmarshal(data, &report)
}

func (s *stage) reported(ts *testscript.TestScript, args []string) error {
	code, err := strconv.Atoi(args[0])
	return errors.Join(err, keptContract(reportDir(ts), code), leaks(s.secrets, ts.ReadFile("stdout")+ts.ReadFile("stderr"), reportDir(ts)))
}

func (s *stage) report(ts *testscript.TestScript, args []string) error {
	report, err := readReport(ts)
	if err != nil {
		return err
	}
	var value any = report
	for name := range strings.SplitSeq(args[0], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			value = nil
			if i, err := strconv.Atoi(name); err == nil && i < len(v) {
				value = v[i]
			}
		}
	}
	if got := fmt.Sprint(value); got != args[1] {
		return fmt.Errorf("%s is %q, want %q", args[0], got, args[1])
	}
	return nil
}

func (s *stage) check(ts *testscript.TestScript, args []string) error {
	report, err := readReport(ts)
	if err != nil {
		return err
	}
	for _, c := range report["checks"].([]any) {
		c := c.(map[string]any)
		if c["stage"] != args[0] || c["id"] != args[1] {
			continue
		}
		if c["verdict"] != args[2] {
			return fmt.Errorf("%s at %s: %s, want %s: %s", args[1], args[0], c["verdict"], args[2], c["detail"])
		}
		if len(args) > 3 && !regexp.MustCompile(args[3]).MatchString(c["detail"].(string)) {
			return fmt.Errorf("%s at %s says %q, want %q", args[1], args[0], c["detail"], args[3])
		}
		return nil
	}
	return fmt.Errorf("no check %s at %s", args[1], args[0])
}

func (s *stage) serves(_ *testscript.TestScript, args []string) error {
	tag := args[0]
	if tag == "nothing" {
		tag = ""
	}
	return s.alone(context.Background(), tag)
}

func (s *stage) changed(_ *testscript.TestScript, args []string) error {
	made := strings.Join(s.changes(s.began), ", ")
	if want := strings.Join(args, " "); want == "nothing" && made != "" || want != "nothing" && made != want {
		return fmt.Errorf("changed: %s", made)
	}
	return nil
}

func contacted(ts *testscript.TestScript, neg bool, args []string) {
	s := on(ts)
	asked := map[string]int{
		"gitlab":   s.estate.GitLab.Log().Count("", "/api/"), // tokens for the registry are another matter
		"registry": s.estate.Registry.Log().Requests(),
		"engine":   len(s.engine.Journal()) - s.began,
	}
	asked["anyone"] = asked["gitlab"] + asked["registry"] + asked["engine"]
	n, ok := asked[args[0]]
	if !ok || neg != (n == 0) {
		ts.Fatalf("%s was asked %d times", args[0], n)
	}
}

func (s *stage) booted(_ *testscript.TestScript, args []string) error {
	c, err := s.admin.inspect(args[0])
	if err == nil && !c.boots() {
		err = fmt.Errorf("%s does not answer", args[0])
	}
	return err
}

func (s *stage) note(_ *testscript.TestScript, args []string) error {
	c, err := s.admin.inspect(args[0])
	if s.noted == nil {
		s.noted = make(map[string]found)
	}
	s.noted[args[0]] = c
	return err
}

func (s *stage) untouched(_ *testscript.TestScript, args []string) error {
	before, now := s.noted[args[0]], found{}
	now, err := s.admin.inspect(args[0])
	if err == nil && (now.ID != before.ID || now.State != before.State || now.RestartCount != before.RestartCount) {
		err = fmt.Errorf("%s is another one, or was restarted: %+v, then %+v", args[0], before.State, now.State)
	}
	return err
}

func (s *stage) returned(_ *testscript.TestScript, args []string) error {
	now, err := s.admin.inspect(args[0])
	if err == nil && (now.ID != s.noted[args[0]].ID || now.State.Status != "running") {
		err = fmt.Errorf("%s is another one, or does not run: %s", args[0], now.State.Status)
	}
	return err
}

func (s *stage) dockerCommand(_ *testscript.TestScript, args []string) error {
	switch args[0] {
	case "run":
		return s.admin.run(args[1:])
	case "has":
		c, err := s.admin.inspect(args[1])
		if err == nil && !slices.Contains(c.traits(), args[2]) {
			err = fmt.Errorf("%s has no %q, but %q", args[1], args[2], c.traits())
		}
		return err
	}
	return s.admin.do(args)
}

func (s *stage) gitlab(_ *testscript.TestScript, args []string) error {
	if args[0] != "fault" {
		s.estate.SetVersion(args[0])
		return nil
	}
	f, err := fault(labgitlab.Fault, args[1:])
	s.estate.GitLab.SetFaults(f.On("", "/api/"))
	return err
}

func (s *stage) registry(_ *testscript.TestScript, args []string) error {
	f, err := fault(labregistry.Fault, args[1:])
	s.estate.Registry.SetFaults(f)
	return err
}

func fault(known func(name, to string) (wire.Fault, error), args []string) (wire.Fault, error) {
	f, err := known(args[0], "http://elsewhere.example.com")
	if len(args) > 1 {
		n, _ := strconv.Atoi(args[1])
		f = f.For(n)
	}
	return f, err
}

func (s *stage) publish(_ *testscript.TestScript, args []string) error {
	mode, err := gateway.ParseMode(args[1])
	if err != nil {
		return err
	}
	return s.estate.PublishImage(image.Options{Tag: args[0], Mode: mode, After: 50 * time.Millisecond})
}

func (s *stage) engineCommand(ts *testscript.TestScript, args []string) error {
	switch args[0] {
	case "down":
		return s.engine.Close()
	case "hold":
		until := make(chan struct{})
		s.unhold = sync.OnceFunc(func() { close(until) })
		ts.Defer(s.unhold)
		s.listen(func(c engine.Call) {
			if deedOf(c).String() == strings.Join(args[1:], " ") {
				<-until
			}
		})
	case "release":
		s.unhold()
	default:
		return fmt.Errorf("engine %s?", args[0])
	}
	return nil
}

func (s *stage) await(_ *testscript.TestScript, args []string) error {
	want := strings.Join(args, " ")
	for range 1000 {
		for i, c := range s.engine.Journal()[s.seen:] {
			if deedOf(c).String() == want {
				s.seen += i + 1
				return nil
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the engine was never asked for %s", want)
}

func (s *stage) users(ts *testscript.TestScript, _ []string) error {
	u := &lab.Users{URL: "http://" + s.address + ":5052", Every: 20 * time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		u.Run(ctx)
	}()
	ts.Defer(func() { stop(); <-gone })
	return nil
}

func (s *stage) secret(_ *testscript.TestScript, args []string) error {
	s.secrets = append(s.secrets, args...)
	return nil
}

func (s *stage) jsonLines(ts *testscript.TestScript, args []string) error {
	lines := 0
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if err := json.Unmarshal([]byte(line), new(map[string]any)); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
		lines++
	}
	if lines == 0 {
		return errors.New("there is no line")
	}
	return nil
}

func (s *stage) sections(ts *testscript.TestScript, args []string) error {
	marker := regexp.MustCompile(`section_(start|end):\d+:([a-z0-9-]+)`)
	open := ""
	all := marker.FindAllStringSubmatch(ts.ReadFile(args[0]), -1)
	for _, m := range all {
		if start := m[1] == "start"; start != (open == "") || !start && m[2] != open {
			return fmt.Errorf("%s of section %s, while %q is open", m[1], m[2], open)
		}
		open = ""
		if m[1] == "start" {
			open = m[2]
		}
	}
	if len(all) == 0 || open != "" {
		return fmt.Errorf("%d markers, still open: %q", len(all), open)
	}
	return nil
}
