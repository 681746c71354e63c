// Package secret keeps secrets out of everything a person or a pipeline reads:
// logs, errors, reports, evidence.
//
// There are two lines of defence. A Value does not print itself, so a secret
// that is logged by mistake shows as "[redacted]". A Redactor stands at the way
// out and replaces the secrets it knows, and what looks like one, in text that others
// wrote: the log of a gateway, the answer of a server, the error of a library. Such
// text is shortened
// with Cut and Line alone, after which a Redactor still finds half a secret.
package secret

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// Redacted stands where a secret was.
const Redacted = "[redacted]"

// Value is a secret. Whatever prints, logs or encodes it writes [Redacted], and
// nothing for an empty one, so that "not set" stays visible.
//
// Package fmt cannot call methods on unexported fields: a struct that keeps a
// Value in one and is printed with %v shows it. Keep a Value in an exported
// field, or do not print the struct.
type Value string

var (
	_ fmt.Formatter          = Value("")
	_ fmt.GoStringer         = Value("")
	_ slog.LogValuer         = Value("")
	_ json.Marshaler         = Value("")
	_ encoding.TextMarshaler = Value("")
)

// Reveal returns the secret itself. Calls of it are the places to look at when
// asking where secrets go.
func (v Value) Reveal() string { return string(v) }

// String implements fmt.Stringer.
func (v Value) String() string {
	if v == "" {
		return ""
	}
	return Redacted
}

// GoString implements fmt.GoStringer.
func (v Value) GoString() string { return strconv.Quote(v.String()) }

// Format implements fmt.Formatter: String and GoString alone would leave verbs
// such as %x, which print the bytes of a string.
func (v Value) Format(f fmt.State, verb rune) {
	s := v.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		s = v.GoString()
	}
	_, _ = io.WriteString(f, s) // fmt.State never fails
}

// MarshalText implements encoding.TextMarshaler.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(v.GoString()), nil }

// LogValue implements slog.LogValuer.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }
