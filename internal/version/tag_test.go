package version

import (
	"slices"
	"strings"
	"testing"
)

func TestParseTag(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want Tag
	}{
		{"self-hosted-v18.2.8-ee", Tag{18, 2, 8, Enterprise}},
		{"self-hosted-v17.10.0-ee", Tag{17, 10, 0, Enterprise}},
		{"self-hosted-v19.4.1-jh", Tag{19, 4, 1, JiHu}},
	} {
		got, err := ParseTag(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseTag(%q) = %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
		if got.String() != tt.in {
			t.Errorf("String() = %q, want %q", got, tt.in)
		}
	}
}

func TestParseTagRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "latest", "v2.20.1", "1b7c0e3a", "gitlab-v17.2", "gitlab-v17.3.0-ee", "weird_stuff$",
		"self-hosted-v18.2-ee", "self-hosted-v18.2.1", "self-hosted-v18.2.1-ce", "self-hosted-v18.2.1-ee.sig",
		"self-hosted-v18.2.01-ee", "self-hosted-v018.2.1-ee", "self-hosted-v18.2.1-EE", "Self-hosted-v18.2.1-ee",
		"self-hosted-v18.2.1-ee\n", "x-self-hosted-v18.2.1-ee", "self-hosted-v18.2.1-rc1-ee",
		"self-hosted-v18.2.1-ee@sha256:0", "self-hosted-v18.2.99999999999999999999-ee",
		"sha256-4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945.sig",
		"self-hosted-v18.2." + strings.Repeat("1", 200) + "-ee",
	} {
		got, err := ParseTag(in)
		if err == nil || got != (Tag{}) {
			t.Errorf("ParseTag(%q) = %+v, %v; want an error", in, got, err)
		}
		if err != nil && len(err.Error()) > 160 {
			t.Errorf("error of %d bytes: %v", len(err.Error()), err)
		}
	}
}

// GitLab's own page spelled tags without the v for a while, and people copied them.
func TestParseTagTellsTheRightSpelling(t *testing.T) {
	t.Parallel()
	_, err := ParseTag("self-hosted-17.4.0-ee")
	if err == nil || !strings.Contains(err.Error(), `"self-hosted-v17.4.0-ee"`) {
		t.Errorf("error %v does not name the right spelling", err)
	}
}

func TestTagOrder(t *testing.T) {
	t.Parallel()
	tags := []Tag{{18, 2, 10, Enterprise}, {18, 2, 9, Enterprise}, {18, 10, 0, Enterprise}, {18, 2, 9, JiHu}, {17, 11, 6, Enterprise}}
	slices.SortFunc(tags, Tag.Compare)
	want := []Tag{{17, 11, 6, Enterprise}, {18, 2, 9, Enterprise}, {18, 2, 9, JiHu}, {18, 2, 10, Enterprise}, {18, 10, 0, Enterprise}}
	if !slices.Equal(tags, want) {
		t.Errorf("sorted %v, want %v", tags, want)
	}
	if l := tags[0].Line(); l != (Line{17, 11}) {
		t.Errorf("Line() = %v", l)
	}
}

func FuzzParseTag(f *testing.F) {
	for _, seed := range []string{"self-hosted-v18.2.8-ee", "self-hosted-17.4.0-ee", "self-hosted-v18.2.1-jh", "latest"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if tag, err := ParseTag(s); err == nil && tag.String() != s {
			t.Errorf("ParseTag(%q) = %+v, which is spelled %q", s, tag, tag)
		}
	})
}
