package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// completed is the answer of POST /code_suggestions/completions, as far as it shows
// that a model has answered (docs.gitlab.com/api/code_suggestions).
type completed struct {
	Model struct {
		Name string `json:"name"`
	} `json:"model"`
	Choices *[]struct {
		Text string `json:"text"`
	} `json:"choices"`
}

// completion is the check gitlab.completion: the whole road, from a user to the
// model and back. What GitLab's own end-to-end test sends is sent here, too.
func (l *ladder) completion(ctx context.Context, _ upgrade.Subject) finding {
	var got json.RawMessage
	err := l.ask(ctx, func(ctx context.Context) (err error) {
		got, err = l.post(ctx, "/api/v4/code_suggestions/completions", map[string]any{
			"current_file": map[string]string{"file_name": "test.rb", "content_above_cursor": "def hello_world"},
			"intent":       "completion",
		})
		return err
	})
	if err != nil {
		return l.noCompletion(err)
	}
	var c completed
	switch {
	case json.Unmarshal(got, &c) != nil, c.Choices == nil:
		return unseen("GitLab's answer is JSON, but not a completion", "look whether a proxy answers in GitLab's place")
	case len(*c.Choices) == 0, strings.TrimSpace((*c.Choices)[0].Text) == "":
		return warn("GitLab, the gateway and the model answer, but the model completes nothing",
			"look at the model for code completion in Admin area > GitLab Duo, and try it in an editor")
	}
	if name := l.clean(c.Model.Name); name != "" {
		return pass("a completion came back from the model " + name)
	}
	return pass("a completion came back")
}

// modelFailed is the status with which a gateway passes on the failure of a model
// server (gitlab-org/gitlab ee/lib/gitlab/llm/ai_gateway/code_suggestions_client.rb).
const modelFailed = http.StatusMisdirectedRequest

// noCompletion explains an answer that is none. GitLab hands on the gateway's own
// answers; when it reached no gateway, Workhorse says 500 in plain text (gitlab-org/gitlab
// workhorse/internal/sendurl), and an exception in GitLab is JSON.
func (l *ladder) noCompletion(err error) finding {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return trouble(err, "ai_features")
	}
	itself := e.gateway || untrusted(e.Excerpt) // the gateway's own words
	switch {
	case otherInstance(e.Excerpt):
		return fail("the gateway takes GitLab for another instance: "+e.words(), "").as(gateway.InstanceIDMismatch)
	case itself && untrusted(e.Excerpt):
		return fail("the gateway does not accept GitLab's key: "+e.words(), keyRemedy)
	case e.Status == modelFailed:
		return settings("the model server failed: "+e.words(), "check the endpoint, the key and the name of the model in Admin area > GitLab Duo; an OpenAI-compatible endpoint ends in /v1")
	case itself && e.Status == http.StatusTooManyRequests:
		return unseen("the model's rate limit is used up: "+e.words(), "run this later")
	case itself && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized):
		return fail("the gateway lets GitLab not use code completion: "+e.words(), "look at GitLab's licence and add-on, and at the gateway's log")
	case itself && e.Status < 500:
		return fail("the gateway does not understand what GitLab asks: "+e.words(),
			"run the gateway of GitLab's own minor release; and the address in GitLab's settings is one without /v1")
	case itself:
		return fail("the gateway failed: "+e.words(), "read the gateway's log: most often the model cannot be reached, or its settings are wrong")
	case e.Status == http.StatusInternalServerError && !e.json && !e.page:
		return fail("GitLab got no answer from the gateway: "+e.words(),
			l.tryFromGitLab()+": DNS, firewall, proxy, certificate; Workhorse's log names the cause")
	}
	return suggestions(e)
}

func asRefusal(err error) (*Error, bool) {
	e, ok := errors.AsType[*Error](err)
	return e, ok && e.refused
}
