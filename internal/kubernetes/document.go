package kubernetes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	goyaml "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// Bounds of a values file, in bytes: as it is written, what its aliases may add, and
// how deep it may be nested.
const (
	maxDocument = 1 << 20
	maxExpanded = 8 << 20
	maxDepth    = 100
)

// parse reads values as Helm does, and more strictly: one document, a map at its top,
// no key twice. Errors name the source and the line and never what is written there.
func (d Document) parse() (values, error) {
	if len(d.Text) > maxDocument {
		return nil, fmt.Errorf("%s is larger than %d KiB", d.Source, maxDocument>>10)
	}
	decoder := goyaml.NewDecoder(bytes.NewReader(d.Text))
	var document, next goyaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return values{}, nil
	case err != nil:
		return nil, fmt.Errorf("%s is not YAML%s", d.Source, line(err))
	}
	if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s has more than one document: Helm would read only the first", d.Source)
	}
	top := document.Content[0]
	if top.Kind == goyaml.ScalarNode && top.Tag == "!!null" {
		return values{}, nil
	}
	if top.Kind != goyaml.MappingNode {
		return nil, fmt.Errorf("%s is not a map of values, such as `ingress: {className: nginx}`", d.Source)
	}
	if err := strict(&document, 0); err != nil {
		return nil, fmt.Errorf("%s %w", d.Source, err)
	}
	if err := expands(d.Text); err != nil {
		return nil, fmt.Errorf("%s %w", d.Source, err)
	}
	v := values{}
	if err := yaml.Unmarshal(d.Text, &v); err != nil {
		return nil, fmt.Errorf("%s is not YAML that Helm understands%s", d.Source, line(err))
	}
	return v, nil
}

// strict refuses a key that is there twice: of two values, one would be lost.
func strict(n *goyaml.Node, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("is nested deeper than %d levels, in line %d", maxDepth, n.Line)
	}
	if n.Kind == goyaml.MappingNode {
		seen := make(map[string]bool)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != goyaml.ScalarNode {
				return fmt.Errorf("has a key that is no text, in line %d", key.Line)
			}
			if seen[key.Value] {
				return fmt.Errorf("has the same key twice, the second time in line %d", key.Line)
			}
			seen[key.Value] = true
		}
	}
	for _, child := range n.Content {
		if err := strict(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// expands refuses YAML whose aliases make much more of it than is written: the
// library counts values, and not how long they are. It is nil for what is no YAML.
func expands(text []byte) error {
	if !bytes.Contains(text, []byte("&")) || !bytes.Contains(text, []byte("*")) {
		return nil
	}
	var document goyaml.Node
	if goyaml.Unmarshal(text, &document) != nil {
		return nil // whoever reads it will say so
	}
	e := expansion{sizes: make(map[*goyaml.Node]int)}
	if e.size(&document, 0) > maxExpanded+len(text) {
		return errors.New("grows beyond all bounds when its aliases are followed")
	}
	return nil
}

// expansion is how much text each node stands for.
type expansion struct {
	sizes map[*goyaml.Node]int
}

func (e expansion) size(n *goyaml.Node, depth int) int {
	const endless = 1 << 40
	if depth > 10*maxDepth {
		return endless
	}
	if n.Kind == goyaml.AliasNode {
		return e.size(n.Alias, depth+1)
	}
	if known, ok := e.sizes[n]; ok {
		return known
	}
	e.sizes[n] = endless // an anchor within itself
	sum := len(n.Value) + 1
	for _, child := range n.Content {
		sum = min(endless, sum+e.size(child, depth+1))
	}
	e.sizes[n] = sum
	return sum
}

var lineNumber = regexp.MustCompile(`\bline (\d+)`)

// line is all that is told of an error of a YAML library: the rest may quote secrets.
func line(err error) string {
	if m := lineNumber.FindStringSubmatch(err.Error()); m != nil {
		return ", see line " + m[1]
	}
	return ""
}
