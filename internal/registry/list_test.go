package registry

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"aigw-ci/internal/upgrade"
)

func stable() []string {
	tags := []string{"latest", "v1.0.0", "0a1b2c3d", "Self-hosted-v18.2.99-ee"}
	for _, line := range []string{"18.1", "18.2", "18.20", "18.3"} {
		for patch := range 13 {
			tags = append(tags, fmt.Sprintf("self-hosted-v%s.%d-ee", line, patch))
		}
	}
	return append(tags, crowd(300)...)
}

func caseless(tags []string) {
	slices.SortFunc(tags, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
}

// Whatever a registry does with `last`, `n` and Link, the right tag is found or none
// is: an old one never.
func TestListingOddRegistries(t *testing.T) {
	t.Parallel()
	refuseLast := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Has("last") {
				w.WriteHeader(code)
			}
			return r.URL.Query().Has("last")
		}
	}
	link := func(format string) func(*url.URL) string {
		return func(u *url.URL) string { return fmt.Sprintf(format, u.Path, u.RawQuery) }
	}
	for _, tt := range []struct {
		name   string
		change func(*estate)
	}{
		{"in order", func(*estate) {}},
		{"pages of one", func(e *estate) { e.maxPage = 1 }},
		{"pages of seven", func(e *estate) { e.maxPage = 7 }},
		{"in order without regard to case", func(e *estate) {
			caseless(e.tags)
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				last := r.URL.Query().Get("last")
				if last == "" || !strings.HasSuffix(r.URL.Path, "/tags/list") || r.Header.Get("Authorization") == "" {
					return false
				}
				rest := slices.DeleteFunc(slices.Clone(e.tags), func(s string) bool { return strings.ToLower(s) <= strings.ToLower(last) })
				n := min(len(rest), 100)
				fmt.Fprintf(w, `{"tags":["%s"]}`, strings.Join(rest[:n], `","`))
				return true
			}
		}},
		{"last ignored, all at once", func(e *estate) { e.ignoresLast, e.maxPage, e.noLink = true, 1<<20, true; e.ignoreN() }},
		{"last refused, bad request", func(e *estate) { e.before, e.maxPage = refuseLast(400), 1<<20 }},
		{"last refused, not found", func(e *estate) { e.before, e.maxPage = refuseLast(404), 1<<20 }},
		{"newest first", func(e *estate) { slices.Reverse(e.tags); e.ignoresLast, e.maxPage = true, 1<<20 }},
		{"order of the push", func(e *estate) { shuffle(e.tags); e.ignoresLast, e.maxPage = true, 1<<20 }},
		{"nothing after an unknown tag", func(e *estate) {
			e.maxPage = 1 << 20
			e.before = func(w http.ResponseWriter, r *http.Request) bool {
				last := r.URL.Query().Get("last")
				if last == "" || slices.Contains(e.tags, last) {
					return false
				}
				_, _ = io.WriteString(w, `{"tags":null}`)
				return true
			}
		}},
		{"cut at n without a word", func(e *estate) { e.noLink = true; e.tags = append(crowd(2500), e.tags...); slices.Sort(e.tags) }},
		{"cut at n, last ignored", func(e *estate) {
			e.noLink, e.ignoresLast = true, true
			e.maxPage = 1 << 20
			e.tags = append(crowd(1500), e.tags...)
		}},
		{"link absolute", func(e *estate) {
			e.maxPage, e.link = 5, func(u *url.URL) string { return "<" + e.server.URL + u.String() + ">; rel=next" }
		}},
		{"link to another host", func(e *estate) { e.maxPage, e.link = 5, link(`<http://registry.internal:5000%s?%s>; rel="next"`) }},
		{"link without the prefix", func(e *estate) { e.maxPage, e.link = 5, link(`<tags/list?%[2]s>; title="a, b; c"; REL="last Next"`) }},
		{"link among others", func(e *estate) { e.maxPage, e.link = 5, link(`<x?y=1>; rel="prev", <%s?%s>; rel="next"`) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEstate(t, stable()...)
			tt.change(e)
			got, err := e.registry().Find(t.Context(), gitlab(t, "18.2.1-ee"), "linux/amd64")
			if err != nil || got.Tag != "self-hosted-v18.2.12-ee" {
				t.Errorf("found %q, %v", got.Tag, err)
			}
			if !strings.Contains(got.Reason, "among 13 tags") {
				t.Errorf("reason %q", got.Reason)
			}
			if listings := e.asked("tags/list"); strings.HasPrefix(tt.name, "in order") && listings != 2 {
				t.Errorf("%d listings, want the refused one and one more", listings)
			}
		})
	}
}

// ignoreN sends everything, as GitLab's registry does without its database.
func (e *estate) ignoreN() {
	e.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "" || !strings.HasSuffix(r.URL.Path, "/tags/list") {
			return false
		}
		fmt.Fprintf(w, `{"tags":["%s"]}`, strings.Join(e.tags, `","`))
		return true
	}
}

func shuffle(tags []string) {
	slices.SortFunc(tags, func(a, b string) int { return strings.Compare(digestOf([]byte(a)), digestOf([]byte(b))) })
}

// A listing that cannot be completed is an error, and not the part that was read.
func TestListingThatNeverEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		page func(i int, q url.Values) (body, link string)
		want string
	}{
		{"circle", func(i int, _ url.Values) (string, string) {
			return `{"tags":["b","a"]}`, `<?last=a>; rel="next"`
		}, "its pages lead in a circle"},
		{"circle of empty pages", func(i int, _ url.Values) (string, string) {
			return `{"tags":[]}`, fmt.Sprintf(`<?last=%d>; rel="next"`, i%3)
		}, "its pages lead in a circle"},
		{"the same page again", func(i int, _ url.Values) (string, string) {
			return `{"tags":["b","a"]}`, fmt.Sprintf(`<?page=%d>; rel="next"`, i)
		}, "its pages lead in a circle"},
		{"ever more pages", func(i int, _ url.Values) (string, string) {
			return fmt.Sprintf(`{"tags":["z%d","a%d"]}`, i, i), fmt.Sprintf(`<?last=%d>; rel="next"`, i)
		}, "more than"},
		{"link to nowhere", func(i int, q url.Values) (string, string) {
			return `{"tags":["b","a"]}`, `<https://registry.example.com/v2/>; rel="next"`
		}, "the list cannot be completed"},
		{"a web page", func(int, url.Values) (string, string) { return "<!DOCTYPE html><title>Sign in</title>", "" }, "a web page"},
		{"nothing", func(int, url.Values) (string, string) { return "", "" }, "empty"},
		{"something else", func(int, url.Values) (string, string) { return `{"tags":{"a":1}}`, "" }, "something else"},
		{"too large", func(int, url.Values) (string, string) {
			return `{"tags":["` + strings.Repeat("a", maxListing) + `"]}`, ""
		}, "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			count := 0
			r, err := New(Options{Repositories: []string{"registry.example.com/a/b"}, Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				count++
				body, link := tt.page(count, req.URL.Query())
				return &http.Response{StatusCode: 200, Request: req, Body: io.NopCloser(strings.NewReader(body)),
					Header: http.Header{"Link": {link}, "Content-Type": {"application/json"}}}, nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Find(t.Context(), gitlab(t, "18.2.1-ee"), "linux/amd64")
			if err == nil || !strings.Contains(err.Error(), tt.want) || got != (upgrade.Image{}) {
				t.Errorf("found %q, error %.300v, want %q", got.Tag, err, tt.want)
			}
			if count > 2*maxPages {
				t.Errorf("%d requests", count)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func FuzzNextLink(f *testing.F) {
	for _, seed := range []string{
		`</v2/a/tags/list?last=x&n=5>; rel="next"`, `<a>; rel=prev, <b>; title="x, y; \" z"; rel="a next"`, `<`, `<>;;,`, `<a>; rel="`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		target := nextLink([]string{header})
		if target != "" && (!strings.Contains(header, "<"+target+">") || !strings.Contains(strings.ToLower(header), "next")) {
			t.Errorf("%q is not a target with next in %q", target, header)
		}
	})
}
