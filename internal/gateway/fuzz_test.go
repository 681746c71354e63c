package gateway

import (
	"slices"
	"strings"
	"testing"

	"aigw-ci/internal/version"
)

// What a log says is the gateway's word, and through its requests anybody's: a
// finding has a line that was there, and no line counts twice for one text.
func FuzzDiagnose(f *testing.F) {
	each(func(d Diagnosis) {
		for _, l := range d.Log {
			f.Add(l.Text + "\n" + l.Text + l.Text + "\n\x1b[2J" + l.Text)
		}
	})
	f.Add("")
	f.Fuzz(func(t *testing.T, log string) {
		lines := strings.Split(log, "\n")
		texts := map[string]bool{}
		for _, found := range Diagnose(lines) {
			if !slices.Contains(lines, found.Line) || !strings.Contains(found.Line, found.Text) {
				t.Errorf("%q is no line with %q", found.Line, found.Text)
			}
			if found.Count < 1 || found.Count > len(lines) || texts[found.Text] || found.Cure == "" {
				t.Errorf("%q: counted %d times in %d lines, cure %q", found.Text, found.Count, len(lines), found.Cure)
			}
			texts[found.Text] = true
		}
	})
}

// Image references come from an engine, which takes them from whoever starts
// containers. What counts as a gateway's does so with any tag and digest.
func FuzzImageReference(f *testing.F) {
	for _, seed := range []string{
		"registry.gitlab.com/gitlab-org/modelops/applied-ml/code-suggestions/ai-assist/model-gateway", "model-gateway", "gitlab/model-gateway/self-hosted-fips",
		"[::1]:5000/mirror/ai-gateway", "nginx", "sha256", "x@y:z/w", ":", "@", "a/b:c/d", "self-hosted-v",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, reference string) {
		repository, tag := split(reference)
		if !strings.HasPrefix(reference, repository) || strings.ContainsRune(repository+tag, '@') || strings.ContainsRune(tag, '/') {
			t.Errorf("%q is %q and %q", reference, repository, tag)
		}
		digest := "@sha256:" + strings.Repeat("0", 64)
		if name, _, _ := strings.Cut(reference, "@"); IsGatewayRepository(reference) != IsGatewayRepository(name+digest) {
			t.Errorf("%q counts otherwise with a digest", reference)
		}
		if IsGatewayRepository(reference) && repository == "" {
			t.Errorf("%q is a gateway's, and has no repository", reference)
		}
	})
}

// A public address may be shown, and what stands before its host may not.
func FuzzShow(f *testing.F) {
	for _, seed := range []string{"https://gitlab.example.com", "https://me:pa@ss@gitlab.example.com", "//a@b", "@", "a@b", "http://[::1]@", "%zz@", "http://a:b@c/%"} {
		f.Add(seed, "hunter2hunter2")
	}
	f.Fuzz(func(t *testing.T, value, password string) {
		if len(password) < 8 || strings.ContainsAny(password, "/?#@%[]: \\") || strings.Contains(value, password) {
			return
		}
		for _, text := range []string{"https://me:" + password + "@" + value, "https://" + password + "@" + value} {
			if shown := Show("AIGW_GITLAB_URL", text); strings.Contains(shown, password) && !inHost(text, password) {
				t.Errorf("%q is shown as %q", text, shown)
			}
		}
		if shown := Show("UNKNOWN", value+password); strings.Contains(shown, password) {
			t.Errorf("a value that is not known to be public is shown: %q", shown)
		}
	})
}

// inHost reports whether a text stands behind the first slash, and so is no password.
func inHost(address, text string) bool {
	_, rest, _ := strings.Cut(address, "//")
	at := strings.IndexAny(rest, "/?#")
	return at >= 0 && strings.Contains(rest[at:], text)
}

// The words of a container's command are its owner's.
func FuzzStaleCommand(f *testing.F) {
	for _, c := range facts.Commands {
		f.Add(c.Path, 18, 3)
		f.Add("sh -c ./"+c.Path, 19, 2)
	}
	f.Fuzz(func(t *testing.T, words string, major, minor int) {
		if stale := StaleCommand(strings.Split(words, "\n"), version.Line{Major: major, Minor: minor}); stale != "" && !strings.Contains(words, stale) {
			t.Errorf("%q is not in %q", stale, words)
		}
	})
}
