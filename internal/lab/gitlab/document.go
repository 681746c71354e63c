package gitlab

import (
	"encoding/json"
	"fmt"
	"strings"
)

// operation is a GraphQL document of the small part of the language that is read
// here: one operation, fields, arguments of one level, no variables or fragments.
type operation struct {
	kind   string // "query" or "mutation"
	fields []selection
	input  map[string]string // the texts in the input of a mutation
}

type selection struct {
	name   string
	column int
	of     []selection
}

// only keeps of a value what was selected.
func (f selection) only(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for _, part := range f.of {
			kept[part.name] = part.only(v[part.name])
		}
		return kept
	case []any:
		list := []any{}
		for _, each := range v {
			list = append(list, f.only(each))
		}
		return list
	}
	return value
}

// parser reads a document; what cannot be read panics with a syntaxError.
type parser struct {
	text  string
	at    int
	depth int
	input map[string]string
}

type syntaxError struct{ error }

const deepest = 15

func parse(text string) (o operation, err error) {
	defer func() {
		if wrong, ok := recover().(syntaxError); ok {
			err = wrong.error
		}
	}()
	p := &parser{text: text, input: map[string]string{}}
	o.kind = "query"
	if p.peek() != '{' {
		if o.kind = p.name(); o.kind != "query" && o.kind != "mutation" {
			p.fail("Expected query or mutation")
		}
		if p.peek() != '{' {
			p.name() // of the operation
		}
	}
	o.fields, o.input = p.selections(), p.input
	if p.peek() != 0 {
		p.fail("Expected end of document")
	}
	return o, nil
}

func (p *parser) fail(text string) {
	panic(syntaxError{fmt.Errorf("%s at [1, %d]", text, p.at+1)})
}

// peek is the next character that counts; 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n,", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *parser) eat(c byte) {
	if p.peek() != c {
		p.fail("Expected " + string(c))
	}
	p.at++
}

func (p *parser) name() string {
	p.peek()
	start := p.at
	for p.at < len(p.text) && (isLetter(p.text[p.at]) || p.at > start && p.text[p.at] >= '0' && p.text[p.at] <= '9') {
		p.at++
	}
	if p.at == start {
		p.fail("Expected a name")
	}
	return p.text[start:p.at]
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func (p *parser) selections() (all []selection) {
	if p.depth++; p.depth > deepest {
		p.fail("Query has depth over the limit")
	}
	defer func() { p.depth-- }()
	p.eat('{')
	for p.peek() != '}' {
		f := selection{column: p.at + 1}
		f.name = p.name()
		if p.peek() == '(' {
			p.arguments('(', ')')
		}
		if p.peek() == '{' {
			f.of = p.selections()
		}
		all = append(all, f)
	}
	p.eat('}')
	return all
}

// arguments reads names and values between two characters.
func (p *parser) arguments(open, end byte) {
	if p.depth++; p.depth > deepest {
		p.fail("Query has depth over the limit")
	}
	defer func() { p.depth-- }()
	p.eat(open)
	for p.peek() != end {
		name := p.name()
		p.eat(':')
		switch c := p.peek(); {
		case c == '{':
			p.arguments('{', '}')
		case c == '"':
			p.input[name] = p.quoted()
		case c >= '0' && c <= '9':
			for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
				p.at++
			}
		default:
			p.name()
		}
	}
	p.eat(end)
}

// quoted is a text in quotes; GraphQL's escapes are those of JSON.
func (p *parser) quoted() (text string) {
	start := p.at
	for p.at++; p.at < len(p.text) && p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			p.at++
		}
	}
	if p.at >= len(p.text) || json.Unmarshal([]byte(p.text[start:p.at+1]), &text) != nil {
		p.at = min(p.at, len(p.text))
		p.fail("Expected a string")
	}
	p.at++
	return text
}
