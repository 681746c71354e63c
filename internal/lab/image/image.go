// Package image builds gateway images without an engine: the stand-in gateway, with
// the configuration that the real image of each release line has. The same options
// give the same digest.
//
// Source of the configuration: ai-assist, Dockerfile and docker/self_hosted/Dockerfile
// at the tags of each line.
package image

import (
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"aigw-ci/internal/lab/gateway"
	"aigw-ci/internal/version"
)

// Options describe an image. Tag is the only one that is needed.
type Options struct {
	// Tag decides the release line. A tag that is not a stable one ("latest",
	// "v1.0.0", a commit) gives the plain build, which is not for self-hosting.
	Tag string

	Mode        gateway.Mode  // "" is gateway.Healthy
	After       time.Duration // for the modes that die
	BootDelay   time.Duration // from start to listening
	AnswerDelay time.Duration // how long every POST takes

	// Platform is "linux/amd64" when empty. It is written into the configuration;
	// Binary has to fit.
	Platform string

	// Binary is the stand-in's program, from BuildBinary. Without one the image can
	// be found, pulled and inspected, and not run.
	Binary string

	// Padding is how many bytes that do not compress the image also holds, other
	// ones for each tag.
	Padding int64

	// Env are more variables, NAME=value.
	Env []string
}

// Build makes the image.
func Build(o Options) (v1.Image, error) {
	platform, err := v1.ParsePlatform(o.platform())
	if err != nil {
		return nil, fmt.Errorf("building the image of %q: %w", o.Tag, err)
	}
	r := recipeFor(o.Tag)
	program := []byte("#!/bin/false\n")
	if o.Binary != "" {
		if program, err = os.ReadFile(o.Binary); err != nil {
			return nil, fmt.Errorf("building the image of %q: %w", o.Tag, err)
		}
	}
	base, err := baseLayer(r)
	if err != nil {
		return nil, err
	}
	code, err := layer(file{name: path.Join(r.workdir, r.command), mode: 0o755, data: program})
	if err != nil {
		return nil, err
	}
	release, err := layer( // what tells two releases with the same program apart
		file{name: path.Join(r.workdir, "tmp/docs.db"), mode: 0o644, data: []byte("docs of " + strings.TrimPrefix(o.Tag, "self-hosted-") + "\n")},
		file{name: path.Join(r.workdir, "venv/padding"), mode: 0o644, data: padding(o.Tag, o.Padding)},
	)
	if err != nil {
		return nil, err
	}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: platform.Architecture, OS: platform.OS, Variant: platform.Variant,
		Created: v1.Time{Time: time.Unix(1_700_000_000, 0).UTC()}, // any moment that does not move
		RootFS:  v1.RootFS{Type: "layers"},
		Config:  r.config(o),
	})
	if err != nil {
		return nil, fmt.Errorf("building the image of %q: %w", o.Tag, err)
	}
	return mutate.AppendLayers(image, base, code, release)
}

func (o Options) platform() string {
	if o.Platform == "" {
		return "linux/amd64"
	}
	return o.Platform
}

// recipe is what differs between release lines.
type recipe struct {
	line    version.Line
	stable  bool   // built for self-hosting
	user    string // "" is root
	workdir string
	command string
}

func recipeFor(tag string) recipe {
	parsed, err := version.ParseTag(tag)
	r := recipe{line: parsed.Line(), stable: err == nil, user: "aigateway", workdir: "/home/aigateway/app", command: "./scripts/run.sh"}
	if r.stable && !r.since(18, 3) {
		r.command = "./run.sh"
	}
	if r.stable && !r.since(17, 6) {
		r.user, r.workdir = "", "/app"
	}
	return r
}

func (r recipe) since(major, minor int) bool {
	return r.line.Compare(version.Line{Major: major, Minor: minor}) >= 0
}

// config is the image's configuration. There are no labels, no health check and no
// entrypoint in any real one.
func (r recipe) config(o Options) v1.Config {
	return v1.Config{
		Env:          append(append(r.env(), o.lab(r)...), o.Env...),
		Cmd:          []string{r.command},
		User:         r.user,
		WorkingDir:   r.workdir,
		ExposedPorts: map[string]struct{}{"5052/tcp": {}},
	}
}

// env is the environment of the real image.
func (r recipe) env() []string {
	env := []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONUNBUFFERED=1"}
	if r.user != "" {
		env = append(env, "HF_HOME=/home/"+r.user+"/.hf")
	}
	if !r.stable {
		return env
	}
	env = append(env, "AIGW_CUSTOM_MODELS__ENABLED=true", "AIGW_FASTAPI__API_PORT=5052", "AIGW_FASTAPI__OPENAPI_URL=/openapi.json", "AIGW_FASTAPI__DOCS_URL=/docs")
	for _, v := range []struct {
		major, minor int
		env          string
	}{
		{17, 9, "TRANSFORMERS_NO_ADVISORY_WARNINGS=1"},
		{18, 0, "HF_HUB_OFFLINE=true"},
		{18, 4, "ENABLE_DUO_WORKFLOW_SERVICE=true"},
		{18, 7, "LANGSMITH_TRACING_V2=false"}, // "late 2025" is all that is known
	} {
		if r.since(v.major, v.minor) {
			env = append(env, v.env)
		}
	}
	return env
}

// lab is the environment that tells the stand-in what to be.
func (o Options) lab(r recipe) []string {
	var env []string
	if r.stable {
		env = append(env, gateway.LineVariable+"="+r.line.String())
	}
	if o.Mode != "" && o.Mode != gateway.Healthy {
		env = append(env, gateway.ModeVariable+"="+string(o.Mode))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{gateway.AfterVariable, o.After}, {gateway.BootDelayVariable, o.BootDelay}, {gateway.AnswerDelayVariable, o.AnswerDelay}} {
		if d.value > 0 {
			env = append(env, d.name+"="+d.value.String())
		}
	}
	return env
}
