// Package release holds what a release says of itself: which image the CI
// components run in, by tag for a person and by digest for the machine, and the
// notes of a version.
package release

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Image is an image by tag and digest.
type Image struct {
	Tag    string // "1.2.3"
	Digest string // "sha256:..."
}

func (i Image) String() string { return i.Tag + "@" + i.Digest }

// ErrStale means that a template names another image than the sources make.
var ErrStale = errors.New("the pinned image is another one")

// line is the default of a template's input "image": the one place in a template
// with a tag and a digest. The repository stays as it is, so that a fork that
// publishes elsewhere keeps its own.
var line = regexp.MustCompile(`(?m)^(\s*default:\s*["']?[a-z0-9][a-z0-9.:/_-]*/aigw-ci:)([A-Za-z0-9_][A-Za-z0-9_.-]*)@(sha256:[0-9a-f]{64})(["']?\s*)$`)

// readPin returns the image a template names. Not to name exactly one is an error.
func readPin(template []byte) (Image, error) {
	found := line.FindAllSubmatch(template, -1)
	if len(found) != 1 {
		return Image{}, fmt.Errorf("it has %d lines like \"default: registry/aigw-ci:1.2.3@sha256:...\" instead of one", len(found))
	}
	return Image{Tag: string(found[0][2]), Digest: string(found[0][3])}, nil
}

// pinned are the templates below a project's directory that name the image, in
// order. A template that includes the others names none.
func pinned(root string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(root, "templates", "*.yml"))
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && !line.Match(text)
	})
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no template names the image", filepath.Join(root, "templates"))
	}
	return files, nil
}

// CheckPins compares the image in every template with the one it should be. What
// differs is ErrStale, and names the files.
func CheckPins(root string, want Image) error {
	files, err := pinned(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		got, err := readPin(text)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		case got != want:
			errs = append(errs, fmt.Errorf("%s: %w: it names %s, and the sources make %s", file, ErrStale, got, want))
		}
	}
	return errors.Join(errs...)
}

// WritePins puts the image into every template, and returns the files that changed.
func WritePins(root string, image Image) ([]string, error) {
	files, err := pinned(root)
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return changed, err
		}
		got, err := readPin(text)
		if err != nil {
			return changed, fmt.Errorf("%s: %w", file, err)
		}
		if got == image {
			continue
		}
		text = line.ReplaceAll(text, []byte("${1}"+image.Tag+"@"+image.Digest+"${4}"))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return changed, err
		}
		changed = append(changed, file)
	}
	return changed, nil
}
