package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	cursorPage = 100  // tags asked for at once when a few are wanted
	fullPage   = 1000 // and when all are; Amazon ECR refuses more
	maxPages   = 5000
	maxTags    = 2_000_000

	maxListing = 32 << 20 // bytes of one answer: some registries send all tags in one
)

// errCircle is a listing that leads back to where it was.
var errCircle = errors.New("its pages lead in a circle")

// after reads the tags that begin with prefix, starting right before them. sound is
// false when the registry's answer is not what the specification promises: tags in
// ASCII order, or in that order without regard to case, all behind the prefix.
// Then nothing can be concluded from it. Source: OCI distribution-spec, "Listing
// Tags", which lets `last` be a tag that does not exist.
func (r *Registry) after(ctx context.Context, repo repository, prefix string, n int) (tags []string, sound bool, err error) {
	order := newOrder(prefix)
	past := false
	for page, err := range r.pages(ctx, repo, prefix, n) {
		if errors.Is(err, errCircle) || misunderstood(err) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		for _, tag := range page {
			if !order.next(tag) {
				return nil, false, nil
			}
			past = past || !hasPrefixFold(tag, prefix)
			if !past {
				tags = append(tags, tag)
			}
		}
		if past {
			break
		}
	}
	return tags, true, nil
}

// all reads every tag and keeps those that begin with prefix.
func (r *Registry) all(ctx context.Context, repo repository, prefix string) ([]string, error) {
	tags, err := r.collect(ctx, repo, prefix, fullPage)
	if errors.Is(err, errCircle) || misunderstood(err) && !notFound(err) {
		// It does not page as asked. One that was not asked to page must send everything,
		// or say by Link where the rest is.
		tags, err = r.collect(ctx, repo, prefix, 0)
	}
	return tags, err
}

func (r *Registry) collect(ctx context.Context, repo repository, prefix string, n int) ([]string, error) {
	var tags []string
	for page, err := range r.pages(ctx, repo, "", n) {
		if err != nil {
			return nil, err
		}
		for _, tag := range page {
			if strings.HasPrefix(tag, prefix) {
				tags = append(tags, tag)
			}
		}
	}
	return tags, nil
}

// pages yields a listing page by page, from after last ("": from the beginning), n
// tags at a time (0: as many as the registry likes). A listing that is not read to
// its end by the caller's own choice ends there or with an error: a page of exactly
// n tags without a Link is not taken for the last one, because registries exist that
// cut the list at n and say nothing.
func (r *Registry) pages(ctx context.Context, repo repository, last string, n int) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		query := pageQuery(last, n)
		asked, starts := map[string]bool{}, map[string]bool{}
		for total := 0; ; {
			asked[query.Encode()] = true
			tags, next, err := r.page(ctx, repo, query)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(tags) > 0 {
				if starts[tags[0]] {
					yield(nil, errCircle)
					return
				}
				starts[tags[0]] = true
			}
			if total += len(tags); total > maxTags || len(asked) > maxPages {
				yield(nil, fmt.Errorf("it has more than %d tags or %d pages", maxTags, maxPages))
				return
			}
			if !yield(tags, nil) {
				return
			}
			if next == nil && n > 0 && len(tags) == n {
				next = pageQuery(tags[n-1], n)
			}
			if next == nil {
				return
			}
			if asked[next.Encode()] {
				yield(nil, errCircle)
				return
			}
			query = next
		}
	}
}

func pageQuery(last string, n int) url.Values {
	query := url.Values{}
	if n > 0 {
		query.Set("n", strconv.Itoa(n))
	}
	if last != "" {
		query.Set("last", last)
	}
	return query
}

// page reads one page. next is nil when it is said to be the last one.
//
// A Link to the next page contributes its query and nothing else. Registries behind
// proxies put other schemes, hosts and paths there (Artifactory loses its prefix),
// and a request that stays where it was cannot be led astray.
func (r *Registry) page(ctx context.Context, repo repository, query url.Values) (tags []string, next url.Values, err error) {
	got, err := r.get(ctx, repo, "tags/list", query, "application/json", maxListing)
	if err != nil {
		return nil, nil, err
	}
	// A repository without tags has null there; where there is nothing at all, it is
	// somebody else who answers, and "no tags" would be a wrong conclusion.
	var listing struct {
		Tags json.RawMessage `json:"tags"`
	}
	if json.Unmarshal(got.body, &listing) != nil || json.Unmarshal(listing.Tags, &tags) != nil {
		return nil, nil, fmt.Errorf("%s is not a list of tags but %s: check that image.repository is in a registry",
			got.what, describeBody(got))
	}
	if target := nextLink(got.header.Values("Link")); target != "" {
		u, err := url.Parse(target)
		if err != nil || u.RawQuery == "" {
			return nil, nil, fmt.Errorf("%s names a next page that is no address: the list cannot be completed", got.what)
		}
		next = u.Query()
	}
	return tags, next, nil
}

// misunderstood reports whether the registry refused the question rather than the
// person: some know no `last`, some no such marker, some not such an `n`.
func misunderstood(err error) bool {
	var status *statusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.code {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusUnprocessableEntity, http.StatusNotImplemented:
		return true
	}
	return false
}

func notFound(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.code == http.StatusNotFound
}

// order watches a listing keep one of the two orders that a registry may choose.
type order struct {
	prev            string
	ascii, caseless bool
}

func newOrder(first string) *order { return &order{first, true, true} }

// next reports whether tag comes after everything before it.
func (o *order) next(tag string) bool {
	o.ascii = o.ascii && o.prev < tag
	o.caseless = o.caseless && strings.ToLower(o.prev) < strings.ToLower(tag)
	o.prev = tag
	return o.ascii || o.caseless
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
