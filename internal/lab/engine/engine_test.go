package engine_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/engine"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// program is the executable of testdata/program, built once.
var program []byte

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "engine-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	to := filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, "./testdata/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the test program: %v\n%s", err, out)
		return 1
	}
	if program, err = os.ReadFile(to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// lab is an engine with a client, and an image "lab/server:1" that runs program.
type lab struct {
	*client.Client
	t      *testing.T
	engine *engine.Engine
}

func newLab(t *testing.T, o engine.Options) *lab {
	t.Helper()
	e, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, engine: e, Client: connect(t, e)}
	l.importImage("lab/server:1", `ENTRYPOINT ["/bin/program"]`, "ENV FROM=image", "ENV KEEP=image", "EXPOSE 8080", "LABEL made=here", "VOLUME /data")
	return l
}

func connect(t *testing.T, e *engine.Engine) *client.Client {
	t.Helper()
	c, err := client.New(client.WithHost(e.Host()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// file is an entry of a test archive.
type file struct {
	tar.Header
	body []byte
}

func regular(name, body string) file {
	return file{tar.Header{Name: name, Mode: 0o644}, []byte(body)}
}

func archive(t *testing.T, files ...file) *bytes.Reader {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		f.Size = int64(len(f.body))
		if err := w.WriteHeader(&f.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(buf.Bytes())
}

// executable is program as a file of an image.
func executable() file { return file{tar.Header{Name: "bin/program", Mode: 0o755}, program} }

func (l *lab) importImage(ref string, changes ...string) {
	l.t.Helper()
	files := archive(l.t, executable(), file{Header: tar.Header{Name: "bin/link", Typeflag: tar.TypeSymlink, Linkname: "/bin/program"}})
	src := client.ImageImportSource{Source: files, SourceName: "-"}
	out, err := l.ImageImport(l.ctx(), src, ref, client.ImageImportOptions{Changes: changes})
	if err != nil {
		l.t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(io.Discard, out); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) ctx() context.Context { return l.t.Context() }

// create makes a container of lab/server:1.
func (l *lab) create(name string, host container.HostConfig, cmd ...string) string {
	l.t.Helper()
	out, err := l.ContainerCreate(l.ctx(), client.ContainerCreateOptions{
		Name: name, Config: &container.Config{Image: "lab/server:1", Cmd: cmd}, HostConfig: &host,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return out.ID
}

func (l *lab) start(name string) {
	l.t.Helper()
	if _, err := l.ContainerStart(l.ctx(), name, client.ContainerStartOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) stop(name string) {
	l.t.Helper()
	if _, err := l.ContainerStop(l.ctx(), name, client.ContainerStopOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) inspect(name string) container.InspectResponse {
	l.t.Helper()
	out, err := l.ContainerInspect(l.ctx(), name, client.ContainerInspectOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return out.Container
}

// await waits until what inspect shows is as wanted.
func (l *lab) await(name, what string, ok func(container.InspectResponse) bool) {
	l.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok(l.inspect(name)) {
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: not %s after 20 s: %+v", name, what, l.inspect(name).State)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// get fetches a URL, and tries again until somebody listens.
func (l *lab) get(url string) string {
	l.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		body, err := fetch(l.ctx(), url)
		if err == nil {
			return body
		}
		if time.Now().After(deadline) {
			l.t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	once := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := once.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return string(b), err
}

// url is where a running container's program answers.
func (l *lab) url(name string) string {
	l.t.Helper()
	return "http://" + net.JoinHostPort(l.inspect(name).NetworkSettings.Networks["bridge"].IPAddress.String(), "8080")
}

// wantError checks the text of an engine's error.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not contain %q", err, p)
		}
	}
}

// rawCall makes a call the client cannot make, and returns status and message.
func (l *lab) rawCall(method, path, contentType, body string) (int, string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.ctx(), method, "http://engine"+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := (&http.Client{Transport: overDialer(l.t, l.Client)}).Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// overDialer is a transport to where a client goes.
func overDialer(t *testing.T, c *client.Client) *http.Transport {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.Dialer()(ctx) }}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func gone(err error) bool { return errors.Is(err, os.ErrNotExist) }
