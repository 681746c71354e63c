package registry

import "strings"

// challenge is one way in that a 401 offers.
type challenge struct {
	scheme string            // lower case: "bearer", "basic"
	params map[string]string // keys in lower case
}

// Bounds on what one 401 may hold: far above any real one.
const (
	maxChallengeHeader = 8 << 10
	maxChallenges      = 16
	maxParams          = 32
)

// parseChallenges reads WWW-Authenticate headers, each of which may hold several
// challenges. It stops at the first thing that is not one. Source: RFC 9110,
// sections 11.2 and 11.6.1.
func parseChallenges(headers []string) []challenge {
	var all []challenge
	for _, h := range headers {
		if len(h) > maxChallengeHeader {
			continue
		}
		s := scanner(h)
		for len(all) < maxChallenges {
			s.skip(" \t,")
			scheme := s.token()
			if scheme == "" {
				break
			}
			all = append(all, challenge{strings.ToLower(scheme), s.params()})
		}
	}
	return all
}

// scanner is what is left of a header.
type scanner string

func (s *scanner) skip(chars string) { *s = scanner(strings.TrimLeft(string(*s), chars)) }

// token takes the longest token off the front; "" when there is none.
func (s *scanner) token() string {
	end := 0
	for end < len(*s) && tokenByte((*s)[end]) {
		end++
	}
	t := string((*s)[:end])
	*s = (*s)[end:]
	return t
}

// params takes the key=value pairs that belong to a challenge. A word without "="
// begins the next challenge and is left where it is.
func (s *scanner) params() map[string]string {
	params := make(map[string]string)
	for len(params) < maxParams {
		before := *s
		s.skip(" \t,")
		key := strings.ToLower(s.token())
		s.skip(" \t")
		if key == "" || !strings.HasPrefix(string(*s), "=") {
			*s = before
			break
		}
		*s = (*s)[1:]
		s.skip(" \t")
		value, ok := s.value()
		if !ok {
			*s = ""
			break
		}
		if _, twice := params[key]; !twice {
			params[key] = value
		}
	}
	return params
}

// value takes a token or a quoted string off the front.
func (s *scanner) value() (string, bool) {
	if !strings.HasPrefix(string(*s), `"`) {
		t := s.token()
		return t, t != ""
	}
	var b strings.Builder
	for i := 1; i < len(*s); i++ {
		switch c := (*s)[i]; c {
		case '"':
			*s = (*s)[i+1:]
			return b.String(), true
		case '\\':
			if i++; i == len(*s) {
				return "", false
			}
			b.WriteByte((*s)[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false // the quote was never closed
}

// tokenByte reports whether c may stand in a token: RFC 9110, section 5.6.2. A slash
// is let through as well, for addresses that a server forgot to quote have it.
func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}
