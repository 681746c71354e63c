package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// forms are the ways in which a secret shows up in text.
func forms(value string) []string {
	if len(value) < shortest {
		return nil
	}
	all := append(spellings(value), encodings(value)...)
	all = append(all, Line(value, len(value)))
	// Keys of several lines are kept in variables with the line breaks written out.
	for line := range strings.Lines(strings.ReplaceAll(value, `\n`, "\n")) {
		line = strings.TrimSpace(line)
		// The armour of a PEM file ("-----BEGIN ...") is no secret, and a reader
		// wants to see that a key was there.
		if line != value && !strings.HasPrefix(line, "-----") {
			all = append(all, spellings(line)...)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < shortest })
}

// spellings are the value as it is and with the escapes of URLs, JSON and Go.
func spellings(value string) []string {
	quoted := strconv.Quote(value)
	encoded, _ := json.Marshal(value) // a string never fails
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(encoded))
	return []string{
		value,
		url.QueryEscape(value),
		url.PathEscape(value),
		url.User(value).String(),
		unquoted(quoted), unquoted(strconv.QuoteToASCII(value)), unquoted(string(encoded)), unquoted(plain),
	}
}

func unquoted(s string) string { return s[1 : len(s)-1] }

// encodings are the value in base64, alone and inside a longer text.
//
// Base64 writes three bytes as four characters, so a value in a longer text has
// one of three encodings, by its offset modulo three. Its first and last
// character may hold bits of the neighbours too; they are left out.
func encodings(value string) []string {
	var all []string
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, e.EncodeToString([]byte(value)))
		raw := e.WithPadding(base64.NoPadding)
		all = append(all, raw.EncodeToString([]byte(value)))
		for offset := range 3 {
			text := make([]byte, offset, offset+len(value))
			text = append(text, value...)
			first, last := (offset*8+5)/6, len(text)*8/6
			all = append(all, raw.EncodeToString(text)[first:last])
		}
	}
	return all
}
