package verify

import (
	"context"
	"net/url"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// informed is a gateway that tells what it was told. A target offers it where it can
// read the gateway's environment.
type informed interface {
	// GitLabURL is the gateway's AIGW_GITLAB_URL; empty when it is not set.
	GitLabURL(ctx context.Context) (string, error)
}

// told is GitLab's address as the gateway was told it: by its own environment, else
// by the settings of this job; empty when neither is known. The check is set when no
// gateway can do with what it was told.
func (t *trial) told(ctx context.Context) (address string, wrong upgrade.Check) {
	g, ok := t.Gateway.(informed)
	if !ok {
		return t.o.GitLabURL, wrong
	}
	bounded, cancel := context.WithTimeout(ctx, targetTimeout)
	defer cancel()
	address, err := g.GitLabURL(bounded)
	if err != nil {
		return t.o.GitLabURL, wrong
	}
	u, err := url.Parse(address)
	switch {
	case address == "" && (t.o.GitLabURL == "" || sameSite(t.o.GitLabURL, defaultGitLab)):
		return t.o.GitLabURL, wrong
	case address == "":
		return "", warn("AIGW_GITLAB_URL is not set: the gateway takes "+defaultGitLab+" for its GitLab, and admits no user of "+t.o.GitLabURL, gateway.GitLabWrongAddress)
	case err != nil, u.Host == "", u.User != nil, u.Scheme != "http" && u.Scheme != "https": // not quoted: it may hold a password
		return "", fail("AIGW_GITLAB_URL is no address such as https://gitlab.example.com", gateway.GitLabWrongAddress)
	}
	return address, wrong
}

// defaultGitLab is the gateway's own default. Source: ai-assist, ai_gateway/config.py.
const defaultGitLab = "https://gitlab.com"

// sameSite compares two addresses of GitLab, whatever slash they end with.
func sameSite(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}
