package registry

import "strings"

// maxLink is the longest Link header that is read, in bytes.
const maxLink = 8 << 10

// nextLink finds the target with the relation "next" in Link headers, "" when there
// is none. Source: RFC 8288, section 3.
func nextLink(headers []string) string {
	for _, h := range headers {
		if len(h) > maxLink {
			continue
		}
		for h != "" {
			var target, params string
			var ok bool
			if target, params, h, ok = cutLink(h); !ok {
				break
			}
			if isNext(params) {
				return target
			}
		}
	}
	return ""
}

// cutLink cuts "<target>params" off the front of a header.
func cutLink(h string) (target, params, rest string, ok bool) {
	h = strings.TrimLeft(h, " \t,")
	if !strings.HasPrefix(h, "<") {
		return "", "", "", false
	}
	target, h, ok = strings.Cut(h[1:], ">")
	if !ok {
		return "", "", "", false
	}
	end := indexUnquoted(h, ',')
	return target, h[:end], h[end:], true
}

// isNext reports whether the parameters hold rel=next, alone or among others.
func isNext(params string) bool {
	for params != "" {
		end := indexUnquoted(params, ';')
		key, value, _ := strings.Cut(params[:end], "=")
		params = strings.TrimPrefix(params[end:], ";")
		if !strings.EqualFold(strings.TrimSpace(key), "rel") {
			continue
		}
		for rel := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(rel, "next") {
				return true
			}
		}
		return false // only the first rel counts
	}
	return false
}

// indexUnquoted is the place of the first c outside a quoted string, or the length
// of s.
func indexUnquoted(s string, c byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == c:
			return i
		}
	}
	return len(s)
}
