package main

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"unicode"

	"aigw-ci/internal/gitlab"
)

// comment leaves the plan on the merge request that the job belongs to, if it belongs
// to one and there is a token. It is a courtesy: when it cannot be done that is a
// warning, and the plan is what it was.
func comment(ctx context.Context, s *session) {
	mergeRequest := s.getenv("CI_MERGE_REQUEST_IID")
	if mergeRequest == "" || s.settings.GitLab.Token == "" || ctx.Err() != nil {
		return
	}
	log := s.log.Logger()
	done, err := s.writeComment(ctx, mergeRequest)
	switch {
	case errors.Is(err, gitlab.ErrElsewhere):
		log.Info("the plan is not left as a comment: gitlab.token is for the GitLab of gitlab.url, and the merge request is on another",
			"gitlab.url", s.settings.GitLab.URL, "CI_SERVER_URL", s.getenv("CI_SERVER_URL"))
	case err != nil:
		log.Warn("the plan could not be left as a comment; it is in the job's artifacts", "error", err)
	default:
		log.Info("the plan is a comment on the merge request", "merge_request", "!"+mergeRequest, "comment", done)
	}
}

func (s *session) writeComment(ctx context.Context, mergeRequest string) (gitlab.Commented, error) {
	summary, err := s.dir.Summary()
	if err != nil {
		return "", err
	}
	a, err := assemble(s)
	if err != nil {
		return "", err
	}
	// A pipeline can plan for several gateways, and their containers can have the
	// same name on different machines: it is the job that is different.
	job, place := oneLine(s.getenv("CI_JOB_NAME")), s.place()
	text := string(summary)
	if job != "" {
		text += "\nPlanned by the job `" + strings.ReplaceAll(job, "`", "'") + "`.\n"
	}
	return a.gitlab.Comment(ctx, gitlab.Comment{
		Server: s.getenv("CI_SERVER_URL"),
		// The pipeline of a fork runs in the fork, and the merge request is not there.
		Project:      cmp.Or(s.getenv("CI_MERGE_REQUEST_PROJECT_ID"), s.getenv("CI_PROJECT_ID")),
		MergeRequest: mergeRequest,
		Subject:      s.name + ": " + strings.TrimSpace(job+" "+place.Kind+"/"+place.Name),
		Text:         s.redact.String(text),
	})
}

// oneLine is what somebody called a job, fit for a line of a comment: a name with line
// breaks could begin a line with one of GitLab's quick actions.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
