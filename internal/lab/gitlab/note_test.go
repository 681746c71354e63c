package gitlab

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/lab/wire"
)

const notesOf7 = "/api/v4/projects/1/merge_requests/7/notes"

func send(h *Server, method, path, body string, header ...string) *wire.Captured {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return wire.Capture(h, r)
}

func withMergeRequest() *Server {
	s := New(Options{})
	s.AddMergeRequest(1, 7)
	return s
}

func TestWhoMayReadAndWriteComments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, header, value    string
		read, write, who, note int
	}{
		{"nobody", "", "", 401, 401, 401, 401},
		{"job token", "JOB-TOKEN", JobToken, 200, 401, 401, 401},
		{"job token under another name", "PRIVATE-TOKEN", JobToken, 401, 401, 401, 401},
		{"api", "PRIVATE-TOKEN", TokenAPI, 200, 201, 200, 200},
		{"api as bearer", "Authorization", "Bearer " + TokenAPI, 200, 201, 200, 200},
		{"read_api", "PRIVATE-TOKEN", TokenReadAPI, 200, 403, 200, 403},
		{"read_user", "PRIVATE-TOKEN", TokenReadUser, 403, 403, 200, 403},
		{"ai_features", "PRIVATE-TOKEN", TokenAIFeatures, 403, 403, 403, 403},
		{"expired", "PRIVATE-TOKEN", TokenExpired, 401, 401, 401, 401},
		{"blocked", "PRIVATE-TOKEN", TokenBlocked, 403, 403, 403, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := withMergeRequest()
			own := s.AddNote(1, 7, Note{Author: User{ID: 71}, Body: "mine"})
			for _, call := range []struct {
				method, path, body string
				want               int
			}{
				{"GET", notesOf7, "", tt.read},
				{"POST", notesOf7, `{"body":"hello"}`, tt.write},
				{"PUT", notesOf7 + "/" + strconv.Itoa(own.ID), `{"body":"changed"}`, tt.note},
				{"GET", "/api/v4/user", "", tt.who},
			} {
				a := send(s, call.method, call.path, call.body, tt.header, tt.value)
				if a.Status != call.want || a.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s %s: %d %s, want %d", call.method, call.path, a.Status, a.Body, call.want)
				}
			}
			want := 1
			if tt.write == 201 {
				want = 2
			}
			if notes := s.Notes(1, 7); len(notes) != want || (notes[0].Body == "changed") != (tt.note == 200) {
				t.Errorf("comments %+v", notes)
			}
		})
	}
}

func TestCommentsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	s := withMergeRequest()
	other := s.AddNote(1, 7, Note{Author: User{ID: 2}, Body: "hers"})
	system := s.AddNote(1, 7, Note{Author: User{ID: 71}, Body: "approved", System: true})
	long := `{"body":"` + strings.Repeat("ä", maxNote+1) + `"}`
	for _, tt := range []struct {
		method, path, body string
		status             int
		said               string
	}{
		{"POST", "/api/v4/projects/2/merge_requests/7/notes", `{"body":"x"}`, 404, `{"message":"404 Project Not Found"}`},
		{"POST", "/api/v4/projects/1/merge_requests/8/notes", `{"body":"x"}`, 404, `{"message":"404 Not found"}`},
		{"POST", notesOf7, `{}`, 400, `{"error":"body is missing"}`},
		{"POST", notesOf7, long, 400, `{"message":"400 Bad request - Note {:note=\u003e[\"is too long (maximum is 1000000 characters)\"]}"}`},
		{"PUT", notesOf7 + "/99", `{"body":"x"}`, 404, `{"message":"404 Note Not Found"}`},
		{"PUT", notesOf7 + "/" + strconv.Itoa(other.ID), `{"body":"x"}`, 403, `{"message":"403 Forbidden"}`},
		{"PUT", notesOf7 + "/" + strconv.Itoa(system.ID), `{"body":"x"}`, 403, `{"message":"403 Forbidden"}`},
	} {
		a := send(s, tt.method, tt.path, tt.body, "PRIVATE-TOKEN", TokenAPI)
		if a.Status != tt.status || string(a.Body) != tt.said {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, a.Status, a.Body)
		}
	}
	if notes := s.Notes(1, 7); len(notes) != 2 || notes[0].Body != "hers" || notes[1].Body != "approved" {
		t.Errorf("comments %+v", notes)
	}
}

func TestCommentsComeInPages(t *testing.T) {
	t.Parallel()
	s := withMergeRequest()
	for i := range 45 {
		s.AddNote(1, 7, Note{Body: strconv.Itoa(i)})
	}
	for _, tt := range []struct {
		query       string
		first, last string
		count       int
		next        string
	}{
		{"", "44", "25", 20, "2"},
		{"?page=3", "4", "0", 5, ""},
		{"?sort=asc&per_page=10&page=2", "10", "19", 10, "3"},
		{"?sort=asc&per_page=1000", "0", "44", 45, ""},
		{"?page=9", "", "", 0, ""},
	} {
		a := send(s, "GET", notesOf7+tt.query, "", "JOB-TOKEN", JobToken)
		var notes []Note
		if err := json.Unmarshal(a.Body, &notes); err != nil {
			t.Fatal(err)
		}
		next, there := a.Header["X-Next-Page"]
		if len(notes) != tt.count || !there || next[0] != tt.next {
			t.Errorf("%s: %d comments, next %q", tt.query, len(notes), next)
		}
		if tt.count > 0 && (notes[0].Body != tt.first || notes[len(notes)-1].Body != tt.last) {
			t.Errorf("%s: from %s to %s", tt.query, notes[0].Body, notes[len(notes)-1].Body)
		}
	}
}

func TestReadOnlyLetsReadersIn(t *testing.T) {
	t.Parallel()
	s := withMergeRequest()
	s.SetFaults(ReadOnly().On("POST", "/api/"), ReadOnly().On("PUT", "/api/"))
	if a := send(s, "GET", notesOf7, "", "PRIVATE-TOKEN", TokenAPI); a.Status != 200 {
		t.Errorf("reading: %d", a.Status)
	}
	a := send(s, "POST", notesOf7, `{"body":"x"}`, "PRIVATE-TOKEN", TokenAPI)
	if diff := cmp.Diff(`{"message":"You cannot perform write operations on a read-only instance"}`, string(a.Body)); a.Status != 403 || diff != "" {
		t.Errorf("writing: %d %s", a.Status, diff)
	}
}
