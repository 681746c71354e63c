package secret

import (
	"regexp"
	"strings"
)

// shapes are where s has what looks like a secret, whoever's it is: a private key, a
// token of GitLab or of a model vendor, a signed token. A gateway has some that
// nobody told this program of: a Helm chart makes its signing keys itself.
func shapes(s string) []span {
	found := append(keys(s), encodedKeys(s)...)
	for _, p := range prefixes {
		found = append(found, p.find(s)...)
	}
	return append(found, signed(s)...)
}

// prefix is what all tokens of a kind begin with.
type prefix struct {
	text string
	word bool // it is so short that only the beginning of a word counts
}

// shortestToken is how much stands behind a prefix at least, in bytes. A name of a pod
// or a branch may begin like a token, and is shorter.
const shortestToken = 20

// prefixes of GitLab are from docs.gitlab.com/security/tokens, token prefixes. An
// instance may put one of its own before them. Those of model vendors are what their
// documentation shows: platform.claude.com/docs, platform.openai.com/docs.
var prefixes = [...]prefix{
	{text: "glpat-"}, {text: "gloas-"}, {text: "gldt-"}, {text: "glrt-"}, {text: "glrtr-"},
	{text: "glcbt-"}, {text: "glptt-"}, {text: "glft-"}, {text: "glimt-"}, {text: "glagent-"},
	{text: "glwt-"}, {text: "glsoat-"}, {text: "glffct-"}, {text: "GR1348941"},
	{text: "_gitlab_session="}, {text: "_gitlab_session%3D"}, {text: "sk-", word: true},
}

// find returns where tokens of this kind are, whole or cut off by a mark.
func (p prefix) find(s string) (found []span) {
	for at := 0; ; {
		i := strings.Index(s[at:], p.text)
		if i < 0 {
			return found
		}
		from := at + i
		at = from + len(p.text)
		if p.word && from > 0 && (tokenByte(s[from-1]) || s[from-1] == '/') {
			continue
		}
		for at < len(s) && tokenByte(s[at]) {
			at++
		}
		to := from + len(strings.TrimRight(s[from:at], ".")) // the end of a sentence, or of what was cut
		if n := to - from - len(p.text); n >= shortestToken || n >= shortest && marked(s[to:]) {
			found = append(found, span{from, to})
		}
	}
}

// tokenByte reports whether tokens are made of c: the alphabet of base64 in URLs, and
// the dots of routable tokens.
func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// jwt is a JSON Web Token: three parts in base64, of which the first is a JSON object,
// so that it begins with eyJ, and the last may have been cut off; an encrypted one has
// five. Source: RFC 7519, 3; RFC 7515, 7.1; RFC 7516, 7.1.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){1,3}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]*`)

// signed returns where signed tokens are.
func signed(s string) (found []span) {
	if !strings.Contains(s, "eyJ") { // far cheaper than the expression
		return nil
	}
	for _, at := range jwt.FindAllStringIndex(s, -1) {
		found = append(found, span{at[0], at[1]})
	}
	return found
}

// marked reports whether s begins with a mark of what was cut off.
func marked(s string) bool {
	for _, mark := range marks {
		if strings.HasPrefix(s, mark) {
			return true
		}
	}
	return false
}
