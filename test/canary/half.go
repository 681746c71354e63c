package canary

import (
	"strings"
	"testing"
)

// Across is a canary for texts that are cut.
const Across = "canary-0123456789-abcdefghij-klmnopqrst"

// NeverHalf fails the test when a part of Across can be read in a redacted text,
// wherever it was cut. Each text puts the canary behind what it is given.
func NeverHalf(t *testing.T, redact func(string) string, texts map[string]func(before string) string) {
	t.Helper()
	for name, text := range texts {
		redacted := 0
		for i := range 120 {
			whole := text(strings.Repeat("-", i))
			got := redact(whole)
			if strings.Contains(got, "canary") {
				t.Fatalf("%s: ...%s", name, got[max(0, len(got)-60):])
			}
			if got != whole {
				redacted++
			}
		}
		if redacted == 0 {
			t.Errorf("%s: the secret was not in it", name)
		}
	}
}
