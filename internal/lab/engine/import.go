package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// importImage makes an image of one layer from the tar archive in the body.
func (e *Engine) importImage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	var keys []string
	if repo := q.Get("repo"); repo != "" {
		ref, err := parseReference(repo)
		if err != nil {
			return err
		}
		if tag := q.Get("tag"); tag != "" {
			if !tagForm.MatchString(tag) {
				return refuse(http.StatusBadRequest, "invalid tag format")
			}
			ref.tag = tag
		}
		keys = []string{ref.key()}
	}
	config := imageConfig{Architecture: runtime.GOARCH, OS: "linux", Created: time.Now().UTC(), Comment: "Imported from -"}
	if _, arch, ok := strings.Cut(q.Get("platform"), "/"); ok {
		config.Architecture, _, _ = strings.Cut(arch, "/")
	}
	for _, change := range q["changes"] {
		if err := applyChange(&config.Config, change); err != nil {
			return err
		}
	}
	tmp, err := os.MkdirTemp(filepath.Join(e.dir, "images"), "import-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // store has moved it, or does not need it
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer root.Close()
	plain, err := decompress(r.Body)
	if err != nil {
		return err
	}
	sum := sha256.New()
	files := io.TeeReader(plain, sum)
	u := &unpacking{root: root, dir: "."}
	if err := u.read(files); err != nil {
		return fmt.Errorf("Error processing tar file: %w", err)
	}
	if _, err := io.Copy(io.Discard, files); err != nil {
		return err
	}
	config.RootFS.Type = "layers"
	config.RootFS.DiffIDs = []string{"sha256:" + hex.EncodeToString(sum.Sum(nil))}
	raw, err := json.Marshal(config)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(raw)
	id := "sha256:" + hex.EncodeToString(digest[:])
	if err := e.store(id, raw, tmp, u.bytes, keys...); err != nil {
		return err
	}
	newProgress(w).line(message{Status: id})
	return nil
}

// applyChange applies one Dockerfile instruction of an import's "changes".
func applyChange(c *container.Config, change string) error {
	verb, rest, _ := strings.Cut(strings.TrimSpace(change), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToUpper(verb) {
	case "CMD":
		c.Cmd = commandForm(rest)
	case "ENTRYPOINT":
		c.Entrypoint = commandForm(rest)
	case "ENV":
		c.Env = append(c.Env, unquoted(rest))
	case "LABEL":
		key, value, ok := strings.Cut(rest, "=")
		if !ok {
			return refuse(http.StatusBadRequest, "LABEL must have the form key=value")
		}
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		c.Labels[strings.Trim(key, `"`)] = strings.Trim(value, `"`)
	case "EXPOSE":
		for _, s := range strings.Fields(rest) {
			port, err := network.ParsePort(s)
			if err != nil {
				return refuse(http.StatusBadRequest, "invalid containerPort: %s", s)
			}
			if c.ExposedPorts == nil {
				c.ExposedPorts = network.PortSet{}
			}
			c.ExposedPorts[port] = struct{}{}
		}
	case "VOLUME":
		for _, s := range strings.Fields(rest) {
			if c.Volumes == nil {
				c.Volumes = map[string]struct{}{}
			}
			c.Volumes[s] = struct{}{}
		}
	case "USER":
		c.User = rest
	case "WORKDIR":
		c.WorkingDir = rest
	case "STOPSIGNAL":
		c.StopSignal = rest
	default:
		return refuse(http.StatusBadRequest, "%s is not a valid change command", strings.ToLower(verb))
	}
	return nil
}

// commandForm reads the two forms of a Dockerfile command: a JSON list, or a
// line for the shell.
func commandForm(s string) []string {
	var list []string
	if json.Unmarshal([]byte(s), &list) == nil {
		return list
	}
	return []string{"/bin/sh", "-c", s}
}

// unquoted takes the quotes off the value of KEY="value".
func unquoted(s string) string {
	key, value, _ := strings.Cut(s, "=")
	return key + "=" + strings.Trim(value, `"`)
}
