package jobimage

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Sources are the checked-out sources of one version.
type Sources struct {
	Root      string // the module's directory
	Version   string // from the file VERSION: "1.2.3"
	Toolchain string // from go.mod: "go1.26.8"
}

var (
	versionForm   = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)
	toolchainLine = regexp.MustCompile(`(?m)^toolchain (go\d+\.\d+\.\d+)$`)
)

// ReadSources reads which version the sources are, and which Go builds them.
func ReadSources(root string) (Sources, error) {
	version, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return Sources{}, fmt.Errorf("reading the version: %w", err)
	}
	s := Sources{Root: root, Version: strings.TrimSpace(string(version))}
	if !versionForm.MatchString(s.Version) {
		return Sources{}, fmt.Errorf("reading the version: VERSION holds %q, which is no semantic version", s.Version)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return Sources{}, fmt.Errorf("reading the toolchain: %w", err)
	}
	match := toolchainLine.FindSubmatch(module)
	if match == nil {
		return Sources{}, fmt.Errorf("reading the toolchain: go.mod has no line like \"toolchain go1.2.3\"")
	}
	s.Toolchain = string(match[1])
	return s, nil
}

// CheckToolchain refuses to build with another Go than the sources name. Compiling
// picks its own toolchain, but layers are compressed by this very program, and
// compressors differ from one Go to the next.
func (s Sources) CheckToolchain() error {
	if runtime.Version() == s.Toolchain {
		return nil
	}
	return fmt.Errorf("this program was built with %s, and the image has its digest only with %s: run it with GOTOOLCHAIN=%s",
		runtime.Version(), s.Toolchain, s.Toolchain)
}
