package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"unicode/utf8"

	// Retired upstream in April 2025. Its drop-in successor is go.yaml.in/yaml/v3:
	// the import path in this file, and nothing else, has to change.
	"gopkg.in/yaml.v3"
)

const (
	largestFile = 1 << 20 // bytes; a settings file has a few hundred
	deepest     = 16      // levels; the settings have three
)

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

func (f *file) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.name, n.Line) }

func (f *file) mistake(setting string, n *yaml.Node, format string, args ...any) {
	f.report(origin{setting: setting, source: f.at(n)}.problem(format, args...))
}

// parse returns the file's top mapping, or nil when there is none or it must not
// be read.
func (f *file) parse(data []byte) *yaml.Node {
	if !utf8.Valid(data) {
		f.report(Problem{Source: f.name, Message: "it is not UTF-8 text"})
		return nil
	}
	var document, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&document); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		f.syntax(err)
		return nil
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		f.report(Problem{Source: f.name, Message: `it holds more than one document: remove what follows the second "---"`})
		return nil
	}
	root := document.Content[0]
	switch {
	case !f.harmless(root, 1):
		return nil
	case isNull(root):
		return nil
	case root.Kind != yaml.MappingNode:
		f.mistake("", root, `settings were expected, such as "gitlab:" with "url:" below it`)
		return nil
	}
	return root
}

// harmless refuses what a settings file has no use for: aliases, which can make a
// small file describe a huge value, tags, and depth without end.
func (f *file) harmless(n *yaml.Node, depth int) bool {
	switch {
	case depth > deepest:
		f.mistake("", n, "it is nested more than %d levels deep", deepest)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		f.mistake("", n, "anchors and aliases (& and *) are not read here: write the value out, or quote it")
	case n.Style&yaml.TaggedStyle != 0:
		f.mistake("", n, "tags (!) are not read here: remove it, or quote the value")
	default:
		for _, child := range n.Content {
			if !f.harmless(child, depth+1) {
				return false
			}
		}
		return true
	}
	return false
}

// yamlError is how yaml begins its errors; the line is there for some.
var yamlError = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)`)

func (f *file) syntax(err error) {
	p := Problem{Source: f.name, Message: "it is no valid YAML"}
	if m := yamlError.FindStringSubmatch(err.Error()); m != nil {
		if m[1] != "" {
			p.Source += ":" + m[1]
		}
		if !strings.Contains(m[2], "anchor '") { // which repeats a part of a value
			p.Message += ": " + m[2]
		}
	}
	f.report(p)
}

// section reads the settings below name, which is empty or ends in a dot.
func (f *file) section(n *yaml.Node, name string) {
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		full := name + key.Value
		s, isSetting := named(full)
		line, twice := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
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
		case value.Kind != yaml.MappingNode:
			f.mistake(full, value, "settings were expected below it, not a value")
		default:
			f.section(value, full+".")
		}
		seen[key.Value] = key.Line
	}
}

func (f *file) dotted(name string, key *yaml.Node) {
	if _, ok := named(name); !ok {
		f.unknown(name, key)
		return
	}
	section, setting, _ := strings.Cut(name, ".")
	f.mistake(name, key, "in a file it is written as %s: {%s: ...}", section, setting)
}

func (f *file) unknown(name string, key *yaml.Node) {
	section, _, nested := strings.Cut(name, ".")
	var all, siblings []string
	for _, s := range catalogue {
		top, rest, below := strings.Cut(s.Name, ".")
		all = append(all, s.Name, top)
		if nested && below && top == section {
			siblings = append(siblings, rest)
		}
	}
	hint := "see the table of settings"
	if n := nearest(name, all); n != "" {
		hint = "did you mean " + n + "?"
	} else if len(siblings) > 0 {
		hint = section + " has " + strings.Join(siblings, ", ")
	}
	f.mistake(shorten(name), key, "there is no such setting: %s", hint)
}

func shorten(name string) string { return strings.Trim(quote(name), `"`) }

// setting reads one setting's value into the layer.
func (f *file) setting(s Setting, n *yaml.Node) {
	from := origin{setting: s.Name, source: f.at(n)}
	switch {
	case isNull(n):
	case n.Kind == yaml.ScalarNode && s.Type != Map:
		f.put(f.layer, s, from, n.Value)
	case n.Kind == yaml.SequenceNode && s.Type == List:
		f.list(s, n, from)
	case n.Kind == yaml.MappingNode && s.Type == Map:
		f.variables(s, n, from)
	case s.Type == List:
		f.report(from.problem("a list was expected"))
	case s.Type == Map:
		f.report(from.problem("names with values below it were expected"))
	default:
		f.report(from.problem("one value was expected"))
	}
}

func (f *file) list(s Setting, n *yaml.Node, from origin) {
	var items []string
	for _, item := range n.Content {
		text := strings.TrimSpace(item.Value)
		switch {
		case item.Kind != yaml.ScalarNode:
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

func (f *file) variables(s Setting, n *yaml.Node, from origin) {
	values, keys := make(map[string]string), make(map[string]origin)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := origin{setting: s.Name + "." + shorten(key.Value), source: f.at(value)}
		_, twice := keys[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode:
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

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
