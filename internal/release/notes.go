package release

import (
	"fmt"
	"strings"
)

// Notes are the notes of a version: its part of the changelog, the image, and the
// lines that use it. The changelog has a heading "## 1.2.3" for every version,
// which may go on with a date.
func Notes(changelog string, image Image, repository string) (string, error) {
	var section []string
	inside := false
	for line := range strings.Lines(changelog) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			fields := strings.Fields(heading)
			inside = len(fields) > 0 && strings.Trim(fields[0], "[]") == image.Tag
			continue
		}
		if inside {
			section = append(section, line)
		}
	}
	text := strings.TrimSpace(strings.Join(section, ""))
	if text == "" {
		return "", fmt.Errorf("the changelog says nothing under a heading \"## %s\"", image.Tag)
	}
	return fmt.Sprintf("%s\n\nJob image, for linux/amd64 and linux/arm64:\n\n    %s:%s\n\nIt can be rebuilt from the sources of this tag: `make image` prints the same digest.\n",
		text, repository, image), nil
}
