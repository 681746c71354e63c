package kubernetes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"sigs.k8s.io/yaml"
)

const (
	maxIndex     = 20 << 20 // bytes; GitLab's lists at most 1000 charts, of some 1 KiB each
	maxRedirects = 10
)

// index is what is read of a repository's index.yaml. Source:
// helm.sh/docs/topics/chart_repository, "The index file".
type index struct {
	Entries map[string][]listing `json:"entries"`
}

// listing is one version of a chart in an index.
type listing struct {
	Version string   `json:"version"`
	Digest  string   `json:"digest"` // SHA-256 of the archive
	URLs    []string `json:"urls"`
}

// fromRepository downloads a chart from an HTTP repository, as GitLab's package
// registry is one. The index may name any place for the archive, so the credentials
// go no further than to the origin of the repository itself.
func (s ChartSource) fromRepository(ctx context.Context, version string) (*chartv2.Chart, chartOrigin, error) {
	var origin chartOrigin
	base, err := s.address()
	if err != nil {
		return nil, origin, err
	}
	listed, err := s.index(ctx, base)
	if err != nil {
		return nil, origin, err
	}
	entry, err := listed.find(s.Name, version)
	if err != nil {
		return nil, origin, fmt.Errorf("choosing chart %s in %s: %w", s.Name, bare(base), err)
	}
	from, err := entry.address(base)
	if err != nil {
		return nil, origin, fmt.Errorf("chart %s %s in %s: %w", s.Name, clean(entry.Version, 100), bare(base), err)
	}
	origin.From, origin.Version = bare(base), entry.Version

	data, err := s.get(ctx, base, from, maxArchive)
	if err != nil {
		return nil, origin, fmt.Errorf("downloading chart %s %s: %w", s.Name, clean(entry.Version, 100), err)
	}
	origin.Digest = sha256Of(data)
	switch listed := strings.TrimPrefix(strings.ToLower(entry.Digest), "sha256:"); {
	case listed == "":
		origin.Notes = append(origin.Notes, "the chart repository lists no digest for the chart: only the connection vouches for it")
	case "sha256:"+listed != origin.Digest:
		return nil, origin, fmt.Errorf("chart %s %s from %s is not the one that the index lists: its digest is %s, and sha256:%s is expected",
			s.Name, clean(entry.Version, 100), bare(from), origin.Digest, clean(listed, 64))
	}
	if base.Scheme == "http" || from.Scheme == "http" {
		origin.Notes = append(origin.Notes, "the chart came over plain HTTP: whoever is on the way can change it")
	}
	c, err := unpackChart(data)
	if err != nil {
		return nil, origin, fmt.Errorf("unpacking chart %s %s from %s: %w", s.Name, clean(entry.Version, 100), bare(from), err)
	}
	return c, origin, nil
}

// address is the repository's, ending in a slash. The path stays encoded as it is
// written: GitLab's have a %2f in them.
func (s ChartSource) address() (*url.URL, error) {
	u, err := url.Parse(s.Repository)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the chart repository is not an address such as https://gitlab.example.com/api/v4/projects/1/packages/helm/stable or oci://registry.example.com/charts")
	case u.User != nil:
		return nil, fmt.Errorf("the chart repository %s has credentials in its address: give them in the settings that are made for them", bare(u))
	case u.Scheme == "http" && s.Password != "" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("the chart repository %s would get its password over plain HTTP: use https", bare(u))
	}
	u = u.JoinPath("/") // with exactly one slash at the end
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s ChartSource) index(ctx context.Context, base *url.URL) (index, error) {
	var i index
	at := base.JoinPath("index.yaml")
	at.RawQuery = base.RawQuery
	data, err := s.get(ctx, base, at, maxIndex)
	if err != nil {
		return i, fmt.Errorf("reading the index of the chart repository: %w", err)
	}
	if text := bytes.TrimLeft(data, " \t\r\n\ufeff"); bytes.HasPrefix(text, []byte("<")) {
		return i, fmt.Errorf("%s answered with a web page and not with an index: a page to log in, perhaps; check the address and the credentials of the chart repository", bare(at))
	}
	if err := expands(data); err != nil {
		return i, fmt.Errorf("the index of the chart repository %s %w", bare(base), err)
	}
	if json.Valid(data) {
		err = json.Unmarshal(data, &i)
	} else {
		err = yaml.Unmarshal(data, &i)
	}
	if err != nil || len(i.Entries) == 0 {
		return i, fmt.Errorf("%s is not the index of a chart repository: it lists no charts", bare(at))
	}
	return i, nil
}

// find picks a version of a chart, see choose. Of two with the same version the first
// is taken, as Helm does.
func (i index) find(name, wanted string) (listing, error) {
	var versions []string
	entries := make(map[string]listing)
	for _, e := range i.Entries[name] {
		if _, twice := entries[e.Version]; !twice && e.Version != "" && len(e.Version) < 200 {
			entries[e.Version] = e
			versions = append(versions, e.Version)
		}
	}
	if len(versions) == 0 {
		return listing{}, errors.New("no such chart is listed")
	}
	version, err := choose(versions, wanted)
	return entries[version], err
}

// address is where the archive lies; what the index leaves out is as in its own.
func (e listing) address(base *url.URL) (*url.URL, error) {
	if len(e.URLs) == 0 {
		return nil, errors.New("the index does not say where its archive is")
	}
	u, err := url.Parse(e.URLs[0])
	if err != nil {
		return nil, errors.New("the index gives no readable address for its archive")
	}
	if !u.IsAbs() && u.RawQuery == "" {
		u.RawQuery = base.RawQuery // a signed address, for one
	}
	u = base.ResolveReference(u)
	if u.Scheme != base.Scheme && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("the index gives %s as the address of its archive, which is not allowed", bare(u))
	}
	return u, nil
}

// get downloads at most limit bytes. Credentials are shown to base's origin alone,
// also when a redirection leads away from it.
func (s ChartSource) get(ctx context.Context, base, at *url.URL, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, errors.New("the address cannot be asked for")
	}
	req.Header.Set("Accept-Encoding", "identity") // the digest is that of what lies there
	if (s.User != "" || s.Password != "") && site(at) == site(base) {
		req.SetBasicAuth(s.User, s.Password.Reveal())
	}
	client := &http.Client{Transport: s.Transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= maxRedirects:
			return fmt.Errorf("it was led on more than %d times", maxRedirects)
		case via[0].URL.Scheme == "https" && next.URL.Scheme != "https":
			return errors.New("it was led from https to plain HTTP")
		case site(next.URL) != site(base):
			next.Header.Del("Authorization")
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, shorten(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("GET %s: %d %s: check the user and the password of the chart repository", bare(at), resp.StatusCode, http.StatusText(resp.StatusCode))
	case http.StatusNotFound:
		return nil, fmt.Errorf("GET %s: 404 Not Found: check the address, and whether it needs credentials: GitLab hides from strangers what is private", bare(at))
	default:
		return nil, fmt.Errorf("GET %s: %d %s", bare(at), resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	data, err := readAll(resp.Body, limit)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", bare(at), err)
	}
	return data, nil
}

// bare is an address for people: without a password, and without a query, which may
// be a signature.
func bare(u *url.URL) string {
	b := *u
	b.RawQuery, b.ForceQuery, b.Fragment, b.RawFragment = "", false, "", ""
	return clean(b.Redacted(), 200)
}

// shorten keeps addresses with signed queries out of an error of package http.
func shorten(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	at := "the chart repository"
	if u, parsed := url.Parse(failed.URL); parsed == nil {
		at = bare(u)
	}
	return fmt.Errorf("%s %s: %w", strings.ToUpper(failed.Op), at, failed.Err)
}

// site is what a browser calls an origin: scheme, host and port.
func site(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}

func sha256Of(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
