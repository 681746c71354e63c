package docker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A registry that hangs in the middle of a layer must not hold the job for ever,
// whether or not the engine goes on talking about it; one that is slow may.
func TestPullThatDoesNotGetOn(t *testing.T) {
	t.Parallel()
	const step = stallTime - time.Second
	loading := func(n int) string {
		return fmt.Sprintf(`{"status":"Downloading","progressDetail":{"current":%d,"total":1000000000},"id":"1"}`, n)
	}
	for name, tt := range map[string]struct {
		said  func(i int) string // the engine's words, one each pause; then none
		pause time.Duration
		still int // after how many of the words it stands still
		words int
	}{
		"silence":             {said: func(int) string { return loading(0) }, pause: step, words: 1, still: 1},
		"the same again":      {said: func(int) string { return loading(0) }, pause: time.Second, words: 3000, still: 1},
		"a byte a second":     {said: loading, pause: time.Second, words: 3000, still: 1},
		"slow, then silence":  {said: func(i int) string { return loading(i * leastNews) }, pause: step, words: 6, still: 6},
		"steps, then silence": {said: func(i int) string { return fmt.Sprintf(`{"status":"Pulling fs layer","id":"%d"}`, i) }, pause: step, words: 6, still: 6},
		"unpacking":           {said: func(i int) string { return `{"status":"Extracting","id":"1"}` }, pause: step, words: 6, still: 6},
		"retrying":            {said: func(i int) string { return fmt.Sprintf(`{"status":"Retrying in %d seconds","id":"1"}`, i) }, pause: time.Second, words: 3000, still: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, _ := pullable("")
				answer := s.fail
				var spoke time.Time // for the last time to the point
				s.fail = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != "/images/create" {
						return answer(w, r)
					}
					spoke = time.Now()
					for i := 0; i < tt.words && r.Context().Err() == nil; i++ {
						if i < tt.still {
							spoke = time.Now()
						}
						_, _ = io.WriteString(w, tt.said(i)+"\n")
						w.(http.Flusher).Flush()
						select {
						case <-time.After(tt.pause):
						case <-r.Context().Done():
						}
					}
					<-r.Context().Done()
					return true
				}
				err := s.engine(t, nil).Pull(t.Context(), testImage, Credentials{})
				took := time.Since(spoke)
				if !errors.Is(err, errStalled) || !strings.Contains(err.Error(), "restart the engine") || took != stallTime {
					t.Errorf("given up %v after it got on for the last time: %v", took, err)
				}
			})
		})
	}
}

// A large image on a slow line takes hours, and is pulled.
func TestPullThatIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := pullable(goodPull)
		answer := s.fail
		s.fail = func(w http.ResponseWriter, r *http.Request) bool {
			for i := 0; r.URL.Path == "/images/create" && i < 500; i++ {
				_, _ = fmt.Fprintf(w, `{"status":"Downloading","progressDetail":{"current":%d,"total":1000000000},"id":"1"}`+"\n", i*1000)
				w.(http.Flusher).Flush()
				time.Sleep(5 * time.Second)
			}
			return answer(w, r)
		}
		if err := s.engine(t, nil).Pull(t.Context(), testImage, Credentials{}); err != nil {
			t.Error(err)
		}
	})
}
