package gitlab

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"

	"github.com/google/go-cmp/cmp"
)

var (
	yes, no = true, false
	v1821   = version.GitLab{Major: 18, Minor: 2, Patch: 1, Edition: version.Enterprise}
)

func TestVersionSources(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Options)
		want   upgrade.Release
		asked  int
	}{
		{"api", nil, upgrade.Release{URL: "http://gitlab.example.com", Version: v1821, Source: "api", Enterprise: &yes}, 1},
		{"setting wins", func(o *Options) { o.Version, o.Predefined.Version = "18.3.0", "18.4.0-ee" },
			upgrade.Release{URL: "http://gitlab.example.com", Version: version.GitLab{Major: 18, Minor: 3}, Source: "setting"}, 0},
		{"setting alone", func(o *Options) { *o = Options{Version: "18.2.1-ee"} },
			upgrade.Release{Version: v1821, Source: "setting", Enterprise: &yes}, 0},
		{"predefined", func(o *Options) {
			o.Token, o.URL = "", "https://gitlab.example.com:443/"
			o.Predefined.ServerURL, o.Predefined.Version = "http://GitLab.example.com", "18.9.0-pre"
		}, upgrade.Release{URL: "https://gitlab.example.com:443", Version: version.GitLab{Major: 18, Minor: 9, Pre: true}, Source: "predefined"}, 0},
		{"api before predefined", func(o *Options) {
			o.Predefined.ServerURL, o.Predefined.Version = o.URL, "18.1.0-ee"
		}, upgrade.Release{URL: "http://gitlab.example.com", Version: v1821, Source: "api", Enterprise: &yes}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				instance, network := serve(t, metadataOf("18.2.1-ee"))
				got, err := client(t, network, tt.change).Version(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("release (-want +got):\n%s", diff)
				}
				if len(instance.paths) != tt.asked {
					t.Errorf("asked %v, want %d requests", instance.paths, tt.asked)
				}
			})
		})
	}
}

func TestVersionNotKnown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ server, version, want string }{
		"not in a job":     {"", "", "this job has no CI_SERVER_VERSION"},
		"another instance": {"https://other.example.com/?private_token=x", "18.2.1-ee", "that of another instance, https://other.example.com/\n"},
		"another root":     {"https://gitlab.example.com/gitlab", "18.2.1-ee", "that of another instance"},
		"no address":       {"", "18.2.1-ee", "that of another instance"},
		"no version":       {"https://gitlab.example.com", "unknown", "CI_SERVER_VERSION: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, nil, func(o *Options) {
				o.URL, o.Token = "https://gitlab.example.com", ""
				o.Predefined.ServerURL, o.Predefined.Version = tt.server, tt.version
			})
			_, err := c.Version(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if name == "no version" {
				return
			}
			for _, way := range []string{"give gitlab.token", "run this job on that GitLab", "set gitlab.version"} {
				if !strings.Contains(err.Error(), way) {
					t.Errorf("error %q does not name the way out %q", err, way)
				}
			}
		})
	}
}

func TestVersionOfOldInstances(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		body string
		want *bool
	}{
		{"version and revision only", `{"version":"13.7.4","revision":"4e963fe"}`, nil},
		{"community", `{"version":"18.2.1","enterprise":false,"new":{"key":1}}`, &no},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				instance, network := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/api/v4/version" {
						answer(200, "application/json; charset=utf-8", tt.body)(w, r)
						return
					}
					answer(404, "application/json", `{"error":"404 Not Found"}`)(w, r)
				})
				got, err := client(t, network, nil).Version(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got.Enterprise); diff != "" {
					t.Errorf("enterprise (-want +got):\n%s", diff)
				}
				if got := strings.Join(instance.paths, " "); got != "/api/v4/metadata /api/v4/version" {
					t.Errorf("asked %s", got)
				}
			})
		})
	}
}

func TestVersionUnderARelativeRoot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		instance, network := serve(t, metadataOf("18.2.1-ee"))
		c := client(t, network, func(o *Options) { o.URL = "http://gitlab.example.com:8080/git/lab/" })
		if _, err := c.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"/git/lab/api/v4/metadata"}, instance.paths); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"gitlab.example.com:8080"}, instance.dialed); diff != "" {
			t.Error(diff)
		}
	})
}

func TestVersionWarnsOfATypedPredefinedVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, network := serve(t, metadataOf("18.2.1-ee"))
		var log bytes.Buffer
		c := client(t, network, func(o *Options) {
			o.Predefined.ServerURL, o.Predefined.Version = o.URL, "18.9.0-ee"
			o.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		if _, err := c.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "api=18.2.1-ee CI_SERVER_VERSION=18.9.0-ee") {
			t.Errorf("log %q", log.String())
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"nothing":         {Options{}, "gitlab.url is not set"},
		"no scheme":       {Options{URL: "glpat-secret@gitlab.example.com"}, "gitlab.url: not an http or https address"},
		"not a URL":       {Options{URL: "https://glpat-secret%zz"}, "gitlab.url: not an http or https address"},
		"credentials":     {Options{URL: "https://root:glpat-secret@gitlab.example.com"}, "gitlab.url: it holds a user or a password"},
		"query":           {Options{URL: "https://gitlab.example.com?private_token=glpat-secret"}, "gitlab.url: it has a query"},
		"broken version":  {Options{Version: "latest"}, "gitlab.version: "},
		"token with line": {Options{URL: "https://gitlab.example.com", Token: "glpat-secret\n"}, "gitlab.token holds a space"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.o)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q shows the token", err)
			}
		})
	}
}

func TestSameInstance(t *testing.T) {
	t.Parallel()
	const here = "https://gitlab.example.com"
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{here, here, true},
		{here, "https://GITLAB.example.com.:443/", true},
		{here, "http://gitlab.example.com", true},
		{here, "http://gitlab.example.com:80", true},
		{here, "https://gitlab.example.com:8443", false},
		{here, "http://gitlab.example.com:443", false},
		{here + "/gitlab/", here + "/gitlab", true},
		{here + "/gitlab", here, false},
		{here, "https://gitlab.example.com.evil.example.com", false},
		{here, "https://user@gitlab.example.com", true},
		{"https://[2001:db8::1]", "http://[2001:db8::1]:80/", true},
		{"", "", false},
		{"/gitlab", "/gitlab", false},
		{here, "://", false},
	} {
		if got := sameInstance(tt.a, tt.b); got != tt.want {
			t.Errorf("sameInstance(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}

func TestMayFollow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"https://gitlab.example.com/api", "https://gitlab.example.com/gitlab/api", true},
		{"http://gitlab.example.com/api", "https://gitlab.example.com/api", true},
		{"https://gitlab.example.com/api", "http://gitlab.example.com/api", false},
		{"https://gitlab.example.com/api", "https://gitlab.example.com:8443/api", false},
		{"https://gitlab.example.com/api", "https://sso.example.com/", false},
		{"https://gitlab.example.com/api", "ftp://gitlab.example.com/", false},
	} {
		from, _ := url.Parse(tt.from)
		to, _ := url.Parse(tt.to)
		if got := mayFollow(from, to); got != tt.want {
			t.Errorf("from %s to %s: %v", tt.from, tt.to, got)
		}
	}
}
