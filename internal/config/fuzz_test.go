package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every setting takes every text, or says why not in words that can be printed and do
// not repeat what may be a password.
func FuzzValues(f *testing.F) {
	const password = "hunter2-hunter2"
	for _, s := range Catalogue() {
		f.Add(s.Name, s.Example)
		f.Add(s.Name, s.Example+"\x1b[2J")
		f.Add(s.Name, "https://me:"+password+"@gitlab.example.com/x?y")
		f.Add(s.Name, "ssh:me:"+password+"@gitlab.example.com")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		s, known := named(name)
		if !known {
			return
		}
		used, err := checkValue(s, value)
		if err == nil {
			if s.Type != YAML && strings.ContainsAny(used, "\r\n\x1b\x00") {
				t.Errorf("%s: %q is used as %q", name, value, used)
			}
			return
		}
		text := err.Error()
		if len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsAny(text, "\r\n\x1b\x00") {
			t.Errorf("%s: not fit to print: %q", name, text)
		}
		if s.Secret && len(value) > 8 && strings.Contains(text, value) {
			t.Errorf("%s: the error repeats the secret: %q", name, text)
		}
		if strings.Contains(value, "//me:"+password+"@") && strings.Contains(text, password) {
			t.Errorf("%s: the error repeats the password in an address: %q", name, text)
		}
	})
}

// A whole environment, as a pipeline sets it: no text in any variable brings the
// program down, and all mistakes fit to print.
func FuzzEnvironment(f *testing.F) {
	f.Add("AIGW_CI_GITLAB_URL", "https://gitlab.example.com")
	f.Add("AIGW_CI_GITLAB_TOKNE", "x")
	f.Add("AIGW_CI_GATEWAY_ENVIRONMENT", "A=1\nB")
	f.Add("AIGW_CI_GATEWAY_ENVIRONMENT_FROM", "A=file\nfile")
	f.Add("AIGW_CI_KUBERNETES_VALUES", "a: &x [*x]")
	f.Add("AIGW_CI_DOCKER_PORTS", "5052:5052,,[::1]:1:1")
	f.Add("CI_SERVER_URL", "%zz")
	f.Fuzz(func(t *testing.T, name, value string) {
		_, warnings, err := Load(context.Background(), Sources{
			Environ: []string{name + "=" + value},
			Open:    func(name string) (fs.File, error) { return nil, fmt.Errorf("opening %q: %w", name, fs.ErrNotExist) },
		})
		texts := warnings
		if err != nil {
			texts = append(texts, err.Error())
			if wrong := (*Error)(nil); !errors.As(err, &wrong) {
				t.Errorf("not the errors of a user: %v", err)
			}
		}
		for _, text := range texts {
			if len(text) > 200_000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' }) {
				t.Errorf("not fit to print: %q", text)
			}
		}
	})
}
