package road

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"aigw-ci/internal/secret"
)

// The words that a relay's first line begins with.
const (
	wordOK      = "ok"
	wordRefused = "refused: "
	wordLost    = "lost: "
	wordFailed  = "failed: "
)

// FirstLine is what a relay says before anything else: "ok" when err is nil,
// "refused: <why>", "lost: <why>" when nobody answered, and else "failed: <why>".
func FirstLine(err error) string {
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	word := wordFailed
	switch {
	case err == nil:
		return wordOK + "\n"
	case errors.Is(err, syscall.ECONNREFUSED):
		word = wordRefused
	case errors.As(err, &op) && op.Timeout() && !errors.As(err, &dns):
		word = wordLost
	}
	return word + secret.Line(err.Error(), 400) + "\n"
}

// ParseFirstLine turns a relay's first line back into what it met on the way to addr:
// nil, or a *net.OpError of syscall.ECONNREFUSED, of syscall.ETIMEDOUT, or of words. A
// line that is none is another error.
func ParseFirstLine(addr, line string) error {
	words := secret.Line(line, 500)
	cause := error(nil)
	switch {
	case words == wordOK:
		return nil
	case strings.HasPrefix(words, wordRefused):
		cause = syscall.ECONNREFUSED
	case strings.HasPrefix(words, wordLost):
		cause = syscall.ETIMEDOUT
	case strings.HasPrefix(words, wordFailed):
		cause = errors.New(strings.TrimPrefix(words, wordFailed))
	default:
		return fmt.Errorf("the relay to %s answers %q", addr, words)
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: Addr(addr), Err: cause}
}
