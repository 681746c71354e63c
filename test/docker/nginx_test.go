//go:build docker

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nginx is the one of the machine's distribution, in a container of its own.
type nginx struct {
	name string
	url  string // on the bridge's address, where GitLab and people reach it
}

// nginxConfig is what GitLab's page has people write, without the certificates.
// Source: docs.gitlab.com/install/install_ai_gateway, "Set up Docker with NGINX and SSL".
const nginxConfig = `
user root;
error_log stderr notice;
events { worker_connections 1024; }
http {
  access_log off;
  server {
    listen 8080;
    location / {
      proxy_pass http://%s:5052;
      proxy_read_timeout 300s;
      proxy_connect_timeout 75s;
      proxy_buffering off;
      proxy_set_header Host $host;
    }
  }
}
`

// behindNginx runs an nginx on a network, in front of the gateway known as upstream.
func (w *world) behindNginx(network, upstream string) nginx {
	w.Helper()
	image := w.importImage("nginx", nginxTree(w, fmt.Sprintf(nginxConfig, upstream)))
	port := freePort(w)
	exposed, bindings := publish(shared.bridge+":"+port, "8080")
	n := nginx{name: "nginx-" + w.suffix, url: "http://" + shared.bridge + ":" + port}
	c := w.dockerRun(n.name, object{
		"Image":        image,
		"Cmd":          []string{"/usr/sbin/nginx", "-g", "daemon off;"},
		"ExposedPorts": exposed,
		"HostConfig":   object{"NetworkMode": network, "PortBindings": bindings},
	})
	w.Cleanup(func() {
		if w.Failed() {
			w.Logf("nginx said:\n%s", w.logs(c.ID))
		}
	})
	return n
}

// importImage makes an image from a file tree, and returns its name.
func (w *world) importImage(name string, tree *bytes.Buffer) string {
	w.Helper()
	name += "-" + w.suffix
	var stream []byte
	w.must(w, http.MethodPost, "/images/create?"+url.Values{"fromSrc": {"-"}, "repo": {name}, "tag": {"test"}}.Encode(), tree, &stream)
	if err := streamError(stream); err != nil {
		w.Fatalf("importing %s: %v", name, err)
	}
	name += ":test"
	w.atEnd(func(ctx context.Context) error { return w.Call(ctx, http.MethodDelete, "/images/"+name, nil, nil) })
	return name
}

// nginxTree is a file tree with the machine's nginx and what it links to.
func nginxTree(t testing.TB, config string) *bytes.Buffer {
	t.Helper()
	const program = "/usr/sbin/nginx"
	need(t, program, "nginx-light")
	linked, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", program, err)
	}
	files := map[string]string{program: program}
	for word := range strings.FieldsSeq(string(linked)) {
		if filepath.IsAbs(word) {
			files[word] = word
			// Until glibc 2.34 it looks names up with libraries that nothing links to.
			for _, name := range []string{"libnss_dns.so.2", "libnss_files.so.2"} {
				if beside := filepath.Join(filepath.Dir(word), name); exists(beside) {
					files[beside] = beside
				}
			}
		}
	}
	var tree bytes.Buffer
	archive := tar.NewWriter(&tree)
	for name, from := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		put(t, archive, name, data)
	}
	put(t, archive, "/etc/nginx/nginx.conf", []byte(config))
	put(t, archive, "/etc/passwd", []byte("root:x:0:0::/:/bin/false\n"))
	put(t, archive, "/etc/group", []byte("root:x:0:\n"))
	for _, dir := range []string{"/run/", "/tmp/", "/var/lib/nginx/", "/var/log/nginx/"} {
		put(t, archive, dir, nil)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return &tree
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

// put adds a file to an archive; with a trailing slash, a directory.
func put(t testing.TB, archive *tar.Writer, name string, data []byte) {
	t.Helper()
	header := &tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Size: int64(len(data)), ModTime: time.Now(), Typeflag: tar.TypeReg}
	if strings.HasSuffix(name, "/") {
		header.Typeflag = tar.TypeDir
	}
	if err := archive.WriteHeader(header); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write(data); err != nil {
		t.Fatal(err)
	}
}

// logs is what a container wrote. Each piece of the engine's stream begins with
// eight bytes. Source: docs.docker.com/reference/api/engine, attach, "Stream format".
func (e *engine) logs(id string) string {
	var raw []byte
	if err := e.Call(context.Background(), http.MethodGet, "/containers/"+id+"/logs?stdout=1&stderr=1&tail=200", nil, &raw); err != nil {
		return err.Error()
	}
	var text strings.Builder
	for len(raw) >= 8 {
		size := int(raw[4])<<24 | int(raw[5])<<16 | int(raw[6])<<8 | int(raw[7])
		end := min(8+size, len(raw))
		text.Write(raw[8:end])
		raw = raw[end:]
	}
	return text.String()
}
