package shell

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// result is what a shell did.
type result struct {
	Status      int
	Out, Errors string
}

func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	status := Run(t.Context(), Process{
		Args:    args,
		Environ: []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()},
		Stdin:   pipe(t, stdin),
		Stdout:  &out,
		Stderr:  &errs,
	})
	return result{status, out.String(), errs.String()}
}

// pipe is standard input with a text in it.
func pipe(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	go func() {
		_, _ = w.WriteString(text) // the reader may be gone
		_ = w.Close()
	}()
	return r
}

func TestInvocations(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("echo file $1\nexit 4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		stdin string
		args  []string
		want  result
	}{
		"command":             {args: []string{"-c", "echo $1 $#", "name", "a b"}, want: result{Out: "a b 1\n"}},
		"login shell":         {stdin: "echo in", args: []string{"-l"}, want: result{Out: "in\n"}},
		"standard input":      {stdin: "echo $1; exit 9", args: []string{"-s", "one"}, want: result{Status: 9, Out: "one\n"}},
		"file":                {args: []string{file, "x"}, want: result{Status: 4, Out: "file x\n"}},
		"errexit":             {args: []string{"-ec", "false; echo not here"}, want: result{Status: 1}},
		"option by name":      {args: []string{"-o", "pipefail", "-c", "false | true"}, want: result{Status: 1}},
		"last status":         {stdin: "echo x\nfalse", want: result{Status: 1, Out: "x\n"}},
		"exit trap at end":    {stdin: "trap 'echo bye' EXIT\necho hi\n", want: result{Out: "hi\nbye\n"}},
		"exit trap at exit":   {stdin: "trap 'echo bye' 0\nexit 3\necho no", want: result{Status: 3, Out: "bye\n"}},
		"what ran before":     {stdin: "echo first\nif then", want: result{Status: 2, Out: "first\n", Errors: "sh: 2:1: `if` must be followed by a statement list\n"}},
		"no command":          {args: []string{"-c"}, want: result{Status: 2, Errors: "sh: -c: which command?\n"}},
		"unknown option":      {args: []string{"--posix"}, want: result{Status: 2, Errors: "sh: unknown option \"--posix\"\n"}},
		"option without name": {args: []string{"-o"}, want: result{Status: 2, Errors: "sh: -o: which option?\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, run(t, test.stdin, test.args...)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What a runner's script is made of. Source: gitlab-runner, shells/bash.go.
func TestRunnersWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, test := range map[string]struct {
		script string
		want   result
	}{
		"pipefail where there is one":    {`case "$(set -o)" in *"pipefail"*) set -o pipefail;; esac; set -o errexit; false | true; echo no`, result{Status: 1}},
		"noclobber off":                  {"set -o errexit\nset +o noclobber\necho on", result{Out: "on\n"}},
		"eval of quoted lines":           {`(eval $'export A=$\'a\\tb c\'\nexport B=""\necho "$A|$B"') < /dev/null`, result{Out: "a\tb c|\n"}},
		"posix quoting":                  {`eval "export A=\"a \\\$b\"` + "\n" + `printf '%s' \"\$A\""`, result{Out: "a $b"}},
		"eval in a pipe":                 {`: | eval $'echo $(cat)x'`, result{Out: "x\n"}},
		"status of the script":           {"set -o errexit\n(eval $'true\nexit 42\n') < /dev/null\nexit 0", result{Status: 42}},
		"failing line ends it":           {"set -o errexit\n(eval $'false\necho no\n') < /dev/null\nexit 0", result{Status: 1}},
		"file variable":                  {`printf '%s' $'-----BEGIN\nline\n' > "` + dir + `/KEY"; IFS= read -r first < "` + dir + `/KEY"; echo "$first"`, result{Out: "-----BEGIN\n"}},
		"variables of earlier steps":     {`printf 'A=1 2\nB=3\n' > ` + dir + `/env; while read -r line; do export "$line"; done < ` + dir + `/env; echo "$A $B"`, result{Out: "1 2 3\n"}},
		"masked by set -x only as typed": {"set -o xtrace\necho x", result{Out: "x\n", Errors: "+ echo x\n+ exit 0\n"}},
		"trap that is set":               {"trap 'exit 1' TERM; echo on", result{Out: "on\n"}},
		"trap of an unknown signal":      {"trap 'exit 1' NOPE; echo $?", result{Out: "1\n", Errors: "sh: trap: NOPE: no such signal\n"}},
		"kill asks":                      {"kill -0 $$ && echo alive; kill -NOPE 1; kill -s TERM x", result{Status: 1, Out: "alive\n", Errors: "sh: kill: NOPE: no such signal\nsh: kill: \"x\" is no process number\n"}},
		"missing program":                {"nosuchprogram", result{Status: 127, Errors: "\"nosuchprogram\": executable file not found in $PATH\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, run(t, test.script)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A signal comes while the first command of a script runs. It is the command that
// decides when: it opens a named pipe, and the test sends the signal and lets it go.
func TestSignals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string // after the command during which the signal comes
		before string
		want   result
	}{
		"untrapped, the script ends after the command": {script: "echo no", want: result{Status: 143, Out: "during\n"}},
		"a trap runs after the command": {
			before: "trap 'echo trapped; exit 3' TERM", script: "echo no",
			want: result{Status: 3, Out: "during\ntrapped\n"},
		},
		"a trap that does not exit goes on": {
			before: "trap 'echo trapped' SIGTERM", script: "echo \"it's  $((1+1))\"; echo on",
			want: result{Out: "during\ntrapped\nit's  2\non\n"},
		},
		"an ignored signal does nothing": {
			before: "trap '' TERM", script: "echo on",
			want: result{Out: "during\non\n"},
		},
		"a trap that was taken back": {
			before: "trap 'echo trapped' 15; trap - TERM", script: "echo no",
			want: result{Status: 143, Out: "during\n"},
		},
		"a runner's script": {
			before: "trap 'exit 1' TERM; set -o errexit", script: "(trap 'exit 1' TERM; eval $'echo no\n') < /dev/null\nexit 0",
			want: result{Status: 1, Out: "during\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			signals := make(chan os.Signal, 1)
			go func() {
				w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the command to read
				if err != nil {
					t.Error(err)
					return
				}
				signals <- syscall.SIGTERM
				_, _ = w.WriteString("during\n")
				_ = w.Close()
			}()
			var out, errs bytes.Buffer
			status := Run(t.Context(), Process{
				Args:    []string{"-c", test.before + "\ncat " + fifo + "\n" + test.script},
				Environ: []string{"PATH=/usr/bin:/bin"},
				Stdin:   pipe(t, ""), Stdout: &out, Stderr: &errs, Signals: signals,
			})
			if diff := cmp.Diff(test.want, result{status, out.String(), errs.String()}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
