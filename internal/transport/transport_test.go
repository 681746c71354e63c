package transport

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestNewTrustsTheGivenAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.UserAgent())
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})

	base, err := New(Options{CAs: [][]byte{ca}})
	if err != nil {
		t.Fatal(err)
	}
	defer base.CloseIdleConnections()
	counter := &Counter{Base: &Agent{Base: base, Name: "aigw-ci/test"}}
	client := &http.Client{Transport: counter}
	for range 2 {
		resp, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "HTTP/2.0 aigw-ci/test" {
			t.Errorf("the server saw %q", body)
		}
	}
	if counter.Requests() != 2 || counter.Bytes() != 2*int64(len("HTTP/2.0 aigw-ci/test")) {
		t.Errorf("counted %d requests, %d bytes", counter.Requests(), counter.Bytes())
	}
}

func TestNewNamesTheAuthorityItCannotRead(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	server.Close()
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("not to be shown")})
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no DER")})
	for _, tt := range []struct {
		name string
		ca   []byte
		want string
	}{
		{"empty", nil, "certificate authority 2 of 2: no PEM certificate in its 0 bytes"},
		{"not PEM", []byte("/path/to/ca.pem"), "certificate authority 2 of 2: no PEM certificate in its 15 bytes"},
		{"a key", key, "certificate authority 2 of 2: PEM block 1 is a PRIVATE KEY, not a CERTIFICATE"},
		{"second is broken", append(good, broken...), "certificate authority 2 of 2: certificate 2: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Options{CAs: [][]byte{good, tt.ca}})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNewProxy(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.Method+" "+r.Host+" "+r.UserAgent(), http.StatusTeapot)
	}))
	defer proxy.Close()
	address, _ := url.Parse(proxy.URL)
	base, err := New(Options{Proxy: http.ProxyURL(address), UserAgent: "aigw-ci/test"})
	if err != nil {
		t.Fatal(err)
	}
	defer base.CloseIdleConnections()
	client := &http.Client{Transport: base}
	resp, err := client.Get("http://registry.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); !strings.HasPrefix(string(body), "GET registry.example.com") {
		t.Errorf("the proxy saw %q", body)
	}
	if _, err := client.Get("https://registry.example.com/"); err == nil || !strings.Contains(err.Error(), "I'm a teapot") {
		t.Errorf("a tunnel through the proxy: %v", err)
	}
}

func TestAgentLeavesTheRequestAlone(t *testing.T) {
	t.Parallel()
	var seen []string
	agent := &Agent{Name: "aigw-ci/test", Base: roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Header.Get("User-Agent"))
		return &http.Response{Body: http.NoBody}, nil
	})}
	anonymous, _ := http.NewRequest("GET", "https://gitlab.example.com/", nil)
	named := anonymous.Clone(t.Context())
	named.Header.Set("User-Agent", "other/1")
	for _, req := range []*http.Request{anonymous, named} {
		_, _ = agent.RoundTrip(req)
	}
	if got := strings.Join(seen, " "); got != "aigw-ci/test other/1" {
		t.Errorf("sent as %q", got)
	}
	if anonymous.Header.Get("User-Agent") != "" {
		t.Error("the caller's request was changed")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
