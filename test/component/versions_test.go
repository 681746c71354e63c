package component

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	imagePattern   = regexp.MustCompile(`(?m)^ *default: (\S+/aigw-ci):(\S+)@(sha256:[0-9a-f]{64})$`)
	addressPattern = regexp.MustCompile(`/aigw-ci/([\w-]+)@([\w.~-]+)`)
	copyPattern    = regexp.MustCompile(`/aigw-ci:([\w.-]+)`)
	headingPattern = regexp.MustCompile(`(?m)^## \[?v?(\d[\w.-]*)`)
	versionPattern = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9a-z.]+)?$`)
)

// versions is every place that names another version than the file VERSION does,
// or another image than the others. The files are by path.
func versions(files map[string]string) []string {
	var wrong []string
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	want := strings.TrimSpace(files["VERSION"])
	if !versionPattern.MatchString(want) {
		complain("VERSION: %q is no version", want)
	}
	if newest := headingPattern.FindStringSubmatch(files["CHANGELOG.md"]); newest == nil || newest[1] != want {
		complain("CHANGELOG.md: the newest heading is %q, want %s", newest, want)
	}
	images := make(map[string]bool)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		text := files[file]
		if strings.HasPrefix(file, "templates/") {
			image := imagePattern.FindStringSubmatch(text)
			if image == nil {
				complain("%s: no image is pinned by tag and digest", file)
				continue
			}
			images[image[1]+"@"+image[3]] = true
			if image[2] != want {
				complain("%s: the image has the tag %s, want %s", file, image[2], want)
			}
			continue
		}
		for _, match := range addressPattern.FindAllStringSubmatch(text, -1) {
			if match[2] != want {
				complain("%s: %s, want %s", file, match[0], want)
			}
			if !slices.Contains(components, match[1]) {
				complain("%s: there is no component %s", file, match[1])
			}
		}
		for _, match := range copyPattern.FindAllStringSubmatch(text, -1) {
			if match[1] != want {
				complain("%s: %s, want %s", file, match[0], want)
			}
		}
	}
	if len(images) > 1 {
		complain("the templates have different images: %q", slices.Sorted(maps.Keys(images)))
	}
	return wrong
}

func versionedFiles(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, file := range []string{"VERSION", "CHANGELOG.md", "README.md", tables, kubernetesPage} {
		files[file] = read(t, file)
	}
	for _, component := range components {
		files[templatePath(component)] = read(t, templatePath(component))
	}
	return files
}

func TestVersionsAgree(t *testing.T) {
	t.Parallel()
	files := versionedFiles(t)
	for _, w := range versions(files) {
		t.Error(w)
	}
	for _, file := range []string{"README.md", tables, kubernetesPage} {
		if !addressPattern.MatchString(files[file]) {
			t.Errorf("%s has no example of an include", file)
		}
	}
}

func TestVersionsThatDiffer(t *testing.T) {
	t.Parallel()
	good := versionedFiles(t)
	version := strings.TrimSpace(good["VERSION"])
	for file := range good {
		changed := maps.Clone(good)
		changed[file] = strings.ReplaceAll(good[file], version, "99.0.1")
		if len(versions(changed)) == 0 {
			t.Errorf("%s names another version than the others, and nothing is said", file)
		}
		if !strings.HasPrefix(file, "templates/") {
			continue
		}
		changed[file] = regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAllString(good[file], "sha256:"+strings.Repeat("e", 64))
		if len(versions(changed)) == 0 {
			t.Errorf("%s names another digest than the others, and nothing is said", file)
		}
		changed[file] = strings.ReplaceAll(good[file], "@sha256:", "#")
		if len(versions(changed)) == 0 {
			t.Errorf("%s has no digest, and nothing is said", file)
		}
	}
	for _, latest := range []string{"~latest", "main", "1"} {
		changed := maps.Clone(good)
		changed["README.md"] += "\n$CI_SERVER_FQDN/GROUP/aigw-ci/upgrade@" + latest
		if len(versions(changed)) == 0 {
			t.Errorf("@%s is recommended, and nothing is said", latest)
		}
	}
}
