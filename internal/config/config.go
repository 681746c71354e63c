// Package config reads the settings: from a file, the environment and the command
// line, into one struct. It is the only package that knows go-envconfig and YAML.
//
// A setting has one name in four spellings: gitlab.url is "gitlab: {url: }" in
// .aigw.yml, AIGW_CI_GITLAB_URL in the environment, --gitlab-url on the command
// line and gitlab_url as a component input. The command line wins over the
// environment, the environment over the file, the file over the default. An empty
// value counts as not set, because GitLab hands over every unused input as one.
//
// Everything that is wrong is reported at once, and before anything is contacted.
package config

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
)

// DefaultFile is read when it is there and no other file is named.
const DefaultFile = ".aigw.yml"

// Sources are the places where settings come from.
type Sources struct {
	// File is the settings file that the user named; empty means DefaultFile.
	File string

	// Environ is the environment, as os.Environ returns it.
	Environ []string

	// Flags are the flags that were given, by the name of the setting. Lists and
	// maps that were given more than once are joined with line breaks.
	Flags map[string]string

	// Need are names of settings that the command cannot do without: of each group,
	// one must be set.
	Need [][]string

	// Open opens a file; os.Open, in the program.
	Open func(name string) (fs.File, error)
}

// Load reads all settings, with the contents of the files that they name. Warnings
// are lines for the user about what was ignored or is unwise. The error is an
// *Error; with one, only Report and Log are filled in, to say so with.
func Load(ctx context.Context, from Sources) (settings Settings, warnings []string, err error) {
	l := &loader{open: from.Open, environ: environ(from.Environ)}
	l.layers = []layer{l.flags(from.Flags), l.environment(), l.file(from.File)}

	err = envconfig.ProcessWith(ctx, &envconfig.Config{
		Target:   &settings,
		Lookuper: envconfig.PrefixLookuper(prefix, envconfig.LookuperFunc(l.lookup)),
		Mutators: []envconfig.Mutator{envconfig.MutatorFunc(l.check)},
	})
	if err != nil { // cannot be: check passes on only what can be decoded
		l.report(Problem{Source: "settings", Message: "a value cannot be used"})
	}
	l.readFiles(&settings)
	l.compare(&settings)
	l.demand(from.Need)

	l.redact(&settings)
	if len(l.problems) > 0 {
		return Settings{Report: settings.Report, Log: settings.Log}, l.warnings, &Error{Problems: l.problems, Dropped: l.dropped}
	}
	return settings, l.warnings, nil
}

// loader is one run of Load.
type loader struct {
	open    func(string) (fs.File, error)
	environ map[string]string
	layers  []layer // the strongest first

	problems []Problem // the first mostProblems
	dropped  int       // problems that were not kept
	warnings []string
}

// layer is what one source says, by variable. Every value is in the form that
// envconfig decodes: a list has line breaks between its values, a map is JSON.
type layer map[string]entry

type entry struct {
	text string
	from origin
	keys map[string]origin // of a map: where each key is written
}

func (l *loader) report(p Problem) {
	if len(l.problems) == mostProblems {
		l.dropped++
		return
	}
	l.problems = append(l.problems, p)
}

func (l *loader) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// lookup finds a variable of ours in the strongest layer that has it. Defaults
// refer to other variables of the environment, such as CI_SERVER_URL.
func (l *loader) lookup(variable string) (string, bool) {
	if e, ok := l.entry(variable); ok {
		return e.text, true
	}
	if strings.HasPrefix(variable, prefix) {
		return "", false
	}
	value := strings.TrimSpace(l.environ[variable])
	return value, value != ""
}

func (l *loader) entry(variable string) (entry, bool) {
	for _, layer := range l.layers {
		if e, ok := layer[variable]; ok {
			return e, true
		}
	}
	return entry{}, false
}

// origin is where the setting's value comes from; ok is false when nobody gave one.
func (l *loader) origin(name string) (from origin, ok bool) {
	s, _ := named(name)
	if e, ok := l.entry(s.Variable); ok {
		return e.from, true
	}
	if variable, refers := strings.CutPrefix(s.Default, "$"); refers {
		if _, ok := l.lookup(variable); ok {
			return origin{setting: variable, source: "environment"}, true
		}
	}
	return origin{setting: name, source: "default"}, false
}

func (l *loader) set(name string) bool {
	_, ok := l.origin(name)
	return ok
}

// wrong reports a problem with a setting's value, at its origin.
func (l *loader) wrong(name, format string, args ...any) {
	from, _ := l.origin(name)
	l.report(from.problem(format, args...))
}

// check stands between lookup and decoding: envconfig calls it with every value.
// It reports what is wrong with one and passes on the default in its place, so
// that decoding goes on and all mistakes come to light. (Left to itself envconfig
// stops at the first one, and repeats the value in the error, secret or not.)
func (l *loader) check(_ context.Context, _, variable, _, value string) (string, bool, error) {
	s, _ := find(func(s Setting) bool { return s.Variable == variable })
	if value == "" || s.Type == Map {
		return value, false, nil // maps are checked by key, in readFiles
	}
	values := []string{value}
	if s.Type == List {
		values = strings.Split(value, "\n")
		if len(values) > mostItems {
			l.wrong(s.Name, "it has %d values, more than %d", len(values), mostItems)
			return "", false, nil
		}
	}
	good := true
	for i, v := range values {
		checked, err := checkValue(s, v)
		if err != nil {
			l.wrong(s.Name, "%v", err)
			good = false
		}
		values[i] = checked
	}
	switch {
	case good:
		return strings.Join(values, "\n"), false, nil
	case strings.HasPrefix(s.Default, "$"):
		return "", false, nil
	}
	return s.Default, false, nil
}

// demand reports what the command needs and was not given.
func (l *loader) demand(groups [][]string) {
	for _, group := range groups {
		if slices.ContainsFunc(group, l.set) {
			continue
		}
		s, _ := named(group[0])
		ways := s.Variable + ", or " + s.Name + " in " + DefaultFile
		if s.Flag != "" {
			ways = "--" + s.Flag + ", " + ways
		}
		l.report(Problem{Setting: strings.Join(group, " or "), Source: "nowhere", Message: "it is not set: " + s.Summary + "; set " + ways})
	}
}

// redact hides secrets that a user has written into the wrong place as well, and
// that a message would therefore show.
func (l *loader) redact(s *Settings) {
	var hide secret.Redactor
	for _, setting := range catalogue {
		if !setting.Secret {
			continue
		}
		for _, layer := range l.layers {
			hide.Add(layer[setting.Variable].text)
		}
	}
	for name, value := range s.Gateway.Environment {
		if !gateway.Public(name) {
			hide.Add(value.Reveal())
		}
	}
	for i, p := range l.problems {
		l.problems[i].Setting, l.problems[i].Message = hide.String(p.Setting), hide.String(p.Message)
	}
	for i, w := range l.warnings {
		l.warnings[i] = hide.String(w)
	}
}
