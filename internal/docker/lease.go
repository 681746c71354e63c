package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/client"
)

// leaseFile is the file in a lock's container that shows its holder's life. Who the
// holder is stands in the container's labels, which are there from its first moment.
const leaseFile = "lease.json"

type lease struct {
	Beat uint64 `json:"beat"`
}

// writeBeat puts the counter into the lock's container. An engine takes files for
// a container that never ran, and also for one with an empty image (seen on 20.10).
func (e *Engine) writeBeat(ctx context.Context, id string, n uint64) error {
	data, err := json.Marshal(lease{n})
	if err != nil {
		return err
	}
	archive, err := tarOf(tar.Header{Name: leaseFile, Mode: 0o644, Size: int64(len(data)), ModTime: time.Now()}, bytes.NewReader(data))
	if err != nil {
		return err
	}
	_, err = e.api.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: archive})
	return err
}

// readBeat reads the counter of a lock's container; 0 when none was written yet.
// A container that is gone is an error for isNotFound.
func (e *Engine) readBeat(ctx context.Context, id string) (uint64, error) {
	copied, err := e.api.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: "/" + leaseFile})
	if isNotFound(err) {
		// The file or the container; the engine answers both alike.
		_, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		return 0, err
	}
	if err != nil {
		return 0, err
	}
	defer copied.Content.Close()
	archive := tar.NewReader(io.LimitReader(copied.Content, 64<<10))
	if _, err := archive.Next(); err != nil {
		return 0, fmt.Errorf("reading the lease: %w", err)
	}
	var found lease
	if err := json.NewDecoder(archive).Decode(&found); err != nil {
		return 0, nil // half written, or not by us: no sign of life
	}
	return found.Beat, nil
}

// tarOf is an archive with one small file.
func tarOf(header tar.Header, content io.Reader) (*bytes.Buffer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&header); err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, content); err != nil {
		return nil, err
	}
	return &archive, w.Close()
}

// lockImage is an image without any file. The engine makes it itself, so a lock
// needs no registry.
const lockImage = "aigw-ci/lock:latest"

func (e *Engine) importEmpty(ctx context.Context) error {
	var archive bytes.Buffer
	if err := tar.NewWriter(&archive).Close(); err != nil {
		return err
	}
	return e.importImage(ctx, lockImage, RoleLock, &archive)
}

// importImage makes an image out of a file tree. Errors inside the engine's stream
// are errors.
func (e *Engine) importImage(ctx context.Context, name, role string, tree io.Reader) error {
	stream, err := e.api.ImageImport(ctx, client.ImageImportSource{Source: tree, SourceName: "-"}, name, client.ImageImportOptions{
		Changes: []string{"LABEL " + LabelRole + "=" + role},
		Message: "made by aigw-ci",
	})
	if err != nil {
		return e.explain("importing image "+name, err)
	}
	defer stream.Close()
	for d := json.NewDecoder(io.LimitReader(stream, 1<<20)); ; {
		var message struct {
			Error string `json:"error"`
		}
		switch err := d.Decode(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return e.explain("importing image "+name, err)
		case message.Error != "":
			return fmt.Errorf("importing image %s: %s", name, clean(message.Error, 500))
		}
	}
}

// removeContainer removes one container by its ID, running or not. One that is
// gone, or on its way, is a success.
func (e *Engine) removeContainer(ctx context.Context, id string) error {
	_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
	if isNotFound(err) || isConflict(err) && e.gone(ctx, id) {
		return nil
	}
	return err
}

// gone waits for the engine to finish a removal that it has already begun.
func (e *Engine) gone(ctx context.Context, id string) bool {
	for range 50 {
		if _, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{}); isNotFound(err) {
			return true
		}
		if pause(ctx, 100*time.Millisecond) != nil {
			return false
		}
	}
	return false
}

// removeImages removes our images of one role that no container uses any more.
// Without force, so the engine itself keeps what is in use; best effort, since an
// image that stays costs nothing but its bytes.
func (e *Engine) removeImages(ctx context.Context, role string) {
	list, err := e.api.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("label", LabelRole+"="+role)})
	if err != nil {
		return
	}
	for _, image := range list.Items {
		_, _ = e.api.ImageRemove(ctx, image.ID, client.ImageRemoveOptions{PruneChildren: true})
	}
}
