package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"aigw-ci/internal/jobimage"
	"aigw-ci/internal/release"
)

// notes prints the release notes of what was built before.
func notes(sys surroundings, at place, repository string) error {
	sources, err := jobimage.ReadSources(at.root)
	if err != nil {
		return err
	}
	built, err := jobimage.ReadLayout(at.layout)
	if err != nil {
		return err
	}
	digest, err := built.Digest()
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile(filepath.Join(at.root, "CHANGELOG.md"))
	if err != nil {
		return fmt.Errorf("writing the release notes: %w", err)
	}
	text, err := release.Notes(string(changelog), release.Image{Tag: sources.Version, Digest: digest}, repository)
	if err != nil {
		return fmt.Errorf("writing the release notes: %w", err)
	}
	_, err = io.WriteString(sys.stdout, text)
	return err
}
