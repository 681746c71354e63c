package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// file is an entry of a layer; without data and with a trailing slash, a directory.
type file struct {
	name string
	mode int64
	data []byte
}

// gatewayID is the user and group of the gateway, the first that useradd gives.
const gatewayID = 1000

// baseLayer is what a distribution would bring.
func baseLayer(r recipe) (v1.Layer, error) {
	passwd, group := "root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"
	if r.user != "" {
		passwd += fmt.Sprintf("%s:x:%d:%d::/home/%s:/bin/sh\n", r.user, gatewayID, gatewayID, r.user)
		group += fmt.Sprintf("%s:x:%d:\n", r.user, gatewayID)
	}
	return layer(
		file{name: "/etc/passwd", mode: 0o644, data: []byte(passwd)},
		file{name: "/etc/group", mode: 0o644, data: []byte(group)},
		file{name: "/tmp/", mode: 0o1777},
		file{name: r.workdir + "/", mode: 0o755},
	)
}

// layer makes a layer of files without times, so that its digest does not move.
// It is compressed once, and lightly: it never leaves the machine.
func layer(files ...file) (v1.Layer, error) {
	var compressed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&compressed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(zip)
	for _, f := range files {
		header := &tar.Header{Name: strings.TrimPrefix(f.name, "/"), Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(f.name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if strings.HasPrefix(path.Clean(f.name), "/home/") {
			header.Uid, header.Gid = gatewayID, gatewayID
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(compressed.Bytes())), nil
	})
	return plain{l}, err
}

// plain hides that a tarball's layer could have annotations. It has none, and an
// empty list of them would make the manifest differ from what is read back.
type plain struct{ v1.Layer }

// padding is n bytes that do not compress, always the same ones for a seed.
func padding(seed string, n int64) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(seed))).Read(data)
	return data
}
