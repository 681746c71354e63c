package docker

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/moby/moby/client"
)

// maxBundle is the most of a CA bundle that is read back from a container. All
// public authorities together are a quarter of a megabyte.
const maxBundle = 4 << 20

// reader is what CarryOver needs of the engine's client.
type reader interface {
	CopyFromContainer(context.Context, string, client.CopyFromContainerOptions) (client.CopyFromContainerResult, error)
}

var _ reader = (*client.Client)(nil)

// CarryOver reads from the old container the CA bundle that an earlier run put
// there, when nothing declares one any more: the copied variables still point to
// it. It does nothing when there is nothing to carry over. The container need not
// run.
func (r *Recipe) CarryOver(ctx context.Context, engine reader, id string) error {
	const from = bundlePath
	if r.Origin.CABundle == "" || len(r.Files) > 0 {
		return nil
	}
	answer, err := engine.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: from})
	if err != nil {
		return &failure{doing: "reading " + from + " from the old container", cause: err}
	}
	defer answer.Content.Close()
	archive := tar.NewReader(answer.Content)
	header, err := archive.Next()
	if err != nil {
		return &failure{doing: "reading " + from + " from the old container", cause: err}
	}
	if header.Typeflag != tar.TypeReg || header.Size > maxBundle {
		return fmt.Errorf("reading %s from the old container: it is no file of at most %d MiB; declare gateway.ca_bundle", from, maxBundle>>20)
	}
	bundle, err := io.ReadAll(io.LimitReader(archive, maxBundle))
	if err != nil {
		return &failure{doing: "reading " + from + " from the old container", cause: err}
	}
	sum := sha256.Sum256(bundle)
	r.deposit(bundle, hex.EncodeToString(sum[:]))
	return nil
}
