package secret_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/secret"
)

// bytesFor are as many bytes that differ from all others made with another seed.
func bytesFor(seed string, n int) (all []byte) {
	for i := 0; len(all) < n; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", seed, i))
		all = append(all, sum[:]...)
	}
	return all[:n]
}

// block is a PEM block of a kind, which nobody was told of.
func block(kind string, n int) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytesFor(kind, n)}))
}

// unknown are secrets that no Redactor was told of, by their kind.
var unknown = map[string]string{
	"personal access token": "glpat-" + strings.Repeat("aB3_", 5),
	"routable token":        "glpat-" + strings.Repeat("aB3-", 8) + ".01.0w1x2y3z",
	"of another instance":   "EXAMPLE-glpat-" + strings.Repeat("aB3_", 5),
	"deploy token":          "gldt-" + strings.Repeat("aB3_", 5),
	"job token":             "glcbt-64_" + strings.Repeat("aB3_", 5),
	"runner token":          "glrt-t1_" + strings.Repeat("aB3_", 5),
	"trigger token":         "glptt-" + strings.Repeat("0a1b", 10),
	"agent token":           "glagent-" + strings.Repeat("aB3_-", 10),
	"registration token":    "GR1348941" + strings.Repeat("aB3_", 5),
	"session":               "_gitlab_session=" + strings.Repeat("0a1b", 8),
	"vendor's key":          "sk-ant-api03-" + strings.Repeat("aB3_", 20),
	"JWT":                   "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ." + strings.Repeat("aB3_-", 20),
	"JWT, encrypted":        "eyJhbGciOiJkaXIifQ..aB3_aB3_." + strings.Repeat("aB3_-", 20) + ".aB3_aB3_",
}

func TestShapesAreHidden(t *testing.T) {
	t.Parallel()
	for name, value := range unknown {
		encoded, _ := json.Marshal(map[string]string{"value": value})
		for _, text := range []string{
			value, "it is " + value + ".", `"` + value + `"`, string(encoded), "Bearer " + value, "a=" + url.QueryEscape(value) + "&b=1",
			secret.Cut(value, len(value)-3), secret.Line(value+value, len(value)+12), "\t" + value + "\n" + value,
		} {
			for _, r := range []*secret.Redactor{nil, new(secret.Redactor), secret.NewRedactor("other-secret")} {
				got := r.String(text)
				if !strings.Contains(got, secret.Redacted) || strings.Contains(got, "aB3") || strings.Contains(got, "0a1b") {
					t.Errorf("%s: %q became %q", name, text, got)
				}
			}
		}
	}
	if got := new(secret.Redactor).String("refused " + unknown["deploy token"] + ". Try again."); got != "refused [redacted]. Try again." {
		t.Error(got)
	}
}

// keyKinds are the labels of private keys in PEM.
var keyKinds = []string{"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"}

// written are the ways in which a log shows a text of several lines.
var written = map[string]func(string) string{
	"as it is":         func(s string) string { return s },
	"CRLF":             func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
	"on one line":      func(s string) string { return secret.Line(s, 1<<20) },
	"written out":      func(s string) string { return strings.ReplaceAll(s, "\n", `\n`) },
	"quoted":           func(s string) string { return fmt.Sprintf("%q", s) },
	"quoted twice":     func(s string) string { return fmt.Sprintf("%q", fmt.Sprintf("%q", s)) },
	"in a URL":         url.QueryEscape,
	"in a path":        url.PathEscape,
	"after a prefix":   func(s string) string { return "INFO " + strings.ReplaceAll(s, "\n", "\nINFO a.b | ") },
	"indented":         func(s string) string { return "  key: |\n    " + strings.ReplaceAll(s, "\n", "\n    ") },
	"encoded":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"encoded, shifted": func(s string) string { return base64.URLEncoding.EncodeToString([]byte("K:" + s)) },
	"encoded, in URL": func(s string) string {
		return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("KEY:" + s)))
	},
}

// pieces are what nobody may see of a key: any 12 characters of its base64.
func pieces(text string) (all []string) {
	for _, line := range strings.Fields(text) {
		if len(line) < 12 || strings.HasPrefix(line, "-----") {
			continue
		}
		for i := 0; i+12 <= len(line); i += 4 {
			if piece := line[i : i+12]; !strings.ContainsAny(piece, "+/=") {
				all = append(all, piece)
			}
		}
	}
	return all
}

// A key of any kind is hidden wherever a log was cut, and everything else stays.
func TestPrivateKeysAreHidden(t *testing.T) {
	t.Parallel()
	var r secret.Redactor
	certificate := block("CERTIFICATE", 1500)
	for _, kind := range keyKinds {
		key := block(kind, 600)
		secrets := pieces(key)
		for name, write := range written {
			text := certificate + "up and listening\n" + write(key) + "\nserving sha256:" + strings.Repeat("0af1", 16) + "\n" + certificate
			got := r.String(text)
			for _, piece := range secrets {
				if strings.Contains(got, piece) {
					t.Errorf("%s, %s: %s shows in %s", kind, name, piece, got)
					break
				}
			}
			if !strings.HasPrefix(got, certificate+"up and listening\n") || !strings.HasSuffix(got, "\nserving sha256:"+strings.Repeat("0af1", 16)+"\n"+certificate) || !strings.Contains(got, secret.Redacted) {
				t.Errorf("%s, %s became %s", kind, name, got)
			}
			if again := r.String(got); again != got {
				t.Errorf("%s, %s: hidden again it is %s", kind, name, again)
			}
		}
	}
	got := r.String("a\n" + block("PRIVATE KEY", 600) + "b\n")
	if diff := cmp.Diff("a\n-----BEGIN PRIVATE KEY-----\n[redacted]\n-----END PRIVATE KEY-----\nb\n", got); diff != "" {
		t.Error(diff)
	}
}

// What base64 hides is seen by who decodes it: not a byte of the key is left there.
func TestEncodedKeysAreHidden(t *testing.T) {
	t.Parallel()
	var r secret.Redactor
	for before := range 3 {
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			text := "data: " + e.EncodeToString([]byte(strings.Repeat("x", before)+block("RSA PRIVATE KEY", 600)))
			if got := r.String(text + " end"); got != "data: [redacted] end" {
				t.Errorf("%d: %s", before, got)
			}
			if got := r.String(text[:700] + secret.Mark); got != "data: [redacted]..." {
				t.Errorf("%d: %s", before, got)
			}
		}
	}
}

// A log begins and ends anywhere in a key, and its long lines are cut.
func TestHalfAKeyIsHidden(t *testing.T) {
	t.Parallel()
	var r secret.Redactor
	key := block("RSA PRIVATE KEY", 600)
	secrets := pieces(key)
	look := func(what, text string) {
		t.Helper()
		got := r.String(text)
		for _, piece := range secrets {
			if strings.Contains(got, piece) {
				t.Fatalf("%s: %s shows in %s", what, piece, got)
			}
		}
		if strings.Contains(text, "up and listening") != strings.Contains(got, "up and listening") {
			t.Fatalf("%s: too much is hidden: %s", what, got)
		}
	}
	for name, write := range written {
		if strings.Contains(name, "encoded") || name == "on one line" {
			continue
		}
		text := write(key)
		first, last := strings.Index(text, "-----B")+len("-----BEGIN"), strings.LastIndex(text, "-----END")
		for at := first; at < last; at++ {
			look(fmt.Sprint(name, ", end missing from ", at), "up and listening\n"+secret.Cut(text, at)+"\n")
		}
		for at := first; at < last-80; at++ {
			look(fmt.Sprint(name, ", beginning missing to ", at), text[at:]+"\nup and listening\n")
		}
	}
	lines := strings.Split(key, "\n")
	for from := range lines[:len(lines)-2] {
		got := r.Lines(lines[from:])
		if joined := strings.Join(got, "\n"); strings.Contains(joined, secrets[len(secrets)-1]) || got[len(got)-1] != "" {
			t.Errorf("from line %d: %q", from, got)
		}
	}
	cut := strings.Repeat("x", 100) + "-----BEGIN RSA PRI...\n" // the length of the line was bounded
	look("armour cut", "up and listening\n"+cut+strings.Join(lines[1:], "\n"))
	look("armour cut, no end", "up and listening\n"+cut+strings.Join(lines[1:6], "\n"))
	look("after half a certificate", "-----BEGIN CERTIFICATE-----\nup and listening\n"+strings.Join(lines[3:], "\n"))
	look("before half a certificate", "up and listening\n"+strings.Join(lines[:6], "\n")+"\n-----END CERTIFICATE-----")
	look("two pods", "up and listening\n"+twoAtOnce(lines))
}

// twoAtOnce are the lines of two logs by their times.
func twoAtOnce(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + "\n" + line + "\n")
	}
	return b.String()
}

// What a person has to read stays.
func TestShapesLeaveTheRest(t *testing.T) {
	t.Parallel()
	var r secret.Redactor
	digest := hex.EncodeToString(bytesFor("digest", 32))
	for _, text := range []string{
		"registry.gitlab.com/gitlab-org/modelops/model-gateway:self-hosted-v18.4.0-ee@sha256:" + digest,
		digest + "\n" + digest, "-----END PRIVATE KEY-----",
		`a file that begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----`,
		"set it to -----BEGIN PRIVATE KEY----- ... -----END PRIVATE KEY-----",
		"-----BEGIN PRIVATE KEY-----\nimage " + digest + " is pulled\nsha256:" + digest,
		"https://gitlab.example.com/group/project/-/jobs/123/artifacts/file/aigw-report/report.json",
		block("CERTIFICATE", 1500) + block("PUBLIC KEY", 300) + block("CERTIFICATE REQUEST", 500),
		"-----BEGIN CERT...\n" + base64.StdEncoding.EncodeToString(bytesFor("c", 48)) + "\n",
		"glagent-7d9f8c6b5d-x2x4q", "glpat-", "glpat-... is what a token begins with", "sk-ant-", "eyJ", "eyJzdWIiOiJjYW5hcnkifQ", "disk-usage-of-the-machine-is-high",
		"https://gitlab.example.com/risk-0123456789-0123456789/sk-0123456789-0123456789",
		strings.Repeat("-", 1000) + "BEGIN",
	} {
		if got := r.String(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// FuzzShapes puts a key and a token into any text.
func FuzzShapes(f *testing.F) {
	f.Add("key: ", "\n", "", 10)
	f.Add("-----BEGIN PRIVATE KEY-----\n", "\n-----END RSA PRIVATE KEY-----", "x", 700)
	f.Add("-----END CERTIFICATE-----\n", `\n-----BEGIN EC PRIVATE KEY-----\n`, "eyJ", 0)
	f.Add("%0A\\", "...", "GR1348941", 64)
	key := block("RSA PRIVATE KEY", 600)
	secrets := pieces(key)
	f.Fuzz(func(t *testing.T, before, after, between string, cut int) {
		var r secret.Redactor
		got := r.String(before + "\n" + key + between + "\n glpat-" + strings.Repeat("aB3_", 5) + "\n" + after)
		for _, piece := range secrets {
			if strings.Contains(got, piece) && !strings.Contains(before+after+between, piece) {
				t.Fatalf("%s shows in %q", piece, got)
			}
		}
		if strings.Contains(got, "aB3_aB3_") && !strings.Contains(before+after+between, "aB3_") {
			t.Errorf("the token shows in %q", got)
		}
		text := before + after + between
		if got := r.String(text); strings.Count(got, secret.Redacted) == 0 && got != text {
			t.Errorf("%q became %q", text, got)
		}
		_ = r.String(secret.Cut(text+key, min(max(cut, 0), len(text+key))))
	})
}
