package secret

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// shortest is the length, in bytes, below which a value is not searched for. A
// secret that short is no secret, and replacing every "true" or "5052" would
// make a log unreadable.
const shortest = 6

// Redactor replaces the secrets it knows in text. It finds them as they are, in
// base64 (also inside a longer encoded text, as in an Authorization header),
// escaped for URLs, and quoted as in JSON or Go; a secret of several lines also
// line by line, because a log shows it that way. Of one that was cut off it finds
// the beginning, by the [Mark] behind it.
//
// It also replaces what has the shape of a secret, whether it is known or not: private
// keys in PEM, tokens of GitLab and of model vendors, signed tokens. Certificates and
// digests stay.
//
// It does not find what was hashed, encrypted, compressed or taken apart in another
// way.
//
// The zero Redactor and a nil one know no secrets but their shapes. All methods may be
// called at the same time.
type Redactor struct {
	mu    sync.RWMutex
	forms []string // what to search for, without duplicates
}

// NewRedactor returns a Redactor that knows values.
func NewRedactor(values ...string) *Redactor {
	r := new(Redactor)
	r.Add(values...)
	return r
}

// Add makes more secrets known. Values shorter than 6 bytes are ignored.
func (r *Redactor) Add(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.forms) // readers may still hold the old slice
	for _, v := range values {
		all = append(all, forms(v)...)
	}
	slices.Sort(all)
	r.forms = slices.Compact(all)
}

// String returns s with every secret replaced by [Redacted]. Secrets that overlap or
// touch in s are replaced together.
func (r *Redactor) String(s string) string {
	hidden := r.find(s)
	if len(hidden) == 0 {
		return s
	}
	var b strings.Builder
	end := 0
	for _, h := range hidden {
		b.WriteString(s[end:h.from])
		b.WriteString(Redacted)
		end = h.to
	}
	b.WriteString(s[end:])
	return b.String()
}

// Bytes is String for a slice of bytes. The result may be b itself.
func (r *Redactor) Bytes(b []byte) []byte {
	s := string(b)
	if redacted := r.String(s); redacted != s {
		return []byte(redacted)
	}
	return b
}

// Lines is String for the lines of one text, such as a log: a key of several lines is
// known as one only by what is above and below. It becomes one line.
func (r *Redactor) Lines(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	return strings.Split(r.String(strings.Join(lines, "\n")), "\n")
}

// span is s[from:to].
type span struct{ from, to int }

// find returns where secrets are in s: in order, apart from each other. All
// occurrences are searched before any is replaced. Replacing one after the other
// would show the rest of a secret that overlaps with one replaced before.
func (r *Redactor) find(s string) []span {
	found := shapes(s)
	for _, form := range r.known() {
		for at := 0; ; at++ {
			i := strings.Index(s[at:], form[:shortest])
			if i < 0 {
				break
			}
			at += i
			if n := standing(s[at:], form); n > 0 {
				found = append(found, span{at, at + n})
			}
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Compare(a.from, b.from) })

	apart := found[:0]
	for _, f := range found {
		if last := len(apart) - 1; last >= 0 && f.from <= apart[last].to {
			apart[last].to = max(apart[last].to, f.to)
			continue
		}
		apart = append(apart, f)
	}
	return apart
}

// known are the forms to search for.
func (r *Redactor) known() []string {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.forms
}

// standing is how many bytes of a secret's form stand at the beginning of s: all, or
// those before a mark that says that the rest was cut off; otherwise none.
func standing(s, form string) int {
	n := 0
	for n < min(len(s), len(form)) && s[n] == form[n] {
		n++
	}
	if n == len(form) {
		return n
	}
	for cut := n; cut >= max(shortest, n-len(Mark)); cut-- { // dots may be the secret's own
		if marked(s[cut:]) {
			return cut
		}
	}
	return 0
}
