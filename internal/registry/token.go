package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aigw-ci/internal/transport"
)

const (
	maxTokenAnswer = 1 << 20
	maxToken       = 64 << 10

	// A token without a lifetime lives this long: CNCF distribution, "Token
	// Authentication Specification".
	defaultLifetime = 60 * time.Second

	// Clocks differ and requests take time: a token is given up this long before.
	tokenMargin = 5 * time.Second
)

type tokenRequest struct {
	realm          *url.URL
	service, scope string
	credential     Credential
	shown          string // the credential in words
}

type token struct {
	value   string
	expires time.Time
}

// exchange asks a token service for a token. The scope is the one needed here, not
// the one the registry proposes, which may be wider. A redirect is not followed: it
// would take the credentials along. Source: CNCF distribution, "Token Authentication
// Specification" and "OAuth2 Token Authentication".
func (r *Registry) exchange(ctx context.Context, t tokenRequest) (token, error) {
	if t.realm.Scheme != "https" && !(t.realm.Scheme == "http" && plainAllowed(t.realm.Host)) {
		return token{}, fmt.Errorf("token service %s is not on https: only loopback and private addresses may do without",
			quote(t.realm.Scheme+"://"+t.realm.Host))
	}
	req, err := t.request(ctx)
	if err != nil {
		return token{}, fmt.Errorf("asking for a token: %w", err)
	}
	client := &http.Client{
		Transport:     r.road,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return token{}, fmt.Errorf("asking for a token: %w", wireError(t.realm, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return token{}, fmt.Errorf("asking for a token: %w", r.refusal(resp, t.realm, t.shown))
	}
	got, err := readToken(resp.Body, time.Now())
	if err != nil {
		return token{}, fmt.Errorf("asking for a token: %s: %w", what(t.realm), err)
	}
	r.redact.Add(got.value)
	return got, nil
}

// request is a GET with a password or without, and a POST for an identity token,
// which the specification wants in a body.
func (t tokenRequest) request(ctx context.Context) (*http.Request, error) {
	values := url.Values{"scope": {t.scope}}
	if t.service != "" {
		values.Set("service", t.service)
	}
	if t.credential.IdentityToken == "" {
		u := *t.realm
		query := u.Query()
		for key := range values {
			query.Set(key, values.Get(key))
		}
		u.RawQuery = query.Encode()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err == nil && t.credential.Username != "" {
			req.Header.Set("Authorization", basic(t.credential))
		}
		return req, err
	}
	values.Set("grant_type", "refresh_token")
	values.Set("client_id", "aigw-ci")
	values.Set("refresh_token", t.credential.IdentityToken.Reveal())
	req, err := http.NewRequestWithContext(transport.Idempotent(ctx), http.MethodPost, t.realm.String(), strings.NewReader(values.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}

func readToken(body io.Reader, now time.Time) (token, error) {
	b, err := readBounded(body, maxTokenAnswer)
	if err != nil {
		return token{}, err
	}
	var answer struct {
		Token       string  `json:"token"`
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"` // seconds
	}
	if json.Unmarshal(b, &answer) != nil {
		return token{}, errors.New("the answer holds no token")
	}
	value := answer.Token
	if value == "" {
		value = answer.AccessToken
	}
	if value == "" || len(value) > maxToken || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return token{}, errors.New("the answer holds no usable token")
	}
	lifetime := defaultLifetime
	if answer.ExpiresIn > defaultLifetime.Seconds() && answer.ExpiresIn < (24*time.Hour).Seconds() {
		lifetime = time.Duration(answer.ExpiresIn * float64(time.Second))
	}
	return token{value, now.Add(lifetime - tokenMargin)}, nil
}
