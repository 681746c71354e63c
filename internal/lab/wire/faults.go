package wire

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Answer is a fault that answers with a fixed status, header and body.
func Answer(name string, status int, header http.Header, body string) Fault {
	return Fault{Name: name, Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), header)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}}
}

// Redirect is a fault that sends every client elsewhere, its path appended.
func Redirect(name, to string) Fault {
	return Fault{Name: name, Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, to+r.URL.RequestURI(), http.StatusFound)
		})
	}}
}

// Dropped closes the connection without an answer.
func Dropped() Fault {
	return Fault{Name: "dropped", Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}}
}

// Hanging takes the request and never answers.
func Hanging() Fault {
	return Fault{Name: "hanging", Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		})
	}}
}

// Truncated promises the whole answer, sends the first half and drops the connection.
func Truncated() Fault {
	return Fault{Name: "truncated", Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := Capture(next, r)
			a.Header.Set("Content-Length", strconv.Itoa(len(a.Body)))
			a.Body = a.Body[:len(a.Body)/2]
			a.WriteTo(w)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
	}}
}

// Slow sends the right answer, one byte per interval.
func Slow(interval time.Duration) Fault {
	return Fault{Name: "slow", Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := Capture(next, r)
			body := a.Body
			a.Body = nil
			a.WriteTo(w)
			tick := time.NewTicker(interval)
			defer tick.Stop()
			for i := range body {
				select {
				case <-tick.C:
				case <-r.Context().Done():
					panic(http.ErrAbortHandler)
				}
				_, _ = w.Write(body[i : i+1])
				_ = http.NewResponseController(w).Flush()
			}
		})
	}}
}

// Endless answers 200 with a body that has no end, until the client goes away.
func Endless(contentType, prefix string) Fault {
	return Fault{Name: "endless", Serve: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, err := io.WriteString(w, prefix)
			for chunk := bytes.Repeat([]byte("a"), 64<<10); err == nil && r.Context().Err() == nil; {
				_, err = w.Write(chunk)
			}
			panic(http.ErrAbortHandler)
		})
	}}
}
