package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

const largestFile = 1 << 20 // bytes; a settings file has a few hundred

// file is what the settings file says. The file is walked node by node instead of
// being decoded: so every mistake is found, with its line, and nothing in it (an
// alias, a tag) can make the decoder do more than read.
func (l *loader) file(name string) layer {
	explicit := name != ""
	if !explicit {
		name = DefaultFile
	}
	data, err := read(l.open, name, largestFile)
	if errors.Is(err, fs.ErrNotExist) && !explicit {
		return nil
	}
	if err != nil {
		l.report(Problem{Source: name, Message: reason(err)})
		return nil
	}
	f := &file{loader: l, name: name, layer: make(layer)}
	if root := f.parse(data); root != nil {
		f.section(root, "")
	}
	return f.layer
}

// file is one run of loader.file.
type file struct {
	*loader
	name  string
	layer layer
}

func (f *file) at(n *node) string { return fmt.Sprintf("%s:%d", f.name, n.Line) }

func (f *file) mistake(setting string, n *node, format string, args ...any) {
	f.report(origin{setting: setting, source: f.at(n)}.problem(format, args...))
}

// section reads the settings below name, which is empty or ends in a dot.
func (f *file) section(n *node, name string) {
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		full := name + key.Value
		s, isSetting := named(full)
		line, twice := seen[key.Value]
		switch {
		case key.Kind != scalarNode:
			f.mistake("", key, "a name was expected")
		case twice:
			f.mistake(full, key, "it is already set in line %d", line)
		case strings.Contains(key.Value, "."):
			f.dotted(full, key)
		case isSetting:
			f.setting(s, value)
		case !isSection(full):
			f.unknown(full, key)
		case isNull(value):
		case value.Kind != mappingNode:
			f.mistake(full, value, "settings were expected below it, not a value")
		default:
			f.section(value, full+".")
		}
		seen[key.Value] = key.Line
	}
}

func (f *file) dotted(name string, key *node) {
	if _, ok := named(name); !ok {
		f.unknown(name, key)
		return
	}
	levels := strings.Split(name, ".")
	f.mistake(name, key, "in a file it is written as %s: ...%s", strings.Join(levels, ": {"), strings.Repeat("}", len(levels)-1))
}

func (f *file) unknown(name string, key *node) {
	section := name[:strings.LastIndexByte(name, '.')+1] // with its dot; empty at the top
	var all, siblings []string
	for _, s := range catalogue {
		all = append(all, s.Name)
		for i, c := range s.Name {
			if c == '.' {
				all = append(all, s.Name[:i])
			}
		}
		if rest, below := strings.CutPrefix(s.Name, section); below && section != "" {
			sibling, _, _ := strings.Cut(rest, ".")
			siblings = append(siblings, sibling)
		}
	}
	hint := "see the table of settings"
	if n := nearest(name, all); n != "" {
		hint = "did you mean " + n + "?"
	} else if len(siblings) > 0 {
		hint = strings.TrimSuffix(section, ".") + " has " + strings.Join(slices.Compact(siblings), ", ")
	}
	f.mistake(shorten(name), key, "there is no such setting: %s", hint)
}

func shorten(name string) string { return strings.Trim(quote(name), `"`) }

// setting reads one setting's value into the layer.
func (f *file) setting(s Setting, n *node) {
	from := origin{setting: s.Name, source: f.at(n)}
	switch {
	case isNull(n):
	case n.Kind == mappingNode && s.Type == YAML:
		f.mapping(s, n, from)
	case n.Kind == scalarNode && s.Type != Map && s.Type != YAML:
		f.put(f.layer, s, from, n.Value)
	case n.Kind == sequenceNode && s.Type == List:
		f.list(s, n, from)
	case n.Kind == mappingNode && s.Type == Map:
		f.variables(s, n, from)
	case s.Type == List:
		f.report(from.problem("a list was expected"))
	case s.Type == Map, s.Type == YAML:
		f.report(from.problem("names with values below it were expected"))
	default:
		f.report(from.problem("one value was expected"))
	}
}

func (f *file) list(s Setting, n *node, from origin) {
	var items []string
	for _, item := range n.Content {
		text := strings.TrimSpace(item.Value)
		switch {
		case item.Kind != scalarNode:
			f.mistake(s.Name, item, "a list of plain values was expected")
		case strings.ContainsAny(text, "\n,"):
			f.mistake(s.Name, item, "a value of a list has no commas and line breaks: make it several values")
		case text != "" && !isNull(item):
			items = append(items, text)
		}
	}
	if len(items) > 0 {
		f.layer[s.Variable] = entry{text: strings.Join(items, "\n"), from: from}
	}
}

func (f *file) variables(s Setting, n *node, from origin) {
	values, keys := make(map[string]string), make(map[string]origin)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := origin{setting: s.Name + "." + shorten(key.Value), source: f.at(value)}
		_, twice := keys[key.Value]
		switch {
		case key.Kind != scalarNode || value.Kind != scalarNode:
			f.report(at.problem("a name with one value was expected"))
		case twice:
			f.report(at.problem("it is given twice"))
		case isNull(value):
			f.report(at.problem(`it has no value: write "" for an empty one`))
		default:
			values[key.Value] = value.Value
		}
		keys[key.Value] = at
	}
	if len(values) > 0 {
		f.layer[s.Variable] = entry{text: encodeMap(values), from: from, keys: keys}
	}
}

// mapping takes a part of the file over as a document of its own.
func (f *file) mapping(s Setting, n *node, from origin) {
	if wrong := usable(n); wrong != nil {
		f.report(origin{setting: s.Name, source: wrong.at(f.name, n.Line)}.problem("%s", wrong.message))
		return
	}
	if len(n.Content) > 0 {
		f.layer[s.Variable] = entry{text: encodeYAML(n), from: from}
	}
}
