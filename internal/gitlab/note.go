package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aigw-ci/internal/transport"
)

const (
	// GitLab takes a million characters (docs.gitlab.com/api/notes); nobody reads them.
	maxComment = 100_000 // bytes

	// A merge request has 5000 comments at most, GitLab's own remarks not counted
	// (docs.gitlab.com/administration/instance_limits).
	notesPerPage = 50
	maxNotePages = 120

	// afterLost is how long to wait, after the answer to a new comment was lost, before
	// looking whether the comment is there.
	afterLost = 2 * time.Second
)

// ErrElsewhere is returned by [Client.Comment] when the job's merge request is on
// another instance than the one this client, and its token, belong to. Nothing was
// sent.
var ErrElsewhere = errors.New("the merge request is on another GitLab than gitlab.url names")

// Comment is what to write on a merge request, and on which.
type Comment struct {
	Server       string // CI_SERVER_URL: the instance that runs the job
	Project      string // CI_MERGE_REQUEST_PROJECT_ID
	MergeRequest string // CI_MERGE_REQUEST_IID

	// Subject tells the comments of this program on one merge request apart. It is
	// part of the comment, and not shown.
	Subject string

	Text string // Markdown, without secrets
}

// Commented is what became of a comment.
type Commented string

const (
	Added     Commented = "added"
	Changed   Commented = "changed"   // the one from before says something else now
	Unchanged Commented = "unchanged" // the one from before says it already
)

// Comment leaves one comment on a merge request, and changes that same comment the
// next time. It needs a token with scope api; a job token may only read comments
// (docs.gitlab.com/ci/jobs/ci_job_token).
//
// Its own comment is one of the token's user that begins with the mark of the
// subject. A comment whose answer was lost is looked for before it is sent again.
// Two runs at the same moment, on a merge request without a comment, may leave two;
// the older one is the one that is changed from then on.
//
// An error of GitLab's is an [*Error], whose remedy speaks of comments.
func (c *Client) Comment(ctx context.Context, o Comment) (Commented, error) {
	switch {
	case c.api == nil:
		return "", errors.New("gitlab.token is not set: without one, no comment can be written")
	case !sameInstance(o.Server, c.url):
		return "", ErrElsewhere
	case !number(o.Project) || !number(o.MergeRequest):
		return "", errors.New("the numbers of the merge request and its project are not those that GitLab gives a job: " +
			"do not set CI_MERGE_REQUEST_IID or CI_MERGE_REQUEST_PROJECT_ID yourself")
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	done, err := c.comment(ctx, "projects/"+o.Project+"/merge_requests/"+o.MergeRequest+"/notes", mark(o.Subject), o.Text)
	if err != nil {
		return "", fmt.Errorf("commenting on merge request !%s of project %s: %w", o.MergeRequest, o.Project, forComments(err))
	}
	return done, nil
}

// comment adds or changes the comment that begins with mark, in the list at path.
func (c *Client) comment(ctx context.Context, path, mark, text string) (Commented, error) {
	sent := note{Body: mark + "\n\n" + bounded(text)}
	for attempt := 1; ; attempt++ {
		found, err := c.api.ownNote(ctx, path, mark)
		switch {
		case err != nil:
			return "", err
		case found.ID != 0 && same(found.Body, sent.Body) && attempt > 1:
			return Added, nil // only the answer was lost
		case found.ID != 0 && same(found.Body, sent.Body):
			return Unchanged, nil
		case found.ID != 0:
			return Changed, c.api.write(transport.Idempotent(ctx), http.MethodPut, path+"/"+strconv.Itoa(found.ID), sent)
		}
		err = c.api.write(ctx, http.MethodPost, path, sent)
		if err == nil {
			return Added, nil
		}
		if attempt == 2 || !lostAnswer(err) || ctx.Err() != nil {
			return "", err
		}
		c.log.InfoContext(ctx, "the answer to a new comment was lost; looking whether it is there", "error", err)
		select {
		case <-time.After(afterLost):
		case <-ctx.Done():
			return "", err
		}
	}
}

// note is the part of a comment that is of use (docs.gitlab.com/api/notes).
type note struct {
	ID     int    `json:"id,omitempty"`
	Body   string `json:"body"`
	System bool   `json:"system,omitempty"` // GitLab's own remark
	Author *user  `json:"author,omitempty"`
}

type user struct {
	ID int `json:"id"`
}

// ownNote finds the oldest comment of the token's user that begins with mark. Without
// one it is the zero note.
func (a *api) ownNote(ctx context.Context, path, mark string) (note, error) {
	var me user
	if err := a.get(ctx, "user", &me); err != nil {
		return note{}, err
	}
	if me.ID == 0 { // and no comment would ever be found again
		return note{}, &Error{
			Method: http.MethodGet, URL: a.client.BaseURL().String() + "user", Status: http.StatusOK,
			Problem: "the answer is JSON, but not GitLab's", Remedy: notGitLabRemedy,
		}
	}
	for page := 1; page > 0; {
		if page > maxNotePages {
			return note{}, fmt.Errorf("none of the first %d comments is ours: reading no further", maxNotePages*notesPerPage)
		}
		var notes []note
		next, err := a.call(ctx, http.MethodGet, path, struct {
			OrderBy string `url:"order_by"`
			Sort    string `url:"sort"` // a page does not shift while others comment
			PerPage int    `url:"per_page"`
			Page    int    `url:"page"`
		}{"created_at", "asc", notesPerPage, page}, &notes)
		if err != nil {
			return note{}, err
		}
		for _, n := range notes {
			if !n.System && n.Author != nil && n.Author.ID == me.ID && strings.HasPrefix(n.Body, mark) {
				return n, nil
			}
		}
		if next <= page {
			break
		}
		page = next
	}
	return note{}, nil
}

func (a *api) write(ctx context.Context, method, path string, n note) error {
	var written note
	_, err := a.call(ctx, method, path, n, &written)
	return err
}

// lostAnswer reports whether GitLab may have done what it was asked, although it did
// not say so.
func lostAnswer(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Status {
	case 0, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// mark is a line that Markdown does not show (CommonMark, HTML blocks). No subject can
// end it, and no two have the same.
func mark(subject string) string {
	return "<!-- aigw-ci " + strings.NewReplacer("%", "%25", "<", "%3C", ">", "%3E").Replace(printable(subject)) + " -->"
}

// bounded is as much of text as a comment has room for, in whole lines.
func bounded(text string) string {
	const more = "\n\n(The rest is in the job's artifacts: summary.md.)\n"
	if len(text) <= maxComment {
		return text
	}
	text = text[:maxComment-len(more)]
	return text[:strings.LastIndexByte(text, '\n')+1] + more
}

// same reports whether two comments say the same; GitLab may have stored one with
// other line ends.
func same(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}

// number reports whether s is a number as GitLab counts things, which is all that may
// become part of a path.
func number(s string) bool {
	n, err := strconv.ParseUint(s, 10, 63)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// forComments is err with remedies for commenting: the others are for reading the
// version, which needs less.
func forComments(err error) error {
	refused, ok := errors.AsType[*Error](err)
	if !ok || refused.Temporary() {
		return err
	}
	e := *refused
	said := strings.ToLower(e.Excerpt)
	switch {
	case e.Status == http.StatusUnauthorized:
		e.Remedy = "put a valid personal, project or group access token with scope api into gitlab.token"
	case strings.Contains(said, "granular_scope"):
		e.Remedy = "give the fine-grained token the permissions to read its user, and to read and write merge request comments"
	case strings.Contains(said, "insufficient_scope"):
		e.Remedy = "nothing else needs it; for the comment, give gitlab.token a token with scope api"
	case strings.Contains(said, "read-only"):
		e.Problem, e.Remedy = "this GitLab is read-only now", "if it is a Geo secondary, name the primary in gitlab.url; otherwise run this again later"
	case e.Status == http.StatusNotFound:
		e.Problem, e.Remedy = "the token's user sees no such merge request", memberRemedy
	case e.Status == http.StatusForbidden && !strings.Contains(said, "forbidden - "):
		e.Problem, e.Remedy = "the token's user may not comment there", memberRemedy
	}
	return &e
}

const memberRemedy = "make the token's user a member of the project, as a Reporter at least, or use an access token of the project itself"
