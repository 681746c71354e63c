//go:build docker

package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"aigw-ci/internal/lab/dockerd"
	"aigw-ci/internal/lab/image"
)

// object is JSON as the Engine API takes it.
type object = map[string]any

// mirror puts images of releases into a repository whose name tells nobody that it
// holds gateways, and has the program look there. A container that a test runs from
// it, by digest, is found by its name alone, so that no other test's first install
// takes it for a gateway that is to be adopted.
func (w *world) mirror(images ...image.Options) {
	w.Helper()
	for _, o := range images {
		o.Binary = shared.gateway
		built, err := image.Build(o)
		if err != nil {
			w.Fatal(err)
		}
		if err := w.estate.Registry.Push("team/duo", o.Tag, built); err != nil {
			w.Fatal(err)
		}
	}
	w.settings["AIGW_CI_IMAGE_REPOSITORY"] = w.estate.RegistryHost + "/team/duo"
}

// pull pulls a tag of the program's repository, and returns it as a reference by
// digest.
func (w *world) pull(tag string) string {
	w.Helper()
	reference, err := w.pullImage(w.Context(), w.settings["AIGW_CI_IMAGE_REPOSITORY"], tag)
	if err != nil {
		w.Fatal(err)
	}
	return reference
}

func (e *engine) pullImage(ctx context.Context, repository, tag string) (string, error) {
	var stream []byte
	query := url.Values{"fromImage": {repository}, "tag": {tag}}
	if err := e.Call(ctx, http.MethodPost, "/images/create?"+query.Encode(), nil, &stream); err != nil {
		return "", err
	}
	if err := streamError(stream); err != nil {
		return "", fmt.Errorf("pulling %s:%s: %w", repository, tag, err)
	}
	var pulled dockerd.Listed
	if err := e.Call(ctx, http.MethodGet, "/images/"+repository+":"+tag+"/json", nil, &pulled); err != nil {
		return "", err
	}
	for _, digest := range pulled.RepoDigests {
		if strings.HasPrefix(digest, repository+"@") {
			return digest, nil
		}
	}
	return "", fmt.Errorf("%s:%s was pulled and has no digest", repository, tag)
}

// streamError finds the error inside an engine's stream of progress.
func streamError(stream []byte) error {
	for d := json.NewDecoder(bytes.NewReader(stream)); ; {
		var message struct{ Error string }
		switch err := d.Decode(&message); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case message.Error != "":
			return errors.New(message.Error)
		}
	}
}

// dockerRun makes and starts a container as `docker run` does; an empty name lets
// the engine choose one. The container is removed with the test, and its anonymous
// volumes by their names: an upgrade makes them volumes that have one.
func (w *world) dockerRun(name string, spec object) *dockerd.Container {
	w.Helper()
	var made dockerd.Listed
	var anonymous []string
	w.must(w, http.MethodPost, "/containers/create?name="+url.QueryEscape(name), spec, &made)
	w.atEnd(func(ctx context.Context) error {
		if err := w.Remove(ctx, made.ID); err != nil && !dockerd.IsMissing(err) {
			return err
		}
		for _, volume := range anonymous {
			if err := w.Call(ctx, http.MethodDelete, "/volumes/"+volume, nil, nil); err != nil && !dockerd.IsMissing(err) {
				return err
			}
		}
		return nil
	})
	w.must(w, http.MethodPost, "/containers/"+made.ID+"/start", nil, nil)
	c := w.inspect(w, made.ID)
	for _, m := range c.Mounts {
		if m.Type == "volume" && len(m.Name) == 64 { // as the engine names what nobody named
			anonymous = append(anonymous, m.Name)
		}
	}
	return c
}

// publish is "-p host:inside" for each pair, in the two places where an engine wants it.
func publish(pairs ...string) (exposed, bindings object) {
	exposed, bindings = object{}, object{}
	for i := 0; i+1 < len(pairs); i += 2 {
		inside := pairs[i+1] + "/tcp"
		exposed[inside] = object{}
		at := pairs[i]
		ip, port := at[:max(0, strings.LastIndexByte(at, ':'))], at[strings.LastIndexByte(at, ':')+1:]
		bindings[inside] = []object{{"HostIp": ip, "HostPort": port}}
	}
	return exposed, bindings
}

// environment is what GitLab's page has users give the gateway.
// Source: docs.gitlab.com/install/install_ai_gateway.
func (w *world) environment() []string {
	gitlab := w.settings["AIGW_CI_GITLAB_URL"]
	return []string{
		"AIGW_GITLAB_URL=" + gitlab, "AIGW_GITLAB_API_URL=" + gitlab + "/api/v4/",
		"DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY=" + signingKey(),
	}
}

// signingKey is one that somebody made with openssl.
var signingKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

// network makes a network with addresses of its own, and returns its name and the
// first three bytes of its addresses.
func (w *world) network(name string) (string, string) {
	w.Helper()
	name += "-" + w.suffix
	var err error
	for range 20 {
		var random [2]byte
		_, _ = rand.Read(random[:])
		prefix := fmt.Sprintf("10.%d.%d", random[0], random[1])
		var made dockerd.Listed
		err = w.Call(w.Context(), http.MethodPost, "/networks/create", object{
			"Name": name, "Driver": "bridge",
			"IPAM": object{"Config": []object{{"Subnet": prefix + ".0/24"}}},
		}, &made)
		if err == nil {
			w.atEnd(func(ctx context.Context) error { return w.Call(ctx, http.MethodDelete, "/networks/"+name, nil, nil) })
			return name, prefix
		}
	}
	w.Fatalf("making network %s: %v", name, err)
	return "", ""
}

// volume has a named volume removed with the test.
func (w *world) volume(name string) string {
	name += "-" + w.suffix
	w.atEnd(func(ctx context.Context) error { return w.Call(ctx, http.MethodDelete, "/volumes/"+name, nil, nil) })
	return name
}

// write puts a file into a container.
func (w *world) write(id, file, text string) {
	w.Helper()
	var archive bytes.Buffer
	a := tar.NewWriter(&archive)
	_ = a.WriteHeader(&tar.Header{Name: path.Base(file), Mode: 0o644, Size: int64(len(text)), ModTime: time.Now()})
	_, _ = io.WriteString(a, text)
	_ = a.Close()
	w.must(w, http.MethodPut, "/containers/"+id+"/archive?path="+path.Dir(file), &archive, nil)
}

// read reads a file from a container.
func (w *world) read(id, file string) string {
	w.Helper()
	var archive []byte
	w.must(w, http.MethodGet, "/containers/"+id+"/archive?path="+file, nil, &archive)
	a := tar.NewReader(bytes.NewReader(archive))
	if _, err := a.Next(); err != nil {
		w.Fatalf("reading %s: %v", file, err)
	}
	text, err := io.ReadAll(a)
	if err != nil {
		w.Fatalf("reading %s: %v", file, err)
	}
	return string(text)
}
