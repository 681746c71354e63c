package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnvFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       map[string]string
	}{
		{"plain", "A=b\nC=d e\n", map[string]string{"A": "b", "C": "d e"}},
		{"empty", "A=\nB=\"\"\n", map[string]string{"A": "", "B": ""}},
		{"comments", "# x=y\n\n  # z\nA=b # c\n", map[string]string{"A": "b # c"}},
		{"blanks", "  A = b  \n\texport C=d\n", map[string]string{"A": "b", "C": "d"}},
		{"equals, commas, dollars", `A=b=c,d=$E;{"f":"g"}`, map[string]string{"A": `b=c,d=$E;{"f":"g"}`}},
		{"double quotes", `A="b \"c\" \\ \$ \x #d" # e`, map[string]string{"A": `b "c" \ $ \x #d`}},
		{"single quotes", `A='b "c" \n $D'`, map[string]string{"A": `b "c" \n $D`}},
		{"several lines", "A=\"x\ny\n\"\nB='1\r\n2'\n", map[string]string{"A": "x\ny\n", "B": "1\n2"}},
		{"escaped line break", `A="x\ny"`, map[string]string{"A": "x\ny"}},
		{"byte order mark, CRLF", "\ufeffA=b\r\nC=d\r\n", map[string]string{"A": "b", "C": "d"}},
		{"quote within", `A=b"c"`, map[string]string{"A": `b"c"`}},
	} {
		variables, wrong := parseEnvFile(tt.text)
		got := map[string]string{}
		for _, v := range variables {
			got[v.name] = v.value
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || wrong != nil {
			t.Errorf("%s: %v %s", tt.name, wrong, diff)
		}
	}
}

func TestParseEnvFileMistakes(t *testing.T) {
	t.Parallel()
	allowUnexported := cmp.AllowUnexported(mistake{})
	for _, tt := range []struct {
		text string
		want []mistake
	}{
		{"A=b\nhunter2\n1A=hunter2\nC D=hunter2\n=hunter2\nE=f", []mistake{
			{2, "NAME=value was expected; a value of several lines needs quotes around it"},
			{3, "before the = a name of letters, digits and _ was expected"},
			{4, "before the = a name of letters, digits and _ was expected"},
			{5, "before the = a name of letters, digits and _ was expected"},
		}},
		{"A=\"hunter2\nB=c\n", []mistake{{1, "the closing quote is missing"}}},
		{"A=\"b\"hunter2\nC=d", []mistake{{1, "there is something after the closing quote"}}},
		{"A=-----BEGIN PRIVATE KEY-----\nMIIE==\nhunter2\n-----END PRIVATE KEY-----\nB=c", []mistake{{1, "a key of several lines needs quotes around it"}}},
		{"A=\xff", []mistake{{1, "this is not UTF-8 text"}}},
		{"A=b\x00", []mistake{{1, "this is not UTF-8 text"}}},
	} {
		variables, wrong := parseEnvFile(tt.text)
		if diff := cmp.Diff(tt.want, wrong, allowUnexported); diff != "" {
			t.Errorf("%q: %s", tt.text, diff)
		}
		for _, v := range variables {
			if strings.Contains(v.name+v.value, "hunter2") {
				t.Errorf("%q: a mistake became the variable %s", tt.text, v.name)
			}
		}
	}
}

func FuzzParseEnvFile(f *testing.F) {
	for _, seed := range []string{"A=b", "A=\"b\nc\\\"\"\n", "export A='x'", "A=-----BEGIN X\n-----END X", "\ufeff#", "A=\"\\", "=\n\n\r"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		variables, wrong := parseEnvFile(text)
		lines := strings.Count(text, "\n") + 1
		if len(variables)+len(wrong) > lines {
			t.Errorf("%d variables and %d mistakes in %d lines", len(variables), len(wrong), lines)
		}
		for _, v := range variables {
			if !variableName.MatchString(v.name) || v.line < 1 || v.line > lines {
				t.Errorf("variable %q in line %d", v.name, v.line)
			}
		}
	})
}

func TestGatewayEnvironment(t *testing.T) {
	t.Parallel()
	key := privateKey(t)
	in := files{
		"a.env":     "FROM_FILE=1\nKEY=\"" + key + "\"\n",
		"value":     "secret value, with a comma\n\n",
		"tricky=me": "IN_TRICKY=1",
	}
	got := good(t, Sources{Environ: []string{
		"AIGW_CI_GATEWAY_ENVIRONMENT=INLINE=a,b\nEMPTY=\nQUOTED='x\ny'",
		"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=a.env, SINGLE=value\n./tricky=me",
	}}, in)
	want := Environment{
		"INLINE": "a,b", "EMPTY": "", "QUOTED": "x\ny", "FROM_FILE": "1", "SINGLE": "secret value, with a comma", "IN_TRICKY": "1",
	}
	want["KEY"] = got.Gateway.Environment["KEY"]
	if want["KEY"].Reveal() != key {
		t.Errorf("a key of several lines was read as %d bytes, want %d", len(want["KEY"]), len(key))
	}
	if diff := cmp.Diff(want, got.Gateway.Environment); diff != "" {
		t.Error(diff)
	}
}

func TestGatewayEnvironmentMistakes(t *testing.T) {
	t.Parallel()
	const name = "AIGW_SELF_SIGNED_JWT__SIGNING_KEY"
	in := files{
		"a.env": "A=1\nB=2\n", "b.env": "C=1\nB=3\nnonsense\n", "key": "hunter2", "zero": "a\x00b", "long": strings.Repeat("x", largestValue+1),
		"huge": strings.Repeat("x", largestFile+1), "ours.env": "AIGW_CI_LOG_LEVEL=debug",
	}
	for _, tt := range []struct {
		inline, from string
		want         []string
	}{
		{"A=1", "a.env", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (a.env:1): A is already set by AIGW_CI_GATEWAY_ENVIRONMENT (environment)"}},
		{"", "a.env,b.env", []string{
			"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (b.env:3): NAME=value was expected; a value of several lines needs quotes around it",
			"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (b.env:2): B is already set by AIGW_CI_GATEWAY_ENVIRONMENT_FROM (a.env:2)",
		}},
		{"A=1\nA=2", "", []string{"AIGW_CI_GATEWAY_ENVIRONMENT (environment): line 2: A is given twice"}},
		{"A", "", []string{"AIGW_CI_GATEWAY_ENVIRONMENT (environment): line 1: NAME=value was expected; a value of several lines needs quotes around it"}},
		{"", "gone.env", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (environment): there is no file gone.env"}},
		{"", "X=gone", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (environment): there is no file gone"}},
		{"", name + "=key", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (key): " + name + ": this is no key in PEM format (-----BEGIN PRIVATE KEY-----)"}},
		{"", "X=zero", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (zero): the value of X has a zero byte in it"}},
		{"", "X=long", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (long): the value of X has 131073 bytes, more than the system can pass on (131072)"}},
		{"", "huge", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (environment): huge is larger than 1024 KiB"}},
		{"", "ours.env", []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM (ours.env:1): AIGW_CI_LOG_LEVEL is a setting of this program, not a variable of the gateway"}},
	} {
		_, _, problems := load(t, Sources{Environ: []string{
			"AIGW_CI_GATEWAY_ENVIRONMENT=" + tt.inline, "AIGW_CI_GATEWAY_ENVIRONMENT_FROM=" + tt.from,
		}}, in)
		if diff := cmp.Diff(tt.want, problems); diff != "" {
			t.Errorf("%q from %q: %s", tt.inline, tt.from, diff)
		}
	}
}

func TestTooManyVariables(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range mostVariables + 1 {
		b.WriteString("V" + strings.Repeat("_", i/1000) + string(rune('A'+i%26)) + strings.Repeat("x", i/26) + "=1\n")
	}
	in := files{"a.env": b.String()}
	if _, _, problems := load(t, Sources{Environ: []string{"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=a.env"}}, in); len(problems) == 0 {
		t.Error("accepted")
	}
}
