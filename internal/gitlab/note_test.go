package gitlab

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/wire"
	"aigw-ci/internal/secret"
)

// onMergeRequest7 is what a job of merge request !7 of project 1 would write.
func onMergeRequest7(text string) Comment {
	return Comment{Server: "http://gitlab.example.com", Project: "1", MergeRequest: "7", Subject: "plan: docker/gitlab-aigw", Text: text}
}

const mark7 = "<!-- aigw-ci plan: docker/gitlab-aigw -->"

// commenting is a GitLab with merge request !7, and a client of it.
func commenting(t *testing.T, token secret.Value) (*gitlab.Server, *Client) {
	t.Helper()
	server := gitlab.New(gitlab.Options{})
	server.AddMergeRequest(1, 7)
	_, network := serve(t, server.ServeHTTP)
	return server, client(t, network, func(o *Options) { o.Token = token })
}

func bodies(s *gitlab.Server) []string {
	var all []string
	for _, n := range s.Notes(1, 7) {
		all = append(all, n.Body)
	}
	return all
}

func TestOneCommentIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := commenting(t, gitlab.TokenAPI)
		others := []gitlab.Note{
			{Author: gitlab.User{ID: 2}, Body: mark7 + "\n\nby somebody else"},
			{Author: gitlab.User{ID: 71}, Body: mark7 + " is what GitLab says", System: true},
			{Author: gitlab.User{ID: 71}, Body: "a quotation:\n" + mark7},
			{Author: gitlab.User{ID: 71}, Body: "<!-- aigw-ci plan: docker/gitlab-aigw-2 -->\n\nanother subject"},
		}
		var want []string
		for _, n := range others {
			want = append(want, server.AddNote(1, 7, n).Body)
		}
		want = append(want, "")
		for _, step := range []struct {
			text string
			want Commented
		}{
			{"two changes\n", Added},
			{"two changes\n", Unchanged},
			{"one change\n", Changed},
			{"one change\n", Unchanged},
		} {
			server.Log().Reset()
			got, err := c.Comment(t.Context(), onMergeRequest7(step.text))
			if err != nil || got != step.want {
				t.Fatalf("%q: %s, %v", step.text, got, err)
			}
			if writes := server.Log().Count("POST", "") + server.Log().Count("PUT", ""); writes != map[Commented]int{Added: 1, Changed: 1}[step.want] {
				t.Errorf("%s: %d writes", step.want, writes)
			}
			want[len(want)-1] = mark7 + "\n\n" + step.text
			if diff := cmp.Diff(want, bodies(server)); diff != "" {
				t.Fatalf("comments (-want +got):\n%s", diff)
			}
		}
	})
}

func TestEachSubjectHasItsComment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := commenting(t, gitlab.TokenAPI)
		subjects := []string{"staging", "prod", "prod --> <b>@all", "prod%20"}
		for range 2 {
			for _, subject := range subjects {
				o := onMergeRequest7("about " + subject)
				o.Subject = subject
				if _, err := c.Comment(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := []string{
			"<!-- aigw-ci staging -->\n\nabout staging", "<!-- aigw-ci prod -->\n\nabout prod",
			"<!-- aigw-ci prod --%3E %3Cb%3E@all -->\n\nabout prod --> <b>@all", "<!-- aigw-ci prod%2520 -->\n\nabout prod%20",
		}
		if diff := cmp.Diff(want, bodies(server)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheCommentIsFoundBehindManyOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := commenting(t, gitlab.TokenAPI)
		for i := range 2*notesPerPage + 10 {
			server.AddNote(1, 7, gitlab.Note{Author: gitlab.User{ID: 71}, Body: strconv.Itoa(i)})
		}
		for _, want := range []Commented{Added, Unchanged} {
			if got, err := c.Comment(t.Context(), onMergeRequest7("plan")); got != want || err != nil {
				t.Errorf("%s, %v, want %s", got, err, want)
			}
		}
	})
}

func TestReadingCommentsHasAnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := commenting(t, gitlab.TokenAPI)
		for range maxNotePages*notesPerPage + 1 {
			server.AddNote(1, 7, gitlab.Note{Body: "x"})
		}
		_, err := c.Comment(t.Context(), onMergeRequest7("plan"))
		if err == nil || !strings.Contains(err.Error(), "none of the first 6000 comments is ours") {
			t.Errorf("error %v", err)
		}
		if n := server.Log().Count("GET", "/notes"); n != maxNotePages {
			t.Errorf("%d pages were read", n)
		}
		if n := server.Log().Count("POST", ""); n != 0 {
			t.Error("a comment was written that may be there already")
		}
	})
}

func TestALostAnswerGivesOneComment(t *testing.T) {
	t.Parallel()
	twice := func(f wire.Fault) wire.Fault { return f.On("POST", "/notes").For(2) }
	once := func(f wire.Fault) wire.Fault { return f.On("POST", "/notes").For(1) }
	for _, tt := range []struct {
		name     string
		fault    wire.Fault
		want     Commented // "" is an error
		comments int
		posts    int
	}{
		{"written, answer cut off", once(wire.Truncated()), Added, 1, 1},
		{"not written, dropped", once(wire.Dropped()), Added, 1, 2},
		{"not written, booting", once(gitlab.BadGateway()), Added, 1, 2},
		{"not written, fault", once(gitlab.InternalError()), Added, 1, 2},
		{"dropped again", twice(wire.Dropped()), "", 0, 2},
		{"refused for now", twice(gitlab.Maintenance()), "", 0, 1},
		{"too many requests", twice(gitlab.RackAttack(1)), "", 0, 1},
		{"a sign-in page", twice(gitlab.SignIn()), "", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, c := commenting(t, gitlab.TokenAPI)
				server.SetFaults(tt.fault)
				got, err := c.Comment(t.Context(), onMergeRequest7("plan"))
				if got != tt.want || (err != nil) != (tt.want == "") {
					t.Errorf("%q, %v, want %q", got, err, tt.want)
				}
				if n := len(server.Notes(1, 7)); n != tt.comments {
					t.Errorf("%d comments, want %d", n, tt.comments)
				}
				if n := server.Log().Count("POST", ""); n != tt.posts {
					t.Errorf("%d requests to write one, want %d", n, tt.posts)
				}
			})
		})
	}
}

func TestAChangeIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := commenting(t, gitlab.TokenAPI)
		if _, err := c.Comment(t.Context(), onMergeRequest7("old")); err != nil {
			t.Fatal(err)
		}
		server.SetFaults(gitlab.BadGateway().On("PUT", "").For(1), wire.Truncated().On("PUT", "").For(1))
		if got, err := c.Comment(t.Context(), onMergeRequest7("new")); got != Changed || err != nil {
			t.Errorf("%s, %v", got, err)
		}
		if diff := cmp.Diff([]string{mark7 + "\n\nnew"}, bodies(server)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCommentsThatAreRefused(t *testing.T) {
	t.Parallel()
	write := func(f wire.Fault) wire.Fault { return f.On("POST", "/notes") }
	for _, tt := range []struct {
		name      string
		token     secret.Value
		change    func(*Comment)
		fault     wire.Fault
		want      string // in the first line
		remedy    string // in the last
		temporary bool
	}{
		{"read_api", gitlab.TokenReadAPI, nil, wire.Fault{}, "POST http://gitlab.example.com/api/v4/projects/1/merge_requests/7/notes: 403: the token lacks the scope", "scope api", false},
		{"read_user", gitlab.TokenReadUser, nil, wire.Fault{}, "GET http://gitlab.example.com/api/v4/projects/1/merge_requests/7/notes: 403: the token lacks the scope", "scope api", false},
		{"ai_features", gitlab.TokenAIFeatures, nil, wire.Fault{}, "/api/v4/user: 403: the token lacks the scope", "scope api", false},
		{"expired", gitlab.TokenExpired, nil, wire.Fault{}, "401: the token has expired", "scope api", false},
		{"blocked", gitlab.TokenBlocked, nil, wire.Fault{}, "403: GitLab does not let the token's user in", "sign in to GitLab as that user", false},
		{"another project", gitlab.TokenAPI, func(o *Comment) { o.Project = "2" }, wire.Fault{}, "404: the token's user sees no such merge request (answered: 404 Project Not Found)", "member of the project", false},
		{"another merge request", gitlab.TokenAPI, func(o *Comment) { o.MergeRequest = "8" }, wire.Fault{}, "404: the token's user sees no such merge request", "member of the project", false},
		{"read-only", gitlab.TokenAPI, nil, write(gitlab.ReadOnly()), "403: this GitLab is read-only now", "Geo secondary", false},
		{"locked discussion", gitlab.TokenAPI, nil, write(wire.Answer("", 403, http.Header{"Content-Type": {jsonType}}, `{"message":"403 Forbidden"}`)), "403: the token's user may not comment there", "Reporter", false},
		{"fine-grained", gitlab.TokenAPI, nil, write(wire.Answer("", 403, http.Header{"Content-Type": {jsonType}}, `{"error":"insufficient_granular_scope"}`)), "403: the token lacks a permission", "write merge request comments", false},
		{"maintenance", gitlab.TokenAPI, nil, write(gitlab.Maintenance()), "503: GitLab is in maintenance mode, come back after 900 seconds", "when the maintenance is over", true},
		{"moved", gitlab.TokenAPI, nil, write(wire.Answer("", 301, http.Header{"Location": {"https://gitlab.example.com/api/v4/projects/1/merge_requests/7/notes"}}, "")),
			"301: sent on to https://gitlab.example.com/api/v4/projects/1/merge_requests/7/notes, where nothing is written", "gitlab.url", true},
		{"nobody", gitlab.TokenAPI, nil, wire.Answer("", 200, http.Header{"Content-Type": {jsonType}}, `{}`).On("", "/user"), "/user: 200: the answer is JSON, but not GitLab's", "gitlab.url", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server, c := commenting(t, tt.token)
				if tt.fault.Serve != nil {
					server.SetFaults(tt.fault)
				}
				o := onMergeRequest7("plan")
				if tt.change != nil {
					tt.change(&o)
				}
				_, err := c.Comment(t.Context(), o)
				if err == nil {
					t.Fatal("no error")
				}
				first, last, _ := strings.Cut(err.Error(), "\n")
				if !strings.HasPrefix(first, "commenting on merge request !"+o.MergeRequest+" of project "+o.Project+": ") ||
					!strings.Contains(first, tt.want) || !strings.Contains(last, tt.remedy) {
					t.Errorf("error\n %v\nwant\n %s\n %s", err, tt.want, tt.remedy)
				}
				var problem *Error
				if !errors.As(err, &problem) || problem.Temporary() != tt.temporary {
					t.Errorf("%#v: Temporary() is not %v", problem, tt.temporary)
				}
				if strings.Contains(err.Error(), tt.token.Reveal()) {
					t.Errorf("error %q shows the token", err)
				}
				if n := len(server.Notes(1, 7)); n != 0 {
					t.Errorf("%d comments", n)
				}
			})
		})
	}
}

func TestCommentsThatAreNotTried(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options, *Comment){
		"another instance":     func(_ *Options, o *Comment) { o.Server = "https://gitlab.com" },
		"another root":         func(_ *Options, o *Comment) { o.Server = "http://gitlab.example.com/gitlab" },
		"no instance":          func(_ *Options, o *Comment) { o.Server = "" },
		"no token":             func(c *Options, _ *Comment) { c.Token = "" },
		"a path for a number":  func(_ *Options, o *Comment) { o.Project = "1/../2" },
		"no merge request":     func(_ *Options, o *Comment) { o.MergeRequest = "" },
		"zero":                 func(_ *Options, o *Comment) { o.MergeRequest = "0" },
		"a number with a sign": func(_ *Options, o *Comment) { o.MergeRequest = "+7" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				instance, network := serve(t, gitlab.New(gitlab.Options{}).ServeHTTP)
				o := onMergeRequest7("plan")
				c := client(t, network, func(options *Options) { change(options, &o) })
				_, err := c.Comment(t.Context(), o)
				if err == nil || errors.Is(err, ErrElsewhere) != (o.Server != "http://gitlab.example.com") {
					t.Errorf("error %v", err)
				}
				if len(instance.dialed) != 0 {
					t.Errorf("asked %v", instance.paths)
				}
			})
		})
	}
}

func TestALongPlanIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, c := commenting(t, gitlab.TokenAPI)
		long := strings.Repeat("| ä row of a table |\n", maxComment/10)
		for _, want := range []Commented{Added, Unchanged} {
			if got, err := c.Comment(t.Context(), onMergeRequest7(long)); got != want || err != nil {
				t.Fatalf("%s, %v", got, err)
			}
		}
		body := bodies(server)[0]
		if len(body) > maxComment+200 || !strings.HasPrefix(body, mark7+"\n\n| ä row") || !strings.HasSuffix(body, "|\n\n\n(The rest is in the job's artifacts: summary.md.)\n") {
			t.Errorf("%d bytes: %.60q ... %q", len(body), body, body[len(body)-100:])
		}
	})
}
