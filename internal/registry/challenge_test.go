package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseChallenges(t *testing.T) {
	t.Parallel()
	type c = challenge
	for _, tt := range []struct {
		headers []string
		want    []challenge
	}{
		{[]string{`Bearer realm="https://gitlab.example.com/jwt/auth",service="container_registry",scope="repository:a/b:pull,push"`},
			[]c{{"bearer", map[string]string{"realm": "https://gitlab.example.com/jwt/auth", "service": "container_registry", "scope": "repository:a/b:pull,push"}}}},
		{[]string{`Basic realm="a \"b\" c"`, `BEARER Realm=https://auth.example.com/token`},
			[]c{{"basic", map[string]string{"realm": `a "b" c`}}, {"bearer", map[string]string{"realm": "https://auth.example.com/token"}}}},
		{[]string{`Negotiate, Basic realm="x", charset="UTF-8" , Bearer realm = "y"`},
			[]c{{"negotiate", map[string]string{}}, {"basic", map[string]string{"realm": "x", "charset": "UTF-8"}}, {"bearer", map[string]string{"realm": "y"}}}},
		{[]string{`Bearer realm="first",realm="second"`}, []c{{"bearer", map[string]string{"realm": "first"}}}},
		{[]string{`Bearer realm="never closed`}, []c{{"bearer", map[string]string{}}}},
		{[]string{"", " ,, ", `="x"`, strings.Repeat("a", maxChallengeHeader+1)}, nil},
	} {
		if diff := cmp.Diff(tt.want, parseChallenges(tt.headers), cmp.AllowUnexported(challenge{})); diff != "" {
			t.Errorf("%q: %s", tt.headers, diff)
		}
	}
}

func FuzzParseChallenges(f *testing.F) {
	for _, seed := range []string{`Bearer realm="https://x/y",service="z"`, `Negotiate, Basic realm="a\"b"`, `Bearer realm=`, `,,="`, `a b c d`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		all := parseChallenges([]string{header})
		if len(all) > maxChallenges {
			t.Errorf("%d challenges", len(all))
		}
		for _, c := range all {
			if c.scheme == "" || c.scheme != strings.ToLower(c.scheme) || len(c.params) > maxParams {
				t.Errorf("%q: %+v", header, c)
			}
		}
	})
}
