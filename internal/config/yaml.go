package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	// Retired upstream in April 2025. Its drop-in successor is go.yaml.in/yaml/v3:
	// the import path in this file, and nothing else, has to change.
	"gopkg.in/yaml.v3"
)

// node is a part of a YAML document.
type node = yaml.Node

const (
	scalarNode   = yaml.ScalarNode
	sequenceNode = yaml.SequenceNode
	mappingNode  = yaml.MappingNode
)

// deepest is how many levels a settings file may have. The settings have three, and
// an affinity in kubernetes.values has ten more.
const deepest = 16

func isNull(n *node) bool { return n.Kind == scalarNode && n.Tag == "!!null" }

// malformed is what is wrong with a YAML document. The message never has a part of
// a value in it.
type malformed struct {
	line    int // 0 when it is about the whole
	message string
}

func (m *malformed) Error() string {
	if m.line == 0 {
		return m.message
	}
	return fmt.Sprintf("line %d: %s", m.line, m.message)
}

// at is where it is, in a file.
func (m *malformed) at(file string, otherwise int) string {
	line := m.line
	if line == 0 {
		line = otherwise
	}
	if line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(line)
}

// parseYAML returns the top of a text's only document, or nil when there is nothing
// in it.
func parseYAML(data []byte) (*node, *malformed) {
	if !utf8.Valid(data) {
		return nil, &malformed{0, "it is not UTF-8 text"}
	}
	var document, second node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntax(err)
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &malformed{0, `it holds more than one document: remove what follows the second "---"`}
	}
	if root := document.Content[0]; !isNull(root) {
		return root, nil
	}
	return nil, nil
}

// yamlError is how yaml begins its errors; the line is there for some.
var yamlError = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)`)

func syntax(err error) *malformed {
	wrong := &malformed{0, "it is no valid YAML"}
	if m := yamlError.FindStringSubmatch(err.Error()); m != nil {
		wrong.line, _ = strconv.Atoi(m[1])
		if !bytes.Contains([]byte(m[2]), []byte("anchor '")) { // which repeats a part of a value
			wrong.message += ": " + m[2]
		}
	}
	return wrong
}

// parse returns the file's top mapping, or nil when there is none or it must not
// be read.
func (f *file) parse(data []byte) *node {
	root, wrong := parseYAML(data)
	switch {
	case wrong != nil:
		f.report(Problem{Source: wrong.at(f.name, 0), Message: wrong.message})
		return nil
	case root == nil || !f.harmless(root, 1):
		return nil
	case root.Kind != mappingNode:
		f.mistake("", root, `settings were expected, such as "gitlab:" with "url:" below it`)
		return nil
	}
	return root
}

// harmless refuses what a settings file has no use for: aliases, which can make a
// small file describe a huge value, tags, and depth without end.
func (f *file) harmless(n *node, depth int) bool {
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

// mapping checks that a text is one YAML document with a mapping in it, or nothing,
// as a file of Helm's values is. It may have anchors and aliases; that they do not
// make a huge value of a small one, who expands them must see to.
func mapping(text []byte) *malformed {
	root, wrong := parseYAML(text)
	switch {
	case wrong != nil || root == nil:
		return wrong
	case root.Kind != mappingNode:
		return &malformed{root.Line, "names with values below them were expected, such as replicaCount: 2"}
	}
	return usable(root)
}

// usable reports what a mapping has in it that no program could use: a name that is
// none, or one that is there twice. It follows no aliases, and yaml's own decoder is
// not asked, because there are documents that make it panic.
func usable(n *node) *malformed {
	seen := make(map[string]int)
	for i, child := range n.Content {
		if n.Kind == mappingNode && i%2 == 0 {
			line, twice := seen[child.Value]
			switch {
			case child.Kind != scalarNode:
				return &malformed{child.Line, "before the : a name was expected"}
			case twice:
				return &malformed{child.Line, fmt.Sprintf("this name is already there, in line %d", line)}
			}
			seen[child.Value] = child.Line
		}
		if wrong := usable(child); wrong != nil {
			return wrong
		}
	}
	return nil
}

// encodeYAML writes a part of a document as a document of its own.
func encodeYAML(n *node) string {
	text, _ := yaml.Marshal(n) // what was read can be written
	return string(text)
}
