package gitlab

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
)

// metadata answers /api/v4/metadata and its older name /api/v4/version.
// Source: docs.gitlab.com/api/metadata.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	if refused := check(r, metadataScopes); refused != nil {
		refused.write(w)
		return
	}
	version := s.Version()
	number, edition, _ := strings.Cut(version, "-")
	answer(w, http.StatusOK, struct {
		Version    string `json:"version"`
		Revision   string `json:"revision"`
		KAS        kas    `json:"kas"`
		Enterprise bool   `json:"enterprise"`
	}{
		version, "ceb07b24cb0",
		kas{true, "grpc://gitlab.example.com:8150", "https://gitlab.example.com:8150/k8s-proxy", number},
		edition != "" && edition != "ce", // -ee, -jh, and -pre, which is built from the Enterprise branch
	})
}

type kas struct {
	Enabled             bool   `json:"enabled"`
	ExternalURL         string `json:"externalUrl"`
	ExternalK8sProxyURL string `json:"externalK8sProxyUrl"`
	Version             string `json:"version"`
}

// projects is open to everybody and empty here. The gateway's own troubleshooting
// asks it to learn whether GitLab can be reached.
func (s *Server) projects(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []struct{}{})
}

// probe answers to the machine itself and denies to everybody else that it exists:
// 127.0.0.0/8 is the default of the allowlist.
// Source: docs.gitlab.com/administration/monitoring/ip_allowlist.
func probe(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // every body is made of this package's own plain values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func page(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, htmlPage(title))
}

func htmlPage(title string) string {
	return "<!DOCTYPE html>\n<html>\n<head>\n  <title>" + title + "</title>\n</head>\n<body>\n  <h1>" + title + "</h1>\n</body>\n</html>\n"
}
