package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
)

// chartOrigin is which chart was chosen and where it came from, for the report.
type chartOrigin struct {
	Name       string
	Version    string
	AppVersion string
	From       string // an address without credentials, a path, or "the release itself"
	Digest     string // "sha256:..." of the archive, or of the manifest in a registry; empty when it came from neither
	Notes      []string
}

// String is the choice in one line: "ai-gateway 0.15.1 from https://..., sha256:...".
func (o chartOrigin) String() string {
	s := o.version() + " from " + o.From
	if o.Digest != "" {
		s += ", " + o.Digest
	}
	return s
}

func (o chartOrigin) version() string { return o.Name + " " + o.Version }

// originOf describes a chart that was not downloaded for this run.
func originOf(c *chartv2.Chart, from string) chartOrigin {
	o := chartOrigin{From: from}
	if c != nil && c.Metadata != nil {
		m := c.Metadata
		o.Name, o.Version, o.AppVersion = clean(m.Name, 100), clean(m.Version, 100), clean(m.AppVersion, 100)
	}
	return o
}

// chartPatience is how long it may take to get a chart, which has some ten kilobytes;
// a transport notices sooner what does not get on at all.
const chartPatience = 10 * time.Minute

// load gets the chart. version is an exact version, a range as Helm's --version takes
// it, or empty for the newest; pre-releases are taken only when nothing else was ever
// released, or when they are asked for by name. The chart has been checked, see check,
// but it is what others wrote: it decides what is rendered.
func (s ChartSource) load(ctx context.Context, version string) (*chartv2.Chart, chartOrigin, error) {
	ctx, cancel := context.WithTimeout(ctx, chartPatience)
	defer cancel()
	get, want := s.fromRepository, s.Name
	switch {
	case s.Path != "":
		get, want = s.fromPath, "" // who gives a path has looked at it
	case strings.HasPrefix(s.Repository, ociScheme):
		get = s.fromRegistry
	}
	if want == "" && s.Path == "" || want != "" && !chartName.MatchString(want) {
		return nil, chartOrigin{}, fmt.Errorf("%q is not the name of a chart", clean(want, 100))
	}
	c, from, err := get(ctx, version)
	if err != nil {
		return nil, chartOrigin{}, err
	}
	origin := originOf(c, from.From)
	origin.Digest, origin.Notes = from.Digest, from.Notes
	if err := check(c, want, from.Version); err != nil {
		return nil, chartOrigin{}, fmt.Errorf("chart %s: %w", origin, err)
	}
	if c.Metadata.Deprecated {
		origin.Notes = append(origin.Notes, fmt.Sprintf("the chart %s is marked as deprecated by those who make it", origin.version()))
	}
	return c, origin, nil
}

// fromPath reads a directory or an archive on this machine. A directory is as good
// as the settings that name it.
func (s ChartSource) fromPath(_ context.Context, version string) (*chartv2.Chart, chartOrigin, error) {
	var origin chartOrigin
	path := filepath.Clean(s.Path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, origin, fmt.Errorf("reading the chart: %w", err)
	}
	origin.From = path
	var c *chartv2.Chart
	if info.IsDir() {
		c, err = loader.LoadDir(path)
	} else {
		var data []byte
		if data, err = readFile(path, maxArchive); err == nil {
			origin.Digest = sha256Of(data)
			c, err = unpackChart(data)
		}
	}
	if err != nil {
		return nil, origin, fmt.Errorf("reading the chart %s: %w", path, err)
	}
	if version != "" && !matches(version, c.Metadata.Version) {
		return nil, origin, fmt.Errorf("the chart %s is version %s and not %s, which is asked for", path, clean(c.Metadata.Version, 100), version)
	}
	origin.Version = c.Metadata.Version
	return c, origin, nil
}

// chartName is what Helm allows, without what only a file system would understand.
var chartName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$`)

// check refuses a chart that is not what was asked for, or cannot be installed.
func check(c *chartv2.Chart, name, version string) error {
	if err := c.Validate(); err != nil {
		return errors.New(clean(err.Error(), 300))
	}
	switch m := c.Metadata; {
	case !chartName.MatchString(m.Name):
		return errors.New("it calls itself by a name that is not allowed")
	case name != "" && m.Name != name:
		return fmt.Errorf("it calls itself %q and not %q, as it was listed", clean(m.Name, 100), name)
	case m.Version != version:
		return fmt.Errorf("it says that it is version %q and not %q, as it was listed", clean(m.Version, 100), clean(version, 100))
	case m.Type == "library":
		return errors.New("it is a library for other charts and cannot be installed")
	}
	for _, d := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(sub *chartv2.Chart) bool { return sub.Name() == d.Name }) {
			return fmt.Errorf("it declares the subchart %q and does not hold it: run `helm dependency build`, or take the archive that its makers publish", clean(d.Name, 100))
		}
	}
	return nil
}

// stored returns the chart that lies in a release, when that is all of it. Helm
// stores a release's chart without its subcharts, so one that has any, declared or
// just put into its charts directory, is not. Source: helm.sh/helm/v4, storage/driver.
func stored(rel *releasev1.Release) (*chartv2.Chart, bool) {
	if rel == nil || rel.Chart == nil || rel.Chart.Metadata == nil {
		return nil, false
	}
	c := rel.Chart
	if len(c.Templates) == 0 || len(c.Metadata.Dependencies) > 0 || c.Lock != nil {
		return nil, false
	}
	// Helm writes where it rendered each object from.
	if strings.Contains(rel.Manifest, "# Source: "+c.Name()+"/charts/") {
		return nil, false
	}
	return c, check(c, "", c.Metadata.Version) == nil
}

// choose picks the version among those listed: the very one that is asked for, else
// the highest that the range allows. Without a range, a pre-release is chosen only
// when there is nothing else.
func choose(listed []string, wanted string) (string, error) {
	if wanted != "" && slices.Contains(listed, wanted) {
		return wanted, nil
	}
	allowed := func(v *semver.Version) bool { return v.Prerelease() == "" }
	if wanted != "" {
		constraint, err := semver.NewConstraint(wanted)
		if err != nil {
			return "", fmt.Errorf("%q is neither a chart version nor a range of them", clean(wanted, 100))
		}
		allowed = constraint.Check
	}
	best, preview := (*semver.Version)(nil), (*semver.Version)(nil)
	for _, text := range listed {
		v, err := semver.NewVersion(text)
		if err != nil {
			continue // not a version: Helm passes it over as well
		}
		if allowed(v) && (best == nil || v.GreaterThan(best)) {
			best = v
		}
		if preview == nil || v.GreaterThan(preview) {
			preview = v
		}
	}
	switch {
	case best != nil:
		return best.Original(), nil
	case wanted == "" && preview != nil:
		return preview.Original(), nil
	case wanted == "":
		return "", errors.New("no version of it is listed")
	}
	return "", fmt.Errorf("version %s is not listed; there are %s", clean(wanted, 100), newest(listed))
}

// newest names some of the versions that there are, the highest first.
func newest(listed []string) string {
	var versions []*semver.Version
	for _, text := range listed {
		if v, err := semver.NewVersion(text); err == nil {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, func(a, b *semver.Version) int { return b.Compare(a) })
	var names []string
	for _, v := range versions[:min(len(versions), 5)] {
		names = append(names, clean(v.Original(), 50))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// matches reports whether a version is the one, or in the range, that is asked for.
func matches(wanted, version string) bool {
	_, err := choose([]string{version}, wanted)
	return err == nil
}

// readFile reads a file that is not larger than limit, in bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, limit)
}

// readAll reads what is not longer than limit, in bytes.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it is larger than %d KiB", limit>>10)
	}
	return data, err
}
