package gitlab

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"aigw-ci/internal/version"
)

// field is a part of a GraphQL document: what is asked for, and since when it is
// there to be asked for (docs.gitlab.com/api/graphql/reference, "Introduced in").
type field struct {
	name  string // unique within a document
	args  string // "(first: 1)"
	since version.Line
	of    []field
}

// graphQL asks for fields and decodes what it gets into data. One field that the
// instance does not know would fail the whole document, so those that are younger
// than line are left out, and those that the instance says it does not know, too;
// they are returned. A zero line leaves out nothing.
//
// problems are GitLab's remarks on fields that it did know and did not fill. err is
// an [*Error].
func (l *ladder) graphQL(ctx context.Context, line version.Line, fields []field, data any) (unknown []string, problems []graphError, err error) {
	fields, unknown = without(fields, func(f field) bool { return before(line, f.since) })
	// Each round loses a field at least.
	for len(fields) > 0 {
		var got answered
		err := l.ask(ctx, func(ctx context.Context) (err error) {
			got, err = l.execute(ctx, "query { "+render(fields)+" }")
			return err
		})
		if err != nil {
			return unknown, nil, err
		}
		var missing []string
		for _, e := range got.Errors {
			if name := e.undefined(); name != "" {
				missing = append(missing, name)
			}
		}
		left, lost := without(fields, func(f field) bool { return slices.Contains(missing, f.name) })
		if len(lost) == 0 {
			return unknown, got.Errors, l.decode(got.Data, data)
		}
		fields, unknown = left, append(unknown, lost...)
	}
	return unknown, nil, nil
}

// answered is an answer to a GraphQL document (spec.graphql.org, section 7).
type answered struct {
	Data   json.RawMessage `json:"data"`
	Errors []graphError    `json:"errors"`
}

// execute sends a document, once.
func (c *Client) execute(ctx context.Context, document string) (answered, error) {
	var got answered
	body, err := c.post(ctx, "/api/graphql", map[string]string{"query": document})
	if err != nil {
		return got, err
	}
	if json.Unmarshal(body, &got) != nil || got.Data == nil && got.Errors == nil {
		return got, c.notGraphQL()
	}
	return got, nil
}

func (c *Client) decode(raw json.RawMessage, data any) error {
	if raw == nil || json.Unmarshal(raw, data) == nil {
		return nil
	}
	return c.notGraphQL()
}

func (c *Client) notGraphQL() *Error {
	return &Error{
		Method: http.MethodPost, URL: place(c.url + "/api/graphql"), Status: http.StatusOK,
		Problem: "the answer is JSON, but not GitLab's", Remedy: notGitLabRemedy,
	}
}

// graphError is one remark of GitLab on a document.
type graphError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code  string `json:"code"`
		Field string `json:"fieldName"`
	} `json:"extensions"`
}

// undefinedField is GitLab's message for a field that is not in its schema
// (gitlab-org/gitlab spec/requests/api/graphql/gitlab_schema_spec.rb); the same is in
// the extensions, which graphql-ruby adds for every rule of validation.
var undefinedField = regexp.MustCompile(`^Field '([_A-Za-z][_0-9A-Za-z]{0,99})' doesn't exist on type '`)

// undefined is the field that the instance does not know; empty when the remark is
// about something else.
func (e graphError) undefined() string {
	if e.Extensions.Code == "undefinedField" && e.Extensions.Field != "" {
		return e.Extensions.Field
	}
	if m := undefinedField.FindStringSubmatch(e.Message); m != nil {
		return m[1]
	}
	return ""
}

// about reports whether the remark is about a field of the first level.
func (e graphError) about(name string) bool {
	return len(e.Path) > 0 && e.Path[0] == name
}

// remarks are what GitLab says, fit to print.
func (l *ladder) remarks(errs []graphError) string {
	var all []string
	for _, e := range errs {
		all = append(all, l.clean(e.Message))
	}
	return cut(strings.Join(slices.Compact(all), "; "))
}

// clean is a text of GitLab's as a check may show it.
func (c *Client) clean(text string) string { return cut(printable(c.redact.String(text))) }

// without splits fields in those that stay and the names of those that go. A field
// that loses all its parts goes with them.
func without(fields []field, goes func(field) bool) (stay []field, gone []string) {
	for _, f := range fields {
		if goes(f) {
			gone = append(gone, f.name)
			continue
		}
		if len(f.of) > 0 {
			var lost []string
			f.of, lost = without(f.of, goes)
			gone = append(gone, lost...)
			if len(f.of) == 0 {
				gone = append(gone, f.name)
				continue
			}
		}
		stay = append(stay, f)
	}
	return stay, gone
}

func render(fields []field) string {
	var parts []string
	for _, f := range fields {
		text := f.name + f.args
		if len(f.of) > 0 {
			text += " { " + render(f.of) + " }"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}
