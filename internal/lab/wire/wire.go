// Package wire is what the lab's stand-ins share at the level of HTTP: a server on
// several addresses, a log of what was asked, and ways to answer badly.
package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// listenAttempts is how often a free port is looked for that is free on every host.
const listenAttempts = 10

// Listen opens addr ("127.0.0.1:0") and the same port on every host in also, so
// that one service has one port on every address of the machine.
func Listen(ctx context.Context, addr string, also ...string) ([]net.Listener, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", addr, err)
	}
	for attempt := 1; ; attempt++ {
		listeners, err := listenAll(ctx, addr, also)
		if err == nil {
			return listeners, nil
		}
		// A port that the system chose for the first host may be taken on another.
		if port != "0" || len(also) == 0 || attempt == listenAttempts {
			return nil, err
		}
	}
}

func listenAll(ctx context.Context, addr string, also []string) ([]net.Listener, error) {
	var config net.ListenConfig
	first, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	listeners := []net.Listener{first}
	port := strconv.Itoa(first.Addr().(*net.TCPAddr).Port)
	for _, host := range also {
		l, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// Server serves one handler on several listeners.
type Server struct {
	http http.Server
	done sync.WaitGroup
}

// Serve starts a server; it owns the listeners. With a certificate it speaks TLS.
func Serve(h http.Handler, certificate *tls.Certificate, listeners ...net.Listener) *Server {
	s := &Server{http: http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that leave are part of the play
	}}
	if certificate != nil {
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
	}
	for _, l := range listeners {
		s.done.Go(func() {
			if certificate != nil {
				_ = s.http.ServeTLS(l, "", "")
			} else {
				_ = s.http.Serve(l)
			}
		})
	}
	return s
}

// Close cuts every connection and waits for the listeners to end.
func (s *Server) Close() error {
	err := s.http.Close()
	s.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
