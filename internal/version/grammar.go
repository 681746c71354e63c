package version

import (
	"errors"
	"strconv"
)

// number has no leading zero, so that every version has one spelling.
const (
	number  = `(0|[1-9][0-9]*)`
	numbers = number + `\.` + number + `\.` + number
)

// maxNumber bounds a component far above any real one. It keeps arithmetic on
// versions ("the minor before") free of overflow on every platform.
const maxNumber = 1_000_000

var errTooLarge = errors.New("a number in it is too large")

func atoi(digits []string) (major, minor, patch int, err error) {
	var n [3]int
	for i, d := range digits {
		if n[i], err = strconv.Atoi(d); err != nil || n[i] > maxNumber {
			return 0, 0, 0, errTooLarge
		}
	}
	return n[0], n[1], n[2], nil
}

// maxQuoted is how much of a refused text an error repeats, in bytes.
const maxQuoted = 48

// quote repeats untrusted text for an error: short, printable ASCII, on one line. Go's
// quotes and the dots are what a redactor knows a secret by.
func quote(s string) string {
	if s == "" {
		return "an empty text"
	}
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "..."
	}
	return strconv.QuoteToASCII(s)
}
