package config

import (
	"maps"
	"slices"
	"strings"
)

// flags is what the command line says.
func (l *loader) flags(given map[string]string) layer {
	flags := make(layer)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		s, known := named(name)
		from := origin{setting: "--" + s.Flag, source: "command line"}
		switch {
		case given[name] == "":
		case !known:
			from.setting = quote(name)
			l.report(from.problem("there is no such setting"))
		case s.Secret:
			from.setting = name
			l.report(from.problem("every process on the machine can read the command line: set %s", s.Variable))
		default:
			l.put(flags, s, from, given[name])
		}
	}
	return flags
}

// environment is what the AIGW_CI_ variables say. Variables that belong to no
// setting are warned about: GitLab has no way to tell a user of a typing error.
func (l *loader) environment() layer {
	env := make(layer)
	var ours []string
	for _, s := range catalogue {
		ours = append(ours, s.Variable)
		if value := l.environ[s.Variable]; value != "" {
			l.put(env, s, origin{setting: s.Variable, source: "environment"}, value)
		}
	}
	unknown := slices.DeleteFunc(slices.Sorted(maps.Keys(l.environ)), func(name string) bool {
		return !strings.HasPrefix(name, prefix) || slices.Contains(ours, name)
	})
	for i, name := range unknown {
		if i == mostItems {
			l.warn("%d more variables that start with %s belong to no setting", len(unknown)-i, prefix)
			break
		}
		hint := ""
		if n := nearest(name, ours); n != "" {
			hint = ": did you mean " + n + "?"
		}
		l.warn("the variable %s belongs to no setting and is ignored%s", strings.Trim(quote(name), `"`), hint)
	}
	return env
}

// put writes a text from the environment or the command line into a layer, in the
// form that envconfig decodes.
func (l *loader) put(in layer, s Setting, from origin, text string) {
	switch s.Type {
	case List:
		if items := splitList(text); len(items) > 0 {
			in[s.Variable] = entry{text: strings.Join(items, "\n"), from: from}
		}
	case Map:
		variables, wrong := parseEnvFile(text)
		for _, w := range wrong {
			l.report(from.problem("line %d: %s", w.line, w.message))
		}
		values, keys := make(map[string]string), make(map[string]origin)
		for _, v := range variables {
			if _, twice := values[v.name]; twice {
				l.report(from.problem("line %d: %s is given twice", v.line, v.name))
			}
			values[v.name], keys[v.name] = v.value, from
		}
		if len(values) > 0 {
			in[s.Variable] = entry{text: encodeMap(values), from: from, keys: keys}
		}
	case YAML:
		if strings.TrimSpace(text) != "" { // which may begin with blanks that mean something
			in[s.Variable] = entry{text: text, from: from}
		}
	default:
		if text = strings.TrimSpace(text); text != "" {
			in[s.Variable] = entry{text: text, from: from}
		}
	}
}

// splitList cuts a list at commas and line breaks. No value of a list may hold
// one: names, ports, mounts and repositories cannot, and a path with a comma can
// be reached by another name.
func splitList(text string) []string {
	var items []string
	for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// environ is the environment by name. As in a shell, the last one counts.
func environ(list []string) map[string]string {
	env := make(map[string]string, len(list))
	for _, pair := range list {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}
