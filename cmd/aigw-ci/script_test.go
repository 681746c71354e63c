package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs the scripts in testdata/script: what a user types, and what
// comes of it. Each script has a world of its own: a GitLab (18.2.1-ee at first), a
// registry with the real gateways' tags, and an engine with nothing on it. The
// environment holds the settings that fit that world, and for the script itself
//
//	$GITLAB      address of GitLab
//	$REGISTRY    host of the registry
//	$REPOSITORY  repository with the gateways' images
//	$ADDRESS     address at which the engine publishes ports
//
// See commands for what a script can do beside what testscript offers.
func TestScript(t *testing.T) {
	t.Parallel()
	bin := installed(t)
	testscript.Run(t, testscript.Params{
		Dir:                filepath.Join("testdata", "script"),
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			t := env.T().(testing.TB)
			s := &stage{world: newWorld(t, nil)}
			env.Values["stage"] = s
			env.Vars = append(env.Vars, s.environ()...)
			for name, value := range map[string]string{
				"GITLAB":     s.estate.GitLabURL,
				"REGISTRY":   s.estate.RegistryHost,
				"REPOSITORY": s.estate.Repository(),
				"ADDRESS":    s.address,
				"HOME":       env.WorkDir,
				"PATH":       bin + ":" + os.Getenv("PATH"),
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: commands,
	})
}

// commands are the words of the scripts.
//
//	aigw-ci COMMAND...             the program; "! aigw-ci" must fail. Reports are checked
//	                               against the contract, and all output for secrets
//	exit CODE                      the code the program ended with
//	reported CODE                  the reports say so of a program in the background; after "wait"
//	report FIELD VALUE             a field of report.json: "report gitlab.source api"
//	check STAGE ID VERDICT [TEXT]  a check in report.json; TEXT is a pattern for its detail
//	serves TAG                     one gateway runs and answers, of this release, and nothing
//	                               of the program's is left on the engine; "serves nothing"
//	changed DEED...                what the program changed on the engine; "changed nothing"
//	contacted WHOM                 gitlab, registry or engine; "! contacted anyone"
//	boots NAME                     waits until the gateway in the container answers
//	note NAME, untouched NAME      the container is the one that was noted, and ran all the time
//	returned NAME                  the container is the one that was noted, and runs again
//	docker ...                     what an administrator types; see admin_test.go
//	docker has NAME TEXT           what the container is: "port 5052/tcp", "restart always", NAME=value
//	gitlab VERSION, gitlab fault KIND [TIMES]
//	registry fault KIND [TIMES]
//	publish TAG MODE               releases a gateway, with one of the lab's failure modes
//	engine down, engine hold DEED, engine release
//	await DEED                     waits until the engine is asked for it
//	users                          people at work with the gateway, until the script ends
//	secret TEXT                    from now on a secret that must never be seen
//	jsonlines FILE                 every line of the file is a JSON object
//	sections FILE                  every section of the job log is closed before the next begins
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"aigw-ci":   runProgram,
	"exit":      plain(func(s *stage, ts *testscript.TestScript, args []string) error { return s.exited(args[0]) }),
	"reported":  plain((*stage).reported),
	"report":    plain((*stage).report),
	"check":     plain((*stage).check),
	"serves":    plain((*stage).serves),
	"changed":   plain((*stage).changed),
	"contacted": contacted,
	"boots":     plain((*stage).booted),
	"note":      plain((*stage).note),
	"untouched": plain((*stage).untouched),
	"returned":  plain((*stage).returned),
	"docker":    plain((*stage).dockerCommand),
	"gitlab":    plain((*stage).gitlab),
	"registry":  plain((*stage).registry),
	"publish":   plain((*stage).publish),
	"engine":    plain((*stage).engineCommand),
	"await":     plain((*stage).await),
	"users":     plain((*stage).users),
	"secret":    plain((*stage).secret),
	"jsonlines": plain((*stage).jsonLines),
	"sections":  plain((*stage).sections),
}

func on(ts *testscript.TestScript) *stage { return ts.Value("stage").(*stage) }

// plain is a command that cannot be negated.
func plain(do func(*stage, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("! is of no use here")
		}
		ts.Check(do(on(ts), ts, args))
	}
}

func runProgram(ts *testscript.TestScript, neg bool, args []string) {
	s := on(ts)
	s.began = len(s.engine.Journal())
	s.estate.GitLab.Log().Reset()
	s.estate.Registry.Log().Reset()
	err := ts.Exec("aigw-ci", args...)
	s.code, s.seen = 0, len(s.engine.Journal())
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		s.code, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if neg != (s.code != 0) {
		ts.Fatalf("it ended with exit code %d", s.code)
	}
	ts.Check(s.inspectReports(ts, args))
}

// inspectReports checks what a run left behind. A command line that was not
// understood, or a directory that cannot be written, leaves no report.
func (s *stage) inspectReports(ts *testscript.TestScript, args []string) error {
	dir := reportDir(ts)
	err := leaks(s.secrets, ts.ReadFile("stdout")+ts.ReadFile("stderr"), dir)
	_, missing := os.Stat(filepath.Join(dir, "report.json"))
	reports := len(args) > 0 && slices.Contains([]string{"upgrade", "plan", "verify", "rollback", "resolve"}, args[0])
	if missing != nil && (!reports || s.code == 2) {
		return err
	}
	return errors.Join(err, missing, keptContract(dir, s.code))
}
