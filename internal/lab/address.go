package lab

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"

	"aigw-ci/internal/lab/pki"
)

func (e *Estate) scheme() string {
	if e.options.TLS {
		return "https://"
	}
	return "http://"
}

// certificate is one for every address of the estate; nil without TLS.
func (e *Estate) certificate() (*tls.Certificate, error) {
	if !e.options.TLS {
		return nil, nil
	}
	authority, err := pki.New("aigw-lab")
	if err != nil {
		return nil, err
	}
	hosts := append([]string{"localhost"}, e.options.ExtraAddrs...)
	for _, addr := range []string{e.options.GitLabAddr, e.options.RegistryAddr} {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, host)
	}
	e.CA = authority.PEM()
	return authority.Issue(hosts...)
}

// realm is where tokens for the registry are had, on the host the client knows.
func (e *Estate) realm(r *http.Request) string {
	if e.options.OwnRealm {
		return e.scheme() + r.Host + "/jwt/auth"
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return e.GitLabURLAt(host) + "/jwt/auth"
}

// withRealm lets the registry's address answer for tokens, too.
func (e *Estate) withRealm(registry http.Handler) http.Handler {
	if !e.options.OwnRealm {
		return registry
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/jwt/auth", func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = e.options.Root + r.URL.Path
		e.GitLab.ServeHTTP(w, r)
	})
	mux.Handle("/", registry)
	return mux
}

func (e *Estate) gitlabPort() string {
	u, err := url.Parse(e.GitLabURL)
	if err != nil {
		return "" // it is our own
	}
	return u.Port()
}
