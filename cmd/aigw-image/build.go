package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"aigw-ci/internal/jobimage"
	"aigw-ci/internal/release"
)

// makeImage builds the image, leaves it in the layout directory, and tells what it is.
func makeImage(ctx context.Context, sys surroundings, at place) (*jobimage.Built, release.Image, error) {
	sources, err := jobimage.ReadSources(at.root)
	if err != nil {
		return nil, release.Image{}, err
	}
	compile := sys.compile
	if compile == nil {
		if err := sources.CheckToolchain(); err != nil {
			return nil, release.Image{}, err
		}
		compile = sources.Compile
	}
	built, err := jobimage.Build(ctx, sources.Version, compile)
	if err != nil {
		return nil, release.Image{}, err
	}
	if err := built.WriteLayout(at.layout); err != nil {
		return nil, release.Image{}, err
	}
	digest, err := built.Digest()
	return built, release.Image{Tag: sources.Version, Digest: digest}, err
}

func build(ctx context.Context, sys surroundings, at place, archive string) error {
	built, image, err := makeImage(ctx, sys, at)
	if err != nil {
		return err
	}
	if archive != "" {
		if err := writeArchive(built, image, archive); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(sys.stdout, image.Digest)
	return err
}

func writeArchive(built *jobimage.Built, image release.Image, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing an archive: %w", err)
	}
	err = built.WriteArchive(f, "aigw-ci:"+image.Tag, jobimage.Platform{OS: "linux", Architecture: runtime.GOARCH})
	return errors.Join(err, f.Close())
}

func pinTemplates(ctx context.Context, sys surroundings, at place) error {
	_, image, err := makeImage(ctx, sys, at)
	if err != nil {
		return err
	}
	changed, err := release.WritePins(at.root, image)
	for _, file := range changed {
		fmt.Fprintf(sys.stderr, "aigw-image: pinned %s in %s\n", image, file)
	}
	if err != nil {
		return fmt.Errorf("pinning the image: %w", err)
	}
	_, err = fmt.Fprintln(sys.stdout, image.Digest)
	return err
}

func checkTemplates(ctx context.Context, sys surroundings, at place, tag string) error {
	if err := checkTag(at.root, tag); err != nil {
		return err
	}
	_, image, err := makeImage(ctx, sys, at)
	if err != nil {
		return err
	}
	if err := release.CheckPins(at.root, image); err != nil {
		return fmt.Errorf("comparing the image with the templates:\n%w\nwhat to do: run \"make pin\" and commit what it changed", err)
	}
	_, err = fmt.Fprintln(sys.stdout, image.Digest)
	return err
}

// checkTag refuses a git tag that is not the version of the sources.
func checkTag(root, tag string) error {
	sources, err := jobimage.ReadSources(root)
	if err != nil || tag == "" || tag == sources.Version {
		return err
	}
	return fmt.Errorf("the tag is %s and the file VERSION says %s: a release has one name", tag, sources.Version)
}
