// Package gitlab is what a GitLab instance says of itself.
//
// It is the only package that imports github.com/xanzy/go-gitlab, which is retired
// upstream in favour of gitlab.com/gitlab-org/api/client-go. That library is asked
// for addresses, headers and decoding alone, all in api.go: changing to its
// successor is a change to that file. What an answer must look like to be believed,
// what is tried again and what an error says is decided here (answer.go, error.go),
// because the library reports a sign-in page as "invalid character '<'" and every
// 404 as "404 Not Found".
package gitlab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/transport"
	"aigw-ci/internal/upgrade"
	"aigw-ci/internal/version"
)

// How a version was learnt, as the report says it.
const (
	fromSetting    = "setting"    // gitlab.version
	fromAPI        = "api"        // the instance was asked
	fromPredefined = "predefined" // CI_SERVER_VERSION
)

// Options say which instance it is and how its version may be learnt.
type Options struct {
	URL     string       // setting gitlab.url, without /api; empty only with Version
	Token   secret.Value // setting gitlab.token; empty: the API is not asked
	Version string       // setting gitlab.version; wins over everything

	// Predefined is what GitLab told the job about the instance the job runs on.
	Predefined struct {
		ServerURL string // CI_SERVER_URL
		Version   string // CI_SERVER_VERSION
	}

	// Transport is the road to the instance, without retries of its own: they are
	// added here. nil means a plain transport.New.
	Transport http.RoundTripper

	// Patience is how long one question may take with all its attempts, and so how
	// long a GitLab that is starting, or in maintenance, is waited for. Zero means
	// two minutes.
	Patience time.Duration

	// Redactor takes secrets out of what is quoted of an answer, before that is
	// shortened; Token is added to it. nil is one that knows nothing else.
	Redactor *secret.Redactor

	Log *slog.Logger // nil discards
}

// Client reads from one GitLab instance. It may be used by several goroutines.
type Client struct {
	url     string
	setting *version.GitLab // nil: not set
	api     *api            // nil: no token
	job     struct{ url, version string }

	http     *http.Client // nil: no token
	token    secret.Value
	redact   *secret.Redactor
	patience time.Duration
	log      *slog.Logger
}

var _ upgrade.GitLab = (*Client)(nil)

// New checks the options. It contacts nobody.
func New(o Options) (*Client, error) {
	c := &Client{
		url: strings.TrimRight(o.URL, "/"), token: o.Token, redact: o.Redactor,
		patience: cmp.Or(max(o.Patience, 0), patience), log: o.Log,
	}
	if c.redact == nil {
		c.redact = secret.NewRedactor()
	}
	c.redact.Add(o.Token.Reveal())
	c.job.url, c.job.version = o.Predefined.ServerURL, o.Predefined.Version
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if o.Version != "" {
		v, err := version.ParseGitLab(o.Version)
		if err != nil {
			return nil, fmt.Errorf("gitlab.version: %w", err)
		}
		c.setting = &v
	}
	if c.url == "" {
		if c.setting == nil {
			return nil, errors.New("gitlab.url is not set: give the address of the GitLab instance, or set gitlab.version")
		}
		return c, nil
	}
	if err := checkURL(c.url); err != nil {
		return nil, fmt.Errorf("gitlab.url: %w", err)
	}
	if o.Token == "" {
		return c, nil
	}
	if strings.ContainsFunc(o.Token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("gitlab.token holds a space, a line break or another character that no token has: was it copied whole?")
	}
	var err error
	if c.http, err = c.client(o.Transport); err != nil {
		return nil, err
	}
	c.api, err = newAPI(c.url, o.Token, c.http)
	return c, err
}

// client stacks what every request passes through, the network last.
func (c *Client) client(network http.RoundTripper) (*http.Client, error) {
	if network == nil {
		plain, err := transport.New(transport.Options{})
		if err != nil {
			return nil, err
		}
		network = plain
	}
	return &http.Client{Transport: &answers{
		base:   &transport.Retry{Base: &whole{base: network}, Log: c.log},
		redact: c.redact,
	}}, nil
}

// checkURL does not repeat the address it refuses: a token may be in it.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return errors.New("not an http or https address: give one such as https://gitlab.example.com")
	case u.User != nil:
		return errors.New("it holds a user or a password: put the token into gitlab.token")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("it has a query or a fragment: give the address alone")
	}
	return nil
}

// Version tells which version the instance runs: the setting's; with a token, the
// API's; otherwise CI_SERVER_VERSION, when the job runs on this very instance. A
// GitLab that is starting or in maintenance is waited for, see Options.Patience. A
// token that does not work is an error and not a reason to look elsewhere: somebody
// gave it on purpose. When the instance was asked and did not tell, the error is an
// [*Error].
func (c *Client) Version(ctx context.Context) (upgrade.Release, error) {
	switch {
	case c.setting != nil:
		return c.release(*c.setting, fromSetting, nil), nil
	case c.api != nil:
		return c.ask(ctx)
	case c.job.version == "":
		return upgrade.Release{}, c.unknown("this job has no CI_SERVER_VERSION")
	case !sameInstance(c.job.url, c.url):
		return upgrade.Release{}, c.unknown(fmt.Sprintf("CI_SERVER_VERSION is that of another instance, %s", place(c.job.url)))
	}
	v, err := version.ParseGitLab(c.job.version)
	if err != nil {
		return upgrade.Release{}, fmt.Errorf("CI_SERVER_VERSION: %w", err)
	}
	return c.release(v, fromPredefined, nil), nil
}

// ask reads the version through the API.
func (c *Client) ask(ctx context.Context) (upgrade.Release, error) {
	var (
		m metadata
		v version.GitLab
	)
	err := c.patiently(ctx, func(ctx context.Context) (err error) {
		m, v, err = c.api.metadata(ctx)
		return err
	})
	if err != nil {
		return upgrade.Release{}, fmt.Errorf("reading GitLab's version: %w", err)
	}
	// Anyone can type a CI_SERVER_VERSION, and a pipeline can be older than an
	// upgrade; the instance itself knows best.
	if c.job.version != "" && c.job.version != m.Version && sameInstance(c.job.url, c.url) {
		c.log.WarnContext(ctx, "GitLab's API and CI_SERVER_VERSION disagree; the API is believed",
			"api", m.Version, "CI_SERVER_VERSION", c.job.version)
	}
	return c.release(v, fromAPI, m.Enterprise), nil
}

func (c *Client) release(v version.GitLab, source string, enterprise *bool) upgrade.Release {
	// JiHu's edition contains the Enterprise Edition (omnibus-gitlab, include_ee?).
	// No suffix tells nothing: Community Edition has none, and pre-releases have none.
	if enterprise == nil && (v.Edition == version.Enterprise || v.Edition == version.JiHu) {
		yes := true
		enterprise = &yes
	}
	// An instance that says it is not an Enterprise Edition is the other one.
	if enterprise != nil && !*enterprise && v.Edition == version.Unstated && !v.Pre {
		v.Edition = version.Community
	}
	return upgrade.Release{URL: c.url, Version: v, Source: source, Enterprise: enterprise}
}

// unknown names the ways to tell the version.
func (c *Client) unknown(why string) error {
	return fmt.Errorf("the version of %s is not known: there is no gitlab.token to ask it with, and %s\n"+
		"do one of three: give gitlab.token (scope read_api or read_user); run this job on that GitLab; or set gitlab.version",
		c.url, why)
}
