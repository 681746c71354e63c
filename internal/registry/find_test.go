package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

func gitlab(t testing.TB, s string) version.GitLab {
	t.Helper()
	v, err := version.ParseGitLab(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The expected column was written from the rule, not by this program: the highest
// patch of the same minor.
func TestFindEveryRelease(t *testing.T) {
	t.Parallel()
	e := newEstate(t, append(lines(t, "gateway-tags.txt"), crowd(3000)...)...)
	r := e.registry()
	releases, expected := lines(t, "gitlab-releases.txt"), lines(t, "expected.txt")
	if len(expected) != 2*len(releases) {
		t.Fatalf("%d releases, %d expected columns", len(releases), len(expected))
	}
	found := 0
	for i, release := range releases {
		if expected[2*i] != release {
			t.Fatalf("line %d of expected.txt is for %s, not %s", i+1, expected[2*i], release)
		}
		want := expected[2*i+1]
		for _, suffix := range []string{"-ee", ""} {
			got, err := r.Find(t.Context(), gitlab(t, release+suffix), "linux/amd64")
			if want == "none" {
				if none := (*upgrade.NoImageError)(nil); !errors.As(err, &none) {
					t.Errorf("%s: %q, %v; want no image", release, got.Tag, err)
				}
				continue
			}
			found++
			if err != nil || got.Tag != want {
				t.Errorf("%s: %q, %v; want %q", release, got.Tag, err, want)
			}
		}
	}
	if found != 2*104 {
		t.Errorf("%d images for the releases up to 18.5, want 104 for each suffix", found)
	}
}

func TestFindDescribesTheImage(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.0-ee", "self-hosted-v18.2.9-ee", "self-hosted-v18.2.10-ee", "self-hosted-v18.2.11-ee.sig",
		"self-hosted-v18.2.12-jh", "self-hosted-v18.2.012-ee", "self-hosted-v18.20.0-ee", "self-hosted-18.2.13-ee", "v18.2.14", "latest")
	amd := e.index("linux/arm64/v8", "linux/amd64")
	e.heads["self-hosted-v18.2.10-ee"] = amd.digest
	child := amd.children["linux/amd64"]
	got, err := e.registry().Find(t.Context(), gitlab(t, "18.2.1-ee"), "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	want := upgrade.Image{
		Repository: e.repository(), Tag: "self-hosted-v18.2.10-ee",
		Digest: amd.digest, PlatformDigest: child.digest, ConfigDigest: child.config,
		Platform: "linux/amd64", Reason: "highest patch of 18.2 among 3 tags in " + e.repository(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFindJiHuTakesItsOwnTags(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v19.4.1-jh", "self-hosted-v19.4.9-ee")
	got, err := e.registry().Find(t.Context(), gitlab(t, "19.4.1-jh"), "")
	if err != nil || got.Tag != "self-hosted-v19.4.1-jh" {
		t.Errorf("%q, %v", got.Tag, err)
	}
	if got.Reason != "the only tag of 19.4 in "+e.repository() {
		t.Errorf("reason %q", got.Reason)
	}
}

// From a cold start a registry sees at most four requests, with one token exchange,
// however many tags it holds.
func TestFindColdStartCost(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1_000, 100_000} {
		for _, single := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d tags, single manifest %v", n, single), func(t *testing.T) {
				t.Parallel()
				e := newEstate(t, append(lines(t, "gateway-tags.txt"), crowd(n)...)...)
				if single {
					e.heads[""] = e.image("linux/amd64").digest
				}
				r := e.registry()
				if _, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), "linux/amd64"); err != nil {
					t.Fatal(err)
				}
				if registry, tokens := e.requests(); registry != 4 || tokens != 1 {
					t.Errorf("%d requests and %d token exchanges, want 4 and 1:\n%s", registry, tokens, strings.Join(e.log(), "\n"))
				}
				if r.Requests() != 5 || r.Bytes() == 0 || r.Bytes() > 20_000 {
					t.Errorf("counted %d requests, %d bytes", r.Requests(), r.Bytes())
				}
			})
		}
	}
}

func TestFindNoImage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		gitlab   string
		nearest  []string
		detail   string
		requests bool
	}{
		{"18.6.1-ee", []string{"self-hosted-v18.5.0-ee", "self-hosted-v18.4.1-ee", "self-hosted-v18.3.1-ee", "self-hosted-v18.2.8-ee"}, "has no tag self-hosted-v18.6.*-ee", true},
		{"17.3.2-ee", []string{"self-hosted-v17.4.0-ee", "self-hosted-v17.5.0-ee", "self-hosted-v17.6.0-ee", "self-hosted-v17.7.0-ee"}, "", true},
		{"17.12.0-ee", []string{"self-hosted-v17.11.6-ee", "self-hosted-v18.0.4-ee", "self-hosted-v17.10.8-ee", "self-hosted-v18.1.6-ee"}, "", true},
		{"18.2.1-jh", nil, "has no tag self-hosted-v18.2.*-jh", true},
		{"18.9.0-pre", nil, "nightly images", false},
		{"18.2.0-rc42-ee", nil, "from before the release", false},
		{"18.2.1-ce", nil, "Community Edition", false},
	} {
		t.Run(tt.gitlab, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, lines(t, "gateway-tags.txt")...)
			_, err := e.registry().Find(t.Context(), gitlab(t, tt.gitlab), "linux/amd64")
			none := (*upgrade.NoImageError)(nil)
			if !errors.As(err, &none) {
				t.Fatalf("error %v, want a NoImageError", err)
			}
			if diff := cmp.Diff(tt.nearest, none.Nearest); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(err.Error(), tt.detail) || !strings.Contains(err.Error(), "image.tag") {
				t.Errorf("error %q", err)
			}
			if asked := len(e.log()) > 0; asked != tt.requests {
				t.Errorf("the registry was asked: %v", asked)
			}
		})
	}
}

func TestFindInTheDefaultRepositories(t *testing.T) {
	t.Parallel()
	var hosts []string
	r, err := New(Options{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		hosts = append(hosts, req.URL.Scheme+"://"+req.URL.Host+req.URL.Path)
		return &http.Response{StatusCode: 200, Request: req, Body: io.NopCloser(strings.NewReader(`{"tags":["self-hosted-v18.2.1-ee"]}`))}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Find(t.Context(), gitlab(t, "18.2.1-jh"), "")
	if err == nil || !strings.Contains(err.Error(), "registry.gitlab.cn/") {
		t.Errorf("error %v does not say where JiHu's images are", err)
	}
	want := []string{
		"https://registry.gitlab.com/v2/gitlab-org/modelops/applied-ml/code-suggestions/ai-assist/model-gateway/tags/list",
		"https://index.docker.io/v2/gitlab/model-gateway/tags/list",
	}
	if diff := cmp.Diff(want, slices.Compact(hosts)); diff != "" {
		t.Error(diff)
	}
}

func TestFindTriesRepositoriesInOrder(t *testing.T) {
	t.Parallel()
	empty := newEstate(t, "self-hosted-v18.1.0-ee")
	down := newEstate(t)
	down.server.Close()
	locked := newEstate(t, "self-hosted-v18.2.9-ee")
	locked.before = func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(403); return true }
	arm := newEstate(t, "self-hosted-v18.2.9-ee")
	arm.heads[""] = arm.index("linux/arm64").digest
	good := newEstate(t, "self-hosted-v18.2.8-ee")
	last := newEstate(t, "self-hosted-v18.2.9-ee")

	all := func(estates ...*estate) func(*Options) {
		return func(o *Options) {
			o.Repositories = nil
			for _, e := range estates {
				o.Repositories = append(o.Repositories, e.repository())
			}
		}
	}
	got, err := good.registry(all(empty, locked, arm, good, last)).Find(t.Context(), gitlab(t, "18.2.1-ee"), "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if got.Repository != good.repository() || len(last.log()) > 0 {
		t.Errorf("found in %s; the last repository saw %q", got.Repository, last.log())
	}
	for _, want := range []string{
		"the only tag of 18.2 in " + good.repository() + "; passed over: " + empty.repository() + " has no tag self-hosted-v18.2.*-ee; ",
		`reading tags of "` + locked.repository() + `": GET https://` + locked.host() + "/v2/" + path + "/tags/list: 403 Forbidden",
		`looking up "` + arm.repository() + `:self-hosted-v18.2.9-ee": the image has linux/arm64, the target is linux/amd64`,
	} {
		if !strings.Contains(got.Reason, want) {
			t.Errorf("reason %q lacks %q", got.Reason, want)
		}
	}

	// What could not be read may hold the image: that is not "no image".
	_, err = good.registry(all(empty, locked)).Find(t.Context(), gitlab(t, "18.2.1-ee"), "linux/amd64")
	if none := (*upgrade.NoImageError)(nil); err == nil || errors.As(err, &none) {
		t.Errorf("error %v, want one that is not NoImageError", err)
	}
}

func TestFindStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	first, second := newEstate(t), newEstate(t, "self-hosted-v18.2.8-ee")
	first.before = func(http.ResponseWriter, *http.Request) bool { cancel(); return false }
	r := first.registry(func(o *Options) { o.Repositories = append(o.Repositories, second.repository()) })
	_, err := r.Find(ctx, gitlab(t, "18.2.1-ee"), "linux/amd64")
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), second.host()) || len(second.log()) > 0 {
		t.Errorf("error %v; the second repository saw %q", err, second.log())
	}
}

func TestFindRefusesAPlatformItCannotRead(t *testing.T) {
	t.Parallel()
	e := newEstate(t, "self-hosted-v18.2.8-ee")
	for _, p := range []string{"linux", "linux/amd64/v1/v2/v3", "/amd64", strings.Repeat("x", 1000)} {
		if _, err := e.registry().Find(t.Context(), gitlab(t, "18.2.1-ee"), p); err == nil || len(e.log()) > 0 {
			t.Errorf("platform %.20q: error %v, requests %q", p, err, e.log())
		}
	}
}
