package canary

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// What looks for canaries finds them, however they are written.
func TestSeen(t *testing.T) {
	t.Parallel()
	var c Canaries
	value, word := c.Value("a value"), c.Word("a word")
	const key = "-----BEGIN PRIVATE KEY-----\nMIIEcanaryLineOne+/abc\nMIIEcanaryLineTwo+/xyz==\n-----END PRIVATE KEY-----\n"
	c.Plant("a key", key)
	c.Plant("nothing", "short")
	texts := map[string]string{
		"plain": "x" + value + "x", "word": "x" + word + "x", "query": url.QueryEscape(value), "quoted": fmt.Sprintf("%q", value),
		"cut": "x" + value[:20] + "...", "a line of a key": "| MIIEcanaryLineTwo+/xyz==", "key in base64": base64.StdEncoding.EncodeToString([]byte("x" + key)),
	}
	for _, alphabet := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for i := range 3 {
			text := alphabet.EncodeToString([]byte(strings.Repeat("u", i) + value + "end"))
			texts[fmt.Sprint("base64 ", i, text[:1])], texts[fmt.Sprint("base64, cut ", i, text[:1])] = text, text[:30]
		}
	}
	for name, text := range texts {
		if c.Seen(name, text) == nil {
			t.Errorf("%s: not found in %s", name, text)
		}
	}
	for _, text := range []string{"", "short", "canary-", "-----BEGIN PRIVATE KEY-----", value[:8] + "..."} {
		if err := c.Seen("text", text); err != nil {
			t.Error(err)
		}
	}
}

// The arguments of others are seen.
func TestWatch(t *testing.T) {
	t.Parallel()
	var c Canaries
	word := c.Word("an argument")
	quiet := c.Watch(t.Context())
	time.Sleep(20 * time.Millisecond)
	if err := quiet(); err != nil {
		t.Error(err)
	}
	stop := c.Watch(t.Context())
	if err := exec.CommandContext(t.Context(), "/bin/sh", "-c", "sleep 1; true "+word).Run(); err != nil {
		t.Fatal(err)
	}
	if stop() == nil {
		t.Error("not seen")
	}
}
