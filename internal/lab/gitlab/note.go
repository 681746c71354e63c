package gitlab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxNote is GitLab's limit for the text of a comment, in characters.
// Source: docs.gitlab.com/api/notes, "Limited to 1,000,000 characters".
const maxNote = 1_000_000

// Note is a comment on a merge request, as docs.gitlab.com/api/notes shows it.
type Note struct {
	ID           int       `json:"id"`
	Type         *string   `json:"type"` // null: it belongs to no thread
	Body         string    `json:"body"`
	Author       User      `json:"author"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	System       bool      `json:"system"` // written by GitLab itself: "approved this merge request"
	NoteableType string    `json:"noteable_type"`
	ProjectID    int       `json:"project_id"`
	NoteableIID  int       `json:"noteable_iid"`
	Resolvable   bool      `json:"resolvable"`
	Internal     bool      `json:"internal"`
}

// mergeRequest is a merge request by the numbers that a pipeline knows it by.
type mergeRequest struct{ project, iid int }

// AddMergeRequest opens a merge request in a project, which is private. Every token
// of this package belongs to a member who may comment.
func (s *Server) AddMergeRequest(project, iid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes[mergeRequest{project, iid}] = nil
}

// AddNote comments on a merge request. The number and the dates are filled in.
func (s *Server) AddNote(project, iid int, n Note) Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addNote(mergeRequest{project, iid}, n)
}

// Notes are a merge request's comments, oldest first.
func (s *Server) Notes(project, iid int) []Note {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notes[mergeRequest{project, iid}])
}

func (s *Server) addNote(mr mergeRequest, n Note) Note {
	s.lastNote++
	n.ID, n.NoteableType, n.ProjectID, n.NoteableIID = s.lastNote, "MergeRequest", mr.project, mr.iid
	n.CreatedAt = time.Now().UTC()
	n.UpdatedAt = n.CreatedAt
	s.notes[mr] = append(s.notes[mr], n)
	return n
}

// listNotes is the one thing that a job token may do here.
// Source: docs.gitlab.com/ci/jobs/ci_job_token.
func (s *Server) listNotes(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Job-Token") != JobToken {
		if refused := check(r, []string{"api", "read_api"}); refused != nil {
			refused.write(w)
			return
		}
	}
	s.mu.Lock()
	mr, refused := s.mergeRequest(r)
	notes := slices.Clone(s.notes[mr])
	s.mu.Unlock()
	if refused != nil {
		refused.write(w)
		return
	}
	if r.FormValue("sort") != "asc" { // the default is the newest first
		slices.Reverse(notes)
	}
	answer(w, http.StatusOK, pageOf(w, r, notes))
}

func (s *Server) createNote(w http.ResponseWriter, r *http.Request) {
	s.writeNote(w, r, http.StatusCreated, func(mr mergeRequest, author User, body string) (Note, *refusal) {
		return s.addNote(mr, Note{Body: body, Author: author}), nil
	})
}

func (s *Server) updateNote(w http.ResponseWriter, r *http.Request) {
	s.writeNote(w, r, http.StatusOK, func(mr mergeRequest, author User, body string) (Note, *refusal) {
		notes := s.notes[mr]
		i := slices.IndexFunc(notes, func(n Note) bool { return strconv.Itoa(n.ID) == r.PathValue("note") })
		switch {
		case i < 0:
			return Note{}, notFound("404 Note Not Found")
		case notes[i].System || notes[i].Author.ID != author.ID:
			return Note{}, &refusal{status: http.StatusForbidden, body: map[string]any{"message": "403 Forbidden"}}
		}
		notes[i].Body, notes[i].UpdatedAt = body, time.Now().UTC()
		return notes[i], nil
	})
}

// writeNote does what creating and updating have in common. Only the scope api
// writes, and a job token counts as none.
// Source: gitlab-org/gitlab lib/api/notes.rb, lib/api/api.rb.
func (s *Server) writeNote(w http.ResponseWriter, r *http.Request, status int, write func(mergeRequest, User, string) (Note, *refusal)) {
	if refused := check(r, []string{"api"}); refused != nil {
		refused.write(w)
		return
	}
	body, refused := noteBody(r)
	if refused != nil {
		refused.write(w)
		return
	}
	s.mu.Lock()
	mr, refused := s.mergeRequest(r)
	var n Note
	if refused == nil {
		n, refused = write(mr, holder(r), body)
	}
	s.mu.Unlock()
	if refused != nil {
		refused.write(w)
		return
	}
	answer(w, status, n)
}

// mergeRequest finds the merge request that a path names.
func (s *Server) mergeRequest(r *http.Request) (mergeRequest, *refusal) {
	project, _ := strconv.Atoi(r.PathValue("project"))
	iid, _ := strconv.Atoi(r.PathValue("iid"))
	mr := mergeRequest{project, iid}
	if _, ok := s.notes[mr]; ok {
		return mr, nil
	}
	for known := range s.notes {
		if known.project == project {
			return mr, notFound("404 Not found")
		}
	}
	return mr, notFound("404 Project Not Found")
}

func noteBody(r *http.Request) (string, *refusal) {
	var sent struct {
		Body string `json:"body"`
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, 8*maxNote))
	if err != nil || json.Unmarshal(data, &sent) != nil || sent.Body == "" {
		return "", &refusal{status: http.StatusBadRequest, body: map[string]any{"error": "body is missing"}}
	}
	if utf8.RuneCountInString(sent.Body) > maxNote {
		return "", &refusal{status: http.StatusBadRequest, body: map[string]any{
			"message": fmt.Sprintf(`400 Bad request - Note {:note=>["is too long (maximum is %d characters)"]}`, maxNote),
		}}
	}
	return sent.Body, nil
}

func notFound(message string) *refusal {
	return &refusal{status: http.StatusNotFound, body: map[string]any{"message": message}}
}

// pageOf is the part of a list that was asked for, and says where the next one is.
// Source: docs.gitlab.com/api/rest, offset-based pagination.
func pageOf[T any](w http.ResponseWriter, r *http.Request, list []T) []T {
	number, _ := strconv.Atoi(r.FormValue("page"))
	size, _ := strconv.Atoi(cmp.Or(r.FormValue("per_page"), "20"))
	number, size = max(number, 1), min(max(size, 1), 100)
	from := min((number-1)*size, len(list))
	to := min(from+size, len(list))
	next := ""
	if to < len(list) {
		next = strconv.Itoa(number + 1)
	}
	w.Header().Set("X-Page", strconv.Itoa(number))
	w.Header().Set("X-Per-Page", strconv.Itoa(size))
	w.Header().Set("X-Next-Page", next) // there, and empty, on the last page
	return append([]T{}, list[from:to]...)
}
