package docker

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

func TestParsePorts(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"5052:5052":                  "5052/tcp=:5052",
		"80:5052/tcp":                "5052/tcp=:80",
		"127.0.0.1:5052:5052":        "5052/tcp=127.0.0.1:5052",
		"[::1]:5052:5052":            "5052/tcp=::1:5052",
		"none":                       "",
		"":                           "error",
		"5052":                       "error",
		":5052":                      "error",
		"127.0.0.1::5052":            "error",
		"0:5052":                     "error",
		"5052:0":                     "error",
		"05052:5052":                 "error",
		"+1:5052":                    "error",
		"65536:5052":                 "error",
		"5000-5001:5052-5053":        "error",
		"5052:5052/udp":              "error",
		"5052:5052/tcp/tcp":          "error",
		"::1:5052:5052":              "error",
		"[127.0.0.1]:1:1":            "error",
		"[fe80::1%eth0]:1:1":         "error",
		"host.example.com:5052:5052": "error",
		"5052:5052 ":                 "error",
	} {
		ports, err := ParsePorts([]string{spec})
		got := ""
		for port, bindings := range ports {
			ip := ""
			if bindings[0].HostIP.IsValid() {
				ip = bindings[0].HostIP.String()
			}
			got = fmt.Sprintf("%s=%s:%s", port, ip, bindings[0].HostPort)
		}
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s, want %s (%v)", spec, got, want, err)
		}
	}
	if _, err := ParsePorts([]string{"1:1", "x", "1:2", "y"}); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three mistakes: %v", err)
	}
	if ports, err := ParsePorts([]string{"127.0.0.1:1:1", "127.0.0.2:1:1"}); err != nil || len(ports) != 1 {
		t.Errorf("two addresses: %v, %v", ports, err)
	}
}

func TestParseMemory(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]int64{
		"": 0, "2g": 2 << 30, "2G": 2 << 30, "512m": 512 << 20, "8192k": 8 << 20, "6291456": 6 << 20, "6291456b": 6 << 20,
		"5m": -1, "0": -1, "-1": -1, "1.5g": -1, "2gb": -1, "2 g": -1, "g": -1, "9999999999g": -1, "99999999999999999999": -1, "02g": -1,
	} {
		got, err := ParseMemory(spec)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d (%v)", spec, got, want, err)
		}
	}
}

func TestParseRestart(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]container.RestartPolicy{
		"no": {Name: "no"}, "always": {Name: "always"}, "unless-stopped": {Name: "unless-stopped"},
		"on-failure": {Name: "on-failure"}, "on-failure:5": {Name: "on-failure", MaximumRetryCount: 5},
		"": {}, "Always": {}, "always:1": {}, "on-failure:0": {}, "on-failure:": {}, "on-failure:-1": {}, "on-failure:99999999999": {},
	} {
		got, err := ParseRestart(spec)
		if (err != nil) != (want.Name == "") || got != want {
			t.Errorf("%q: %v, %v", spec, got, err)
		}
	}
}

func TestParseMounts(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]mount.Mount{
		"/srv/x/:/x":     {Type: mount.TypeBind, Source: "/srv/x", Target: "/x"},
		"/srv/x:/x/:ro":  {Type: mount.TypeBind, Source: "/srv/x", Target: "/x", ReadOnly: true},
		"cache:/cache":   {Type: mount.TypeVolume, Source: "cache", Target: "/cache"},
		"cache:/c:rw":    {Type: mount.TypeVolume, Source: "cache", Target: "/c"},
		"":               {},
		"/x":             {},
		"/a:b":           {},
		"/a:/":           {},
		"/a:/b/..":       {},
		"./a:/b":         {},
		"a/b:/b":         {},
		"/a:/b:ro,z":     {},
		"/a:/b:ro:extra": {},
		"/a:/b\x00":      {},
	} {
		got, err := ParseMounts([]string{spec})
		if err != nil {
			got = []mount.Mount{{}}
		}
		if diff := cmp.Diff([]mount.Mount{want}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s (%v)", spec, diff, err)
		}
	}
	if _, err := ParseMounts([]string{"/a:/x", "/b:/x/"}); err == nil {
		t.Error("two mounts at one place are accepted")
	}
}

func TestCheckNetwork(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"": true, "bridge": true, "proxy-network": true, "host": false, "none": false, "default": false, "container:x": false, "a/b": false, " a": false, strings.Repeat("n", 300): false,
	} {
		if err := CheckNetwork(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzSettings feeds every parser of a setting: none may panic, and no error may
// be a way to write to the terminal.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"5052:5052", "[::1]:1:1/tcp", "2g", "on-failure:5", "/a:/b:ro", "\x1b[2J", strings.Repeat("9", 5000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, ports := ParsePorts([]string{s})
		_, mounts := ParseMounts([]string{s})
		_, memory := ParseMemory(s)
		_, restart := ParseRestart(s)
		for _, err := range []error{ports, mounts, memory, restart, CheckName(s), CheckNetwork(s)} {
			if err == nil {
				continue
			}
			if text := err.Error(); strings.ContainsAny(text, "\x1b\n\r") || len(text) > 1000 || !utf8.ValidString(text) {
				t.Errorf("%q", text)
			}
		}
	})
}
