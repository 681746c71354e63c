package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// patience is how long one question may take, with all its attempts and waits.
	// A restart of GitLab takes less.
	patience = 2 * time.Minute

	// Between two attempts.
	firstPause   = 2 * time.Second
	longestPause = 15 * time.Second

	// oneAttempt is how long one attempt may take: GitLab itself gives up after a
	// minute (docs.gitlab.com/administration/operations/puma, worker timeout).
	oneAttempt = time.Minute

	// lastAttempt is the same for a GitLab that was waited for in vain.
	lastAttempt = 20 * time.Second
)

// patiently asks until there is an answer, until waiting cannot help, or until the
// patience is used up. A GitLab that restarts answers with refused connections, 502
// and web pages, and one in maintenance with 503, for a while.
//
// A rate limit is obeyed. The Retry-After of the maintenance mode is not: it is the
// same 15 minutes whenever it is asked, and says nothing about the end.
func (c *Client) patiently(given context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(given, c.patience)
	defer cancel()
	var known error // what GitLab answered last
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := attempt(ctx, oneAttempt, ask)
		e, ok := errors.AsType[*Error](err)
		switch {
		case ctx.Err() != nil && given.Err() == nil && known != nil:
			return known // says more than that the last attempt was cut short
		case !ok || !e.passing || ctx.Err() != nil:
			return err
		}
		known = err
		wait := pause
		if e.Status == http.StatusTooManyRequests {
			wait = max(wait, e.after)
		}
		if end, _ := ctx.Deadline(); time.Until(end) <= wait {
			return err
		}
		c.log.InfoContext(ctx, "GitLab cannot answer now; waiting for it", "problem", e.Problem, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

func attempt(ctx context.Context, limit time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ask(ctx)
}

// passing reports whether an answer that is none may become one soon.
func passing(e *Error, resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	case http.StatusServiceUnavailable:
		// GitLab says it of a token that was not to be had, too.
		return !noToken(e.Excerpt) && !noInstanceToken(e.Excerpt)
	case http.StatusOK, http.StatusInternalServerError:
		return e.page // deploy page, or the web server's own
	}
	return false
}

// retryAfter reads a Retry-After header in seconds, the one form GitLab sends.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(strings.TrimSpace(h.Get("Retry-After")), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// speaker tells who gave an answer that came from GitLab's address.
//
// A gateway puts X-Process-Time on all its answers, and Workhorse passes headers on.
// X-GitLab-Error-Origin: monolith is on GitLab's own refusals of Code Suggestions.
// Sources: ai-assist, ai_gateway/api/middleware (AccessLogMiddleware);
// gitlab-org/gitlab workhorse/internal/sendurl, ee/lib/api/code_suggestions.rb.
func speaker(h http.Header) (gateway, monolith bool) {
	monolith = strings.EqualFold(h.Get("X-Gitlab-Error-Origin"), "monolith")
	return h.Get("X-Process-Time") != "" && !monolith, monolith
}

// words are what was answered, without what a status usually means: for answers whose
// meaning is told beside them.
func (e *Error) words() string {
	if e.Excerpt == "" {
		return fmt.Sprintf("%d without a word", e.Status)
	}
	return fmt.Sprintf("%d: %s", e.Status, e.Excerpt)
}

// sentence is what e has to say on one line, without the address and the remedy.
func (e *Error) sentence() string {
	s := e.Problem
	if e.Status != 0 {
		s = fmt.Sprintf("%d: %s", e.Status, s)
	}
	if e.Excerpt != "" {
		s += " (answered: " + e.Excerpt + ")"
	}
	return s
}
