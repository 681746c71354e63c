package secret

import (
	"regexp"
	"strings"
)

// Bounds on what is taken for a private key. PEM has 64 characters on a line; one of
// 16384 bits has 12700 in all. Source: RFC 7468, 2.
const (
	longestKey = 32 << 10 // bytes between the two lines of armour
	keyLine    = 40       // bytes of base64 that make a line of a key
	keyWord    = 16       // bytes of base64 that make its first or last line, in doubt
	keyGap     = 200      // bytes of a log between two lines of a key
	keyBreak   = 32       // bytes of a line break and what a log puts before each line
)

// lineBreaks are line breaks and blanks, as they are and written out.
const lineBreaks = `(?:\s|\\+[nr]|%0[AaDd])+`

var (
	// armour is a line of it, also in a URL, or the beginning of one that was cut.
	armour = regexp.MustCompile(`-----(BEGIN|END)((?:(?: |\+|%20)[A-Z0-9]*)*)(-----|\.\.\.|…)`)
	// material is base64, also in a URL.
	material = regexp.MustCompile(`(?:[A-Za-z0-9+/=]|%2[BFbf]|%3[Dd])+`)
	// cutOff is a mark, before which an escape may have been cut in two.
	cutOff      = regexp.MustCompile(`^(?:\s|\\+[nr]?|%[0-9A-Fa-f]{0,2})*(?:\.\.\.|…)`)
	breaks      = regexp.MustCompile(`^` + lineBreaks + `$`)
	breaksFirst = regexp.MustCompile(`^` + lineBreaks)
	breaksLast  = regexp.MustCompile(lineBreaks + `$`)
	// hexOnly is what digests are written in.
	hexOnly = regexp.MustCompile(`^(?:[0-9a-f]+|[0-9A-F]+)$`)
)

// armourLine is one of the two lines around a key, a certificate or the like.
type armourLine struct {
	span
	begins  bool
	private bool   // it is a private key's
	cut     bool   // its end is missing, and what it says of what it is around
	label   string // as far as it is there
}

// keys returns where private keys in PEM are, without their armour, which is no
// secret: a reader wants to see that a key was there. The line breaks may be written
// out, as in JSON or a URL, or be spaces; and one end of the key may be missing, where
// a log was cut, which is why s has to be the whole of a log and not a line of it.
func keys(s string) (found []span) {
	if !strings.Contains(s, "-----") {
		return nil
	}
	lines := armourLines(s)
	for i, l := range lines {
		before, after := 0, len(s) // where the lines around this one are
		opened, closed := false, false
		if i > 0 {
			before, opened = lines[i-1].to, lines[i-1].begins && lines[i-1].private
		}
		if i+1 < len(lines) {
			after, closed = lines[i+1].from, !lines[i+1].begins
		}
		switch {
		case !l.private:
		case l.begins && closed && after-l.to <= longestKey:
			found = append(found, whole(s, l.to, after)...)
		case l.begins:
			found = append(found, forward(s, l.to, after)...)
		case !opened || l.from-before > longestKey:
			found = append(found, backward(s, before, l.from)...)
		}
	}
	return found
}

// armourLines are those in s, in order. What one that was cut is around is said by the
// one that follows; where none does, it may be a key.
func armourLines(s string) (lines []armourLine) {
	for _, at := range armour.FindAllStringSubmatchIndex(s, -1) {
		l := armourLine{
			span: span{at[0], at[1]}, begins: s[at[2]:at[3]] == "BEGIN",
			label: s[at[4]:at[5]], cut: marked(s[at[6]:at[7]]),
		}
		l.private = strings.Contains(l.label, "PRIVATE") || l.cut && !strings.HasPrefix(l.label, " C")
		if last := len(lines) - 1; last >= 0 && lines[last].cut && !l.begins {
			lines[last].private = l.private
		}
		lines = append(lines, l)
	}
	return lines
}

// whole is all of s[from:to], which is between two lines of armour, but for the line
// breaks at its ends, if there is anything to hide in it.
func whole(s string, from, to int) []span {
	for _, run := range runs(s, from, to) {
		if run.to-run.from >= keyWord {
			return []span{{from + len(breaksFirst.FindString(s[from:to])), to - len(breaksLast.FindString(s[from:to]))}}
		}
	}
	return nil
}

// forward finds the lines of a key that begins before s[from:to] and has no end.
func forward(s string, from, to int) (found []span) {
	last := from
	for _, run := range runs(s, from, min(to, from+longestKey)) {
		gap := s[last:run.from]
		switch {
		case len(gap) <= keyGap && lineOfKey(s, run, keyLine):
			found, last = append(found, run), run.to
		case len(gap) <= keyBreak && (lineOfKey(s, run, keyWord) || cutOff.MatchString(s[run.to:])):
			return append(found, run) // only the last line is that short
		}
	}
	return found
}

// backward finds the lines of a key that ends behind s[from:to] and has no beginning.
func backward(s string, from, to int) (found []span) {
	last := to
	all := runs(s, max(from, to-longestKey), to)
	for i := len(all) - 1; i >= 0; i-- {
		run := all[i]
		gap := s[run.to:last]
		switch short := len(gap) <= keyBreak && lineOfKey(s, run, keyWord); {
		case len(gap) <= keyGap && lineOfKey(s, run, keyLine),
			len(found) == 0 && (short || breaks.MatchString(gap)): // the last line may be of any length
			found, last = append(found, run), run.from
		case short, run.from == 0 && len(gap) <= keyBreak: // within this line the log begins
			return append(found, run)
		}
	}
	return found
}

// lineOfKey tells a line of a key, of so many bytes, from the words and the digests in
// a log.
func lineOfKey(s string, run span, least int) bool {
	return run.to-run.from >= least && !hexOnly.MatchString(s[run.from:run.to])
}

// runs are the pieces of s[from:to] that are base64, without what is left of a line
// break that was written out before them.
func runs(s string, from, to int) (found []span) {
	for _, at := range material.FindAllStringIndex(s[from:to], -1) {
		run := span{from + at[0], from + at[1]}
		if run.from > from {
			switch s[run.from-1] {
			case '\\':
				run.from += len("n")
			case '%':
				run.from += len("0A")
			}
		}
		if run.from < run.to {
			found = append(found, run)
		}
	}
	return found
}

// encodedArmour is what every private key's armour says, in base64.
var encodedArmour = encodings("PRIVATE KEY")

// encodedKeys returns where private keys are in base64 once more, as in a Secret of
// Kubernetes: all of the text in base64 that has the armour in it.
func encodedKeys(s string) (found []span) {
	for _, needle := range encodedArmour {
		for at := 0; ; {
			i := strings.Index(s[at:], needle)
			if i < 0 {
				break
			}
			around := span{at + i, at + i + len(needle)}
			for around.from > at && s[around.from-1] != '=' && encodedByte(s[around.from-1]) {
				around.from--
			}
			for around.to < len(s) && encodedByte(s[around.to]) {
				around.to++
			}
			found, at = append(found, around), around.to
		}
	}
	return found
}

// encodedByte reports whether base64 of either alphabet has c in it, also in a URL.
func encodedByte(c byte) bool {
	return tokenByte(c) && c != '.' || c == '+' || c == '/' || c == '=' || c == '%'
}
