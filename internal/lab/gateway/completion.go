package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Model is how the model behind a gateway behaves.
type Model string

const (
	// Answers is a model that completes.
	Answers Model = "answers"

	// Silent answers, and has nothing to add.
	Silent Model = "silent"

	// Misdirected is a model server that answers with an error, such as 404 for an
	// endpoint without /v1.
	Misdirected Model = "misdirected"

	// Throttled is a model server whose rate limit is used up.
	Throttled Model = "throttled"

	// Unreachable is a model server that nobody reaches.
	Unreachable Model = "unreachable"
)

// ParseModel reads a model; "" is Answers.
func ParseModel(s string) (Model, error) {
	all := []Model{Answers, Silent, Misdirected, Throttled, Unreachable}
	if s == "" {
		return Answers, nil
	}
	if m := Model(s); slices.Contains(all, m) {
		return m, nil
	}
	return "", fmt.Errorf("no model behaves %q: choose one of %s", s, strings.Trim(fmt.Sprint(all), "[]"))
}

// isQuestion reports whether a body asks for a completion.
func isQuestion(body []byte) bool {
	var asked struct {
		File *struct {
			Name  string  `json:"file_name"`
			Above *string `json:"content_above_cursor"`
		} `json:"current_file"`
	}
	return json.Unmarshal(body, &asked) == nil && asked.File != nil && asked.File.Name != "" && asked.File.Above != nil
}

// complete is the answer to a question. Sources: docs.gitlab.com/api/code_suggestions;
// gitlab-org/gitlab ee/lib/gitlab/llm/ai_gateway/code_suggestions_client.rb for 421.
func (g *gateway) complete() reply {
	choices := `[{"text":"\n  puts 'hello world'\nend","index":0,"finish_reason":"length"}]`
	switch g.settings.Model {
	case Silent:
		choices = `[]`
	case Misdirected:
		g.log.Error("model server returned 404", "logger", "litellm")
		return jsonReply(http.StatusMisdirectedRequest, `{"detail":"404"}`)
	case Throttled:
		return jsonReply(http.StatusTooManyRequests, `{"detail":"Too many requests. Please try again later."}`)
	case Unreachable:
		g.log.Error("litellm.InternalServerError: Connection error.", "logger", "litellm")
		return reply{http.StatusInternalServerError, "text/plain; charset=utf-8", "Internal Server Error"}
	}
	return jsonReply(http.StatusOK, `{"id":"id","model":{"engine":"litellm","name":"codestral","lang":"ruby"},"object":"text_completion","created":`+
		strconv.FormatInt(time.Now().Unix(), 10)+`,"choices":`+choices+`}`)
}
