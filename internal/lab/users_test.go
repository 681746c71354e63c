package lab

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"context"
)

func TestUsersTally(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			t.Errorf("users %s", r.Method)
		}
		switch n := asked.Add(1); {
		case n <= 3:
			w.WriteHeader(http.StatusUnauthorized)
		case n <= 5:
			panic(http.ErrAbortHandler)
		case n == 6:
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	users := &Users{URL: server.URL, Every: 10 * time.Millisecond}
	done := make(chan struct{})
	go func() {
		defer close(done)
		users.Run(ctx)
	}()
	for users.Tally().Served < 6 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	got := users.Tally()
	if got.Failed != 3 || got.Last != "502 Bad Gateway" || got.Outage < 20*time.Millisecond || got.Outage > 5*time.Second {
		t.Errorf("%+v", got)
	}
}
