package gitlab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"aigw-ci/internal/secret"
)

// maxBody is far above any answer of the API that is asked for here, a page of
// other programs' long comments included.
const maxBody = 8 << 20

// whole reads an answer to its end before it hands it on, so that one that breaks
// off is an error where it can still be tried again.
type whole struct{ base http.RoundTripper }

func (w *whole) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("the answer broke off after %d bytes: %w", len(body), err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// answers lets through what GitLab's API says, and turns everything else that may
// come from its address into an [*Error].
type answers struct {
	base   http.RoundTripper
	redact *secret.Redactor
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := a.base.RoundTrip(req)
	if err != nil {
		problem, remedy, passing := unreachable(err)
		return nil, &Error{
			Method: req.Method, URL: place(req.URL.String()),
			Problem: problem, Remedy: remedy, Err: err, passing: passing,
		}
	}
	body, _ := io.ReadAll(resp.Body) // in memory, thanks to whole
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if e := a.judge(req, resp, body); e != nil {
		e.Method, e.URL, e.Status = req.Method, place(req.URL.String()), resp.StatusCode
		e.gateway, e.monolith = speaker(resp.Header)
		e.after = retryAfter(resp.Header)
		e.passing = !e.gateway && passing(e, resp)
		return nil, e
	}
	return resp, nil
}

// judge returns nil for an answer to believe or a redirect to follow.
func (a *answers) judge(req *http.Request, resp *http.Response, body []byte) *Error {
	media := mediaType(resp.Header)
	isJSON := media == "application/json" && json.Valid(body)
	success := resp.StatusCode < 300
	switch {
	case len(body) > maxBody:
		return &Error{Problem: "the answer is larger than 8 MiB", Remedy: frontRemedy}

	case redirect(resp.StatusCode):
		to, err := resp.Location()
		if err != nil {
			return &Error{Problem: "sent on to an address that cannot be read", Remedy: frontRemedy}
		}
		if !mayFollow(req.URL, to) {
			return &Error{
				Problem: "sent on to " + place(to.String()) + ", where the token does not go",
				Remedy:  "set gitlab.url to the address at which GitLab itself answers, and let /api/ past any sign-in in front of it",
			}
		}
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			// net/http would go on with a GET (RFC 9110, section 15.4.2), and report
			// as done what was not.
			return &Error{
				Problem: "sent on to " + place(to.String()) + ", where nothing is written",
				Remedy:  "set gitlab.url to the address at which GitLab itself answers",
			}
		}
		return nil

	case media == "text/html" || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")):
		problem, remedy := webPage(resp.StatusCode)
		return &Error{Problem: problem, Remedy: remedy, Excerpt: a.quote(req, body), page: true}

	case success && !isJSON:
		return &Error{
			Problem: "the answer is " + describe(media, body) + ", not JSON", Remedy: frontRemedy,
			Excerpt: a.quote(req, body),
		}

	case !success:
		problem, remedy := refusal(resp, a.excerpt(reason(body, false)))
		return &Error{
			Problem: problem, Remedy: remedy, Excerpt: a.excerpt(reason(body, confidential(req.Context()))), json: isJSON,
			refused: isJSON && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests,
		}
	}
	return nil
}

func redirect(status int) bool {
	return status >= 300 && status < 400 && status != http.StatusNotModified
}

func mediaType(h http.Header) string {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

func describe(media string, body []byte) string {
	switch {
	case len(body) == 0:
		return "empty"
	case media == "application/json":
		return "broken"
	case media == "":
		return "of no stated type"
	}
	return printable(media)
}

// reason is what an error's body says. GitLab writes {"message": text or object},
// {"error": text, "error_description": text}, {"errors": [{"message": text}]} for
// GraphQL, or plain text; a gateway whose answer GitLab passes on {"error": text} or
// {"detail": text or [{"msg": text}]}.
// Sources: gitlab-org/gitlab lib/api/helpers.rb, lib/api/api_guard.rb,
// app/controllers/graphql_controller.rb; fastapi.tiangolo.com/tutorial/handling-errors.
//
// With strict, what is in none of these places is left out; otherwise it is quoted
// as it is.
func reason(body []byte, strict bool) string {
	var said struct {
		Message     json.RawMessage `json:"message"`
		Error       string          `json:"error"`
		Description string          `json:"error_description"`
		Detail      json.RawMessage `json:"detail"`
		Errors      json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		if strict {
			return ""
		}
		return string(body)
	}
	var text string
	if json.Unmarshal(said.Message, &text) != nil {
		var object struct {
			Error string `json:"error"`
		}
		if !strict {
			text = string(said.Message)
		}
		if json.Unmarshal(said.Message, &object) == nil && object.Error != "" {
			text = object.Error
		}
	}
	parts := []string{text, said.Error, said.Description, detail(said.Detail)}
	var errs []graphError
	_ = json.Unmarshal(said.Errors, &errs) // REST has other things under this name
	for _, e := range errs {
		parts = append(parts, e.Message)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ")
}

// detail is the text of a gateway's "detail".
func detail(raw json.RawMessage) string {
	var text string
	var list []struct {
		Message string `json:"msg"`
	}
	switch {
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &list) == nil && len(list) > 0:
		return list[0].Message
	}
	return ""
}

// quote is the beginning of an answer that is not what was asked for, and nothing of
// one that may hold somebody else's secret.
func (a *answers) quote(req *http.Request, body []byte) string {
	if confidential(req.Context()) {
		return ""
	}
	return a.excerpt(string(body))
}

type secretAnswer struct{}

// inConfidence marks requests whose answers hold a secret: nothing of them is quoted.
func inConfidence(ctx context.Context) context.Context {
	return context.WithValue(ctx, secretAnswer{}, true)
}

func confidential(ctx context.Context) bool {
	marked, _ := ctx.Value(secretAnswer{}).(bool)
	return marked
}

// excerpt is the beginning of a text from outside, without the token.
func (a *answers) excerpt(text string) string { return cut(printable(a.redact.String(text))) }

// cut bounds what is quoted in an error.
func cut(text string) string { return secret.Cut(text, maxQuoted) }

// maxQuoted is how much of a text from outside is quoted, in bytes.
const maxQuoted = 200

// printable puts text on one line and drops what a terminal would act on.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.Join(strings.Fields(text), " ")
}
