package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"aigw-ci/internal/upgrade"
)

// evidenceLogLines is how much of the log is kept for a person to read.
const evidenceLogLines = 2000

// Evidence implements upgrade.Gateway: inspect.json, image.json and logs.txt. The
// values of secrets are replaced in the settings, and then wherever else they occur.
func (h *handle) Evidence(ctx context.Context) ([]upgrade.File, error) {
	var files []upgrade.File
	var errs []error
	add := func(name string, data []byte, err error) {
		if err != nil {
			errs = append(errs, err)
		}
		if len(data) > 0 {
			files = append(files, upgrade.File{Name: name, Data: data})
		}
	}
	found, err := h.engine.api.ContainerInspect(ctx, h.id, client.ContainerInspectOptions{})
	errs = append(errs, h.engine.explain("inspecting "+h.name, err))
	image, err := h.rawImage(ctx, found.Container)
	errs = append(errs, err)

	redaction := newRedaction(image)
	data, err := redaction.settings(found.Raw)
	add("inspect.json", data, err)
	data, err = redaction.settings(image)
	add("image.json", data, err)
	lines, err := h.Logs(ctx, evidenceLogLines)
	add("logs.txt", []byte(strings.Join(lines, "\n")), err)

	// Only now are all secrets known.
	for i := range files {
		files[i].Data = append(redaction.secrets.Bytes(files[i].Data), '\n')
	}
	return files, errors.Join(errs...)
}

// rawImage is the engine's description of the image a container runs, as it was
// sent. It is nil without an error when the container is not known.
func (h *handle) rawImage(ctx context.Context, c container.InspectResponse) (json.RawMessage, error) {
	if c.Image == "" {
		return nil, nil
	}
	var raw bytes.Buffer
	_, err := h.engine.api.ImageInspect(ctx, c.Image, client.ImageInspectWithRawResponse(&raw))
	if err != nil {
		return nil, h.engine.explain("inspecting the image of "+h.name, err)
	}
	return raw.Bytes(), nil
}
