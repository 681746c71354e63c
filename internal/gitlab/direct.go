package gitlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// keysSince is the first line whose installation instructions name the two keys that
// a gateway signs users' tokens with. Older gateways run well without, but for this.
// Source: docs.gitlab.com/install/install_ai_gateway.
var keysSince = version.Line{Major: 18, Minor: 9}

// access is the answer of POST /code_suggestions/direct_access, without the token in
// it: a token is never kept, only whether there is one
// (docs.gitlab.com/api/code_suggestions, "Retrieve ... connection details").
type access struct {
	BaseURL string   `json:"base_url"`
	Token   presence `json:"token"`
}

// presence is whether a text was there, and not the text.
type presence bool

func (p *presence) UnmarshalJSON(text []byte) error {
	*p = len(text) > len(`""`) && text[0] == '"'
	return nil
}

// directAccess is the check gitlab.direct_access: GitLab asks its gateway for a
// token of a user. Success proves the address in GitLab's settings, the road there,
// that the gateway accepts what GitLab signs, which takes GitLab's keys, and that it
// can sign itself. No model is needed.
func (l *ladder) directAccess(ctx context.Context, s upgrade.Subject) finding {
	var got json.RawMessage
	err := l.ask(inConfidence(ctx), func(ctx context.Context) (err error) {
		got, err = l.post(ctx, "/api/v4/code_suggestions/direct_access", struct{}{})
		return err
	})
	if err != nil {
		return l.noAccess(ctx, s, err)
	}
	var a access
	if json.Unmarshal(got, &a) != nil || a.BaseURL == "" {
		return unseen("GitLab's answer names no gateway", notGitLabRemedy)
	}
	if !a.Token {
		return unseen("GitLab's answer holds no token", "look into GitLab's application_json.log for code_suggestion")
	}
	return l.compare(a.BaseURL)
}

// compare holds the gateway that GitLab used against the one this is about.
func (l *ladder) compare(used string) finding {
	proven := fmt.Sprintf("GitLab reached %s, which accepted its key and gave a token for a user", place(used))
	switch {
	case l.o.GatewayURL == "":
		return pass(proven + "; gateway.url is not set, so whether that is this gateway is not known")
	case sameAddress(used, l.o.GatewayURL):
		return pass(proven)
	case vendor(used):
		return warn(fmt.Sprintf("code completion goes to GitLab's own cloud (%s), so this says nothing about the gateway at %s", place(used), place(l.o.GatewayURL)),
			"if that is not intended, choose a self-hosted model for code completion in Admin area > GitLab Duo")
	}
	return settings(fmt.Sprintf("GitLab uses the gateway at %s, and not the one at %s", place(used), place(l.o.GatewayURL)),
		gateway.GitLabURLDiffers.Cure()+"; gateway.url is "+l.o.GatewayURL).as(gateway.GitLabURLDiffers)
}

// vendor reports whether an address is GitLab's cloud
// (gitlab-org/gitlab gems/cloud_connector config: https://cloud.gitlab.com).
func vendor(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.EqualFold(u.Hostname(), "cloud.gitlab.com")
}

// noToken reports whether GitLab says that its gateway gave it no token for a user.
// GitLab answers 503 then, and newer releases the gateway's own status.
// Source: gitlab-org/gitlab ee/lib/gitlab/llm/ai_gateway/code_suggestions_client.rb.
func noToken(said string) bool {
	return strings.Contains(said, "Token creation failed") || strings.Contains(said, "Token is missing in response")
}

// noInstanceToken reports whether GitLab has no token of its own to show a gateway.
func noInstanceToken(said string) bool { return strings.Contains(said, "Missing instance token") }

// noAccess explains an answer without a token.
func (l *ladder) noAccess(ctx context.Context, s upgrade.Subject, err error) finding {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return trouble(err, "ai_features")
	}
	switch {
	case noToken(e.Excerpt) && otherInstance(e.Excerpt):
		return fail(e.words()+": the gateway takes GitLab for another instance", "").as(gateway.InstanceIDMismatch)
	case noToken(e.Excerpt) && untrusted(e.Excerpt):
		return fail(e.words()+": the gateway does not accept GitLab's key", keyRemedy)
	case noToken(e.Excerpt):
		detail := "the gateway gave GitLab no token for a user: " + e.words()
		if before(l.line(ctx, s), keysSince) {
			return warn(detail, keysRemedy+"; completions through GitLab work without")
		}
		return fail(detail, keysRemedy+"; or the gateway rejects GitLab's key, then: "+keyRemedy)
	case e.Status == http.StatusForbidden && strings.Contains(e.Excerpt, "Direct connections are disabled"):
		return skipped("direct connections are disabled in GitLab, or its model for code completion does not have them")
	case e.Status == http.StatusServiceUnavailable && noInstanceToken(e.Excerpt):
		return settings("GitLab has no token of its own for GitLab Duo: "+e.words(), "synchronize the subscription in Admin area > Subscription")
	case e.Status == http.StatusInternalServerError && e.json:
		return unseen(e.sentence(), "GitLab answers like that when it cannot reach the gateway: "+l.tryFromGitLab()+", and look into its exceptions_json.log")
	}
	return suggestions(e)
}

// suggestions are the refusals that all of /code_suggestions has in common.
// Source: gitlab-org/gitlab ee/lib/api/code_suggestions.rb.
func suggestions(e *Error) finding {
	switch {
	case e.Status == http.StatusUnauthorized && e.monolith:
		return denied(e.words()+": the token's user has no GitLab Duo", "give that user a GitLab Duo seat, or use the token of a user who has one")
	case e.Status == http.StatusNotFound && e.monolith:
		return denied(e.words()+": Code Suggestions are switched off on this GitLab", "enable the feature flag ai_duo_code_suggestions_switch")
	case e.Status == http.StatusNotFound && e.refused:
		return denied(e.words()+": this GitLab has no Code Suggestions", "use a GitLab Enterprise Edition with GitLab Duo; with one, check gitlab.url")
	case e.Status == http.StatusUnprocessableEntity && strings.Contains(e.Excerpt, "missing_default_duo_group"):
		return denied(e.words(), "have the token's user choose a default GitLab Duo namespace in Preferences > Behavior")
	}
	return trouble(e, "ai_features")
}

// tryFromGitLab is how to see whether GitLab reaches the gateway.
func (l *ladder) tryFromGitLab() string {
	if l.o.GatewayURL == "" {
		return "on GitLab's machine, try the path /monitoring/healthz of the gateway's address"
	}
	return "on GitLab's machine, try curl " + place(l.o.GatewayURL) + "/monitoring/healthz"
}

const (
	keysRemedy = "give the gateway AIGW_SELF_SIGNED_JWT__SIGNING_KEY and AIGW_SELF_SIGNED_JWT__VALIDATION_KEY (RSA 2048 private keys in PEM)"
	keyRemedy  = "check that AIGW_GITLAB_URL is GitLab's external_url, that the gateway trusts its certificate (gateway.ca_bundle) and loaded its keys (see its log), and that both clocks are right"
)

// otherInstance reports whether a gateway says that a token belongs to one GitLab and
// the request's header names another. Source: ai-assist, cloud connector's
// authentication middleware.
func otherInstance(said string) bool {
	return strings.Contains(said, "Header mismatch") && strings.Contains(strings.ToLower(said), "x-gitlab-instance-id")
}

// untrusted reports whether a gateway's words are that it does not accept who asks.
// Source: ai-assist, cloud connector's authentication middleware.
func untrusted(said string) bool {
	for _, words := range []string{
		"Forbidden by auth provider", "No authorization header presented", "Invalid authorization header",
		"Invalid authentication token type", "Header mismatch",
	} {
		if strings.Contains(said, words) {
			return true
		}
	}
	return false
}
