package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"
)

// files is a container with some files, by path.
type files map[string]tar.Header

func (f files) CopyFromContainer(_ context.Context, _ string, o client.CopyFromContainerOptions) (client.CopyFromContainerResult, error) {
	header, ok := f[o.SourcePath]
	if !ok {
		return client.CopyFromContainerResult{}, errdefs.ErrNotFound
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&header); err != nil {
		return client.CopyFromContainerResult{}, err
	}
	_, _ = io.CopyN(w, neverEnding{}, header.Size)
	return client.CopyFromContainerResult{Content: io.NopCloser(&b)}, nil
}

func TestBundleIn(t *testing.T) {
	t.Parallel()
	file := tar.Header{Name: "f", Size: 3, Mode: 0o644}
	to := func(target string) tar.Header {
		return tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: target}
	}
	for name, test := range map[string]struct {
		files files
		want  []byte
		err   bool
	}{
		"a file":            {files: files{"/etc/ca.pem": file}, want: []byte("xxx")},
		"not there":         {files: files{}},
		"a link":            {files: files{"/etc/ca.pem": to("../usr/ca.pem"), "/usr/ca.pem": file}, want: []byte("xxx")},
		"a link away":       {files: files{"/etc/ca.pem": to("/a"), "/a": to("/b"), "/b": file}, want: []byte("xxx")},
		"a broken link":     {files: files{"/etc/ca.pem": to("/a")}},
		"a circle":          {files: files{"/etc/ca.pem": to("ca.pem")}, err: true},
		"a directory":       {files: files{"/etc/ca.pem": {Name: "d", Typeflag: tar.TypeDir}}, want: []byte{}},
		"an empty file":     {files: files{"/etc/ca.pem": {Name: "f"}}, want: []byte{}},
		"far too large":     {files: files{"/etc/ca.pem": {Name: "f", Size: maxBundle + 1}}, want: []byte{}},
		"up beyond the top": {files: files{"/etc/ca.pem": to("../../../a"), "/a": file}, want: []byte("xxx")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := bundleIn(t.Context(), test.files, "x", "/etc/ca.pem")
			if (err != nil) != test.err {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" { // nil is not empty
				t.Error(diff)
			}
		})
	}
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 64)
	for name, test := range map[string]struct {
		env    []string
		gitlab string
		want   map[string][]byte
	}{
		"GitLab":   {env: []string{"AIGW_GITLAB_URL=https://gitlab.example.com"}, gitlab: "https://gitlab.example.com", want: map[string][]byte{}},
		"none":     {want: map[string][]byte{}},
		"an empty": {env: []string{"SSL_CERT_FILE="}, want: map[string][]byte{}},
		"gone":     {env: []string{"SSL_CERT_FILE=/gone.pem"}, want: map[string][]byte{"SSL_CERT_FILE": nil}},
		"both":     {env: []string{"SSL_CERT_FILE=/ca.pem", "REQUESTS_CA_BUNDLE=ca.pem"}, want: map[string][]byte{"SSL_CERT_FILE": []byte("/ca.pem"), "REQUESTS_CA_BUNDLE": []byte("/app/ca.pem")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub()
			s.fail = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case strings.HasSuffix(r.URL.Path, "/json"):
					reply(w, http.StatusOK, map[string]any{"Id": id, "Config": map[string]any{"Env": test.env, "WorkingDir": "/app"}})
				case strings.HasSuffix(r.URL.Path, "/archive") && r.URL.Query().Get("path") != "/gone.pem":
					w.Header().Set("X-Docker-Container-Path-Stat", "e30=") // {}
					archive := tar.NewWriter(w)
					data := []byte(r.URL.Query().Get("path"))
					_ = archive.WriteHeader(&tar.Header{Name: "f", Size: int64(len(data))})
					_, _ = archive.Write(data)
					_ = archive.Close()
				case strings.HasSuffix(r.URL.Path, "/archive"):
					refuse(w, http.StatusNotFound, "Could not find the file")
				default:
					return false
				}
				return true
			}
			h := s.engine(t, nil).gateway(id, "gw", true)
			if address, err := h.GitLabURL(t.Context()); err != nil || address != test.gitlab {
				t.Errorf("GitLab is %q, %v", address, err)
			}
			got, err := h.Authorities(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
