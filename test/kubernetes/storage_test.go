//go:build kubernetes

package kubernetes

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// rewrite changes what Helm has recorded of a revision: JSON, compressed, twice in
// base64, in a Secret whose labels repeat its status.
// Source: helm.sh/docs/topics/advanced, "Storage backends".
func (w *world) rewrite(revision int, change func(info map[string]any)) {
	w.Helper()
	name := fmt.Sprintf("secret/sh.helm.release.v1.%s.v%d", release, revision)
	text, err := unpack(w.get(name, "{.data.release}"))
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	var rel map[string]any
	if err := json.Unmarshal(text, &rel); err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	info := rel["info"].(map[string]any)
	change(info)
	if text, err = json.Marshal(rel); err != nil {
		w.Fatal(err)
	}
	w.kubectl("patch", name, "--patch", fmt.Sprintf(`{"data":{"release":%q},"metadata":{"labels":{"status":%q}}}`, pack(text), info["status"]))
}

// status marks a revision as Helm does.
func status(s string) func(map[string]any) {
	return func(info map[string]any) { info["status"] = s }
}

// old makes a revision one of long ago.
func old(age time.Duration) func(map[string]any) {
	return func(info map[string]any) { info["last_deployed"] = time.Now().Add(-age).Format(time.RFC3339Nano) }
}

func unpack(data string) ([]byte, error) {
	inner, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(inner)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func pack(text []byte) string {
	var inner bytes.Buffer
	z := gzip.NewWriter(&inner)
	_, _ = z.Write(text) // into memory
	_ = z.Close()
	return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString(inner.Bytes())))
}

// statuses are those of all revisions, the oldest first: "superseded deployed".
func (w *world) statuses() string {
	w.Helper()
	var history []struct{ Status string }
	if err := json.Unmarshal([]byte(w.helm(4, "history", release, "--output", "json")), &history); err != nil {
		w.Fatal(err)
	}
	var all []string
	for _, h := range history {
		all = append(all, h.Status)
	}
	return strings.Join(all, " ")
}
