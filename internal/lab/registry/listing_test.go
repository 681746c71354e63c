package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var nextLink = regexp.MustCompile(`^<(.+)>; rel="next"$`)

// page asks for one page.
func page(t *testing.T, h http.Handler, path string) (tags []string, next string) {
	t.Helper()
	a := request(h, "GET", path)
	var body struct {
		Name string
		Tags []string
	}
	if err := json.Unmarshal(a.Body, &body); err != nil || a.Status != 200 || body.Name != repo {
		t.Fatalf("%s: %d %s", path, a.Status, a.Body)
	}
	if m := nextLink.FindStringSubmatch(a.Header.Get("Link")); m != nil {
		next = m[1]
	}
	return body.Tags, next
}

func pages(t *testing.T, h http.Handler, query string) (all []string, n int) {
	t.Helper()
	for next := "/v2/" + repo + "/tags/list" + query; next != ""; n++ {
		var tags []string
		tags, next = page(t, h, next)
		all = append(all, tags...)
		if n > 10_000 {
			t.Fatal("no end")
		}
	}
	return all, n
}

func listed(tags ...string) *Server {
	s := New(Options{})
	s.AddTags(repo, tags...)
	return s
}

func TestListing(t *testing.T) {
	t.Parallel()
	tags := []string{"latest", "self-hosted-v18.2.10-ee", "self-hosted-v18.2.9-ee", "self-hosted-v18.3.0-ee", "v1.0.0", "0123abcd", "Zeta"}
	inOrder := []string{"0123abcd", "Zeta", "latest", "self-hosted-v18.2.10-ee", "self-hosted-v18.2.9-ee", "self-hosted-v18.3.0-ee", "v1.0.0"}
	folded := []string{"0123abcd", "latest", "self-hosted-v18.2.10-ee", "self-hosted-v18.2.9-ee", "self-hosted-v18.3.0-ee", "v1.0.0", "Zeta"}
	newest := []string{"Zeta", "0123abcd", "v1.0.0", "self-hosted-v18.3.0-ee", "self-hosted-v18.2.9-ee", "self-hosted-v18.2.10-ee", "latest"}
	for _, tt := range []struct {
		name   string
		quirks Quirks
		query  string
		first  []string
		more   bool
	}{
		{"all", Quirks{}, "", inOrder, false},
		{"n", Quirks{}, "?n=2", inOrder[:2], true},
		{"exactly n", Quirks{}, "?n=7", inOrder, false},
		{"after last, without it", Quirks{}, "?last=latest&n=2", inOrder[3:5], true},
		{"after a tag that is not there", Quirks{}, "?last=self-hosted-v18.2.&n=2", inOrder[3:5], true},
		{"after the end", Quirks{}, "?last=zzz", nil, false},
		{"case-insensitive", Quirks{Order: CaseInsensitive}, "", folded, false},
		{"case-insensitive after last", Quirks{Order: CaseInsensitive}, "?last=SELF-HOSTED-V18.2.", folded[2:], false},
		{"newest first", Quirks{Order: NewestFirst}, "?n=3", newest[:3], true},
		{"newest first after last", Quirks{Order: NewestFirst}, "?last=v1.0.0", newest[3:], false},
		{"newest first after a tag that is not there", Quirks{Order: NewestFirst}, "?last=self-hosted-v18.2.", newest, false},
		{"last ignored", Quirks{IgnoreLast: true}, "?last=self-hosted-v18.2.&n=3", inOrder[:3], true},
		{"n ignored", Quirks{IgnoreN: true}, "?n=1", inOrder, false},
		{"short pages", Quirks{MaxPage: 3}, "?n=100", inOrder[:3], true},
		{"small pages", Quirks{PageSize: 2}, "", inOrder[:2], true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := listed(tags...)
			s.SetQuirks(tt.quirks)
			got, next := page(t, s, "/v2/"+repo+"/tags/list"+tt.query)
			if !slices.Equal(got, tt.first) || (next != "") != tt.more {
				t.Errorf("got %q, next %q", got, next)
			}
		})
	}
}

func TestListingDefaultsToAHundred(t *testing.T) {
	t.Parallel()
	var tags []string
	for i := range 250 {
		tags = append(tags, fmt.Sprintf("%08x", i))
	}
	s := listed(tags...)
	if all, n := pages(t, s, ""); !slices.Equal(all, tags) || n != 3 {
		t.Errorf("%d tags in %d pages", len(all), n)
	}
}

func TestListingRefuses(t *testing.T) {
	t.Parallel()
	s := listed("a")
	s.SetQuirks(Quirks{RejectLongPages: true})
	for path, want := range map[string]int{
		"/v2/" + repo + "/tags/list?n=0":    400,
		"/v2/" + repo + "/tags/list?n=-1":   400,
		"/v2/" + repo + "/tags/list?n=x":    400,
		"/v2/" + repo + "/tags/list?n=1001": 400,
		"/v2/" + repo + "/tags/list?n=1000": 200,
		"/v2/unknown/tags/list":             404,
	} {
		if a := request(s, "GET", path); a.Status != want {
			t.Errorf("%s: %d, want %d", path, a.Status, want)
		}
	}
}

func TestLinkBase(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{"": "/v2/", "self": "http://example.com/v2/", "https://mirror.example.com": "https://mirror.example.com/v2/"} {
		s := listed("a", "b")
		s.SetQuirks(Quirks{LinkBase: base})
		if _, next := page(t, s, "/v2/"+repo+"/tags/list?n=1"); !strings.HasPrefix(next, want) {
			t.Errorf("%q: %s", base, next)
		}
	}
}

// However it is paged, and whatever the names, a listing is complete, in order and
// without repetition.
func FuzzListing(f *testing.F) {
	f.Add("b,a,c,A", 2, "")
	f.Add("self-hosted-v18.2.0-ee,latest,00000000", 1, "self-hosted-")
	f.Fuzz(func(t *testing.T, names string, n int, last string) {
		if n < 1 || len(names) > 200 {
			return
		}
		s := New(Options{})
		var want []string
		for name := range strings.SplitSeq(names, ",") {
			if name == "" || !json.Valid([]byte(`"`+name+`"`)) || strings.ToValidUTF8(name, "") != name || strings.Contains(name, `\`) {
				continue
			}
			s.AddTags(repo, name)
			if name > last {
				want = append(want, name)
			}
		}
		if s.Tags(repo) == nil {
			return
		}
		slices.Sort(want)
		want = slices.Compact(want)
		got, _ := pages(t, s, "?"+url.Values{"n": {fmt.Sprint(n)}, "last": {last}}.Encode())
		if !slices.Equal(got, want) {
			t.Errorf("after %q by %d: got %q, want %q", last, n, got, want)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("/group/project/manifests/v1")
	f.Add("/tags/list")
	f.Add("/a/tags/b/manifests/c")
	f.Fuzz(func(t *testing.T, path string) {
		name, kind, reference := split(path)
		if kind == "" {
			return
		}
		if got := strings.Trim(path, "/"); got != strings.TrimSuffix(name+"/"+kind+"/"+reference, "/") && got != name+"/"+kind+"/"+reference {
			t.Errorf("%q: %q, %q, %q", path, name, kind, reference)
		}
	})
}
