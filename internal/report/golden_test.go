package report

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// golden compares got with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	for name, result := range results() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "reports")
			dir, err := Open(path, secret.NewRedactor(password))
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			if result.Outcome == upgrade.RolledBack {
				if err := dir.Evidence(upgrade.Live, []upgrade.File{{Name: "logs.txt", Data: []byte("Traceback\n")}}); err != nil {
					t.Fatal(err)
				}
			}
			dir.name = "aigw-ci" // as a job has it
			report := Report{Result: result, GatewayURL: "https://aigw.example.com", JobURL: "https://gitlab.example.com/ai/ops/-/jobs/42"}
			if err := dir.Write(report); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{jsonFile, junitFile, dotenvFile, annotationsFile, summaryFile} {
				got, err := os.ReadFile(filepath.Join(path, file))
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(got), password) {
					t.Errorf("%s shows the password", file)
				}
				golden(t, filepath.Join(name, file), string(got))
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, result := range results() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			NewLog(&out, Options{Redactor: secret.NewRedactor(password)}).Verdict(result)
			if strings.Contains(out.String(), password) {
				t.Error("the verdict shows the password")
			}
			golden(t, filepath.Join(name, "verdict.txt"), out.String())
		})
	}
}
