package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// relayProgram is where the executable is inside the helper's image.
const relayProgram = "/aigw-ci"

// relayImage makes sure that the engine has an image with our executable and
// returns its name. The name is the content's hash, so an image is sent once for
// each build of this program, not once for each helper.
func (e *Engine) relayImage(ctx context.Context) (string, error) {
	file, err := os.Open(e.executable)
	if err != nil {
		return "", fmt.Errorf("reading our executable: %w", err)
	}
	defer file.Close()
	platform, err := e.Platform(ctx)
	if err != nil {
		return "", err
	}
	if err := checkExecutable(file, platform); err != nil {
		return "", fmt.Errorf("%s cannot run on the engine: %w: %w", e.executable, errors.ErrUnsupported, err)
	}
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("reading our executable: %w", err)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, 0, info.Size())); err != nil {
		return "", fmt.Errorf("reading our executable: %w", err)
	}
	name := "aigw-ci/relay:" + hex.EncodeToString(hash.Sum(nil))[:16]
	switch _, err := e.api.ImageInspect(ctx, name); {
	case err == nil:
		return name, nil
	case !isNotFound(err):
		return "", e.explain("looking for image "+name, err)
	}
	e.log.Info("copying this program to the engine, to reach the gateway from inside its network", "size", size(info.Size()))
	return name, e.importExecutable(ctx, name, io.NewSectionReader(file, 0, info.Size()))
}

func (e *Engine) importExecutable(ctx context.Context, name string, file *io.SectionReader) error {
	r, w := io.Pipe()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_ = w.CloseWithError(tarExecutable(w, file))
	}()
	err := e.importImage(ctx, name, RoleRelay, r)
	_ = r.Close() // also after an error: the writer must not wait for ever
	<-sent
	return err
}

func tarExecutable(w io.Writer, file *io.SectionReader) error {
	archive := tar.NewWriter(w)
	if err := archive.WriteHeader(&tar.Header{Name: strings.TrimPrefix(relayProgram, "/"), Mode: 0o755, Size: file.Size()}); err != nil {
		return err
	}
	if _, err := io.Copy(archive, file); err != nil {
		return err
	}
	return archive.Close()
}

// machines are the architectures an engine can report, by their number in an
// executable's header.
var machines = map[string]elf.Machine{
	"linux/386":     elf.EM_386,
	"linux/amd64":   elf.EM_X86_64,
	"linux/arm":     elf.EM_ARM,
	"linux/arm64":   elf.EM_AARCH64,
	"linux/ppc64le": elf.EM_PPC64,
	"linux/riscv64": elf.EM_RISCV,
	"linux/s390x":   elf.EM_S390,
}

// checkExecutable reports why file would not run alone in an empty image: it is no
// Linux executable, it is for another machine, or it needs a loader, which an empty
// image does not have.
func checkExecutable(file io.ReaderAt, platform string) error {
	f, err := elf.NewFile(file)
	if err != nil {
		return errors.New("it is no Linux executable")
	}
	defer f.Close()
	if want, known := machines[platform]; !known || f.Machine != want {
		return fmt.Errorf("it is for %s, the engine runs %s", f.Machine, platform)
	}
	for _, program := range f.Progs {
		if program.Type == elf.PT_INTERP {
			return errors.New("it is not linked statically (build it with CGO_ENABLED=0)")
		}
	}
	return nil
}
