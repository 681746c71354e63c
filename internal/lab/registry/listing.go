package registry

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPage = 100
	longestPage = 1000
)

// list answers /v2/<name>/tags/list. Source: OCI distribution-spec, "Listing Tags".
func (s *Server) list(w http.ResponseWriter, r *http.Request, name string) {
	if r.Method != http.MethodGet {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		return
	}
	s.mu.Lock()
	quirks := s.quirks
	repo := s.repositories[name]
	var tags []string
	if repo != nil {
		tags = repo.sorted(quirks.Order)
	}
	s.mu.Unlock()
	if repo == nil {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		return
	}

	query := r.URL.Query()
	n, err := quirks.page(query.Get("n"))
	if err != "" {
		refuse(w, http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", err)
		return
	}
	if last := query.Get("last"); last != "" && !quirks.IgnoreLast {
		tags = quirks.Order.after(tags, last)
	}
	if n < len(tags) && !quirks.IgnoreN {
		tags = tags[:n]
		next := "/v2/" + name + "/tags/list?" + url.Values{"last": {tags[n-1]}, "n": {strconv.Itoa(n)}}.Encode()
		w.Header().Set("Link", "<"+quirks.base(r)+next+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{name, tags})
}

// page is the number of tags on a page for a query's n, or what is wrong with it.
func (q Quirks) page(n string) (int, string) {
	longest := cmp.Or(q.MaxPage, longestPage)
	size := min(cmp.Or(q.PageSize, defaultPage), longest)
	if n == "" {
		return size, ""
	}
	asked, err := strconv.Atoi(n)
	if err != nil || asked < 1 || q.RejectLongPages && asked > longest {
		return 0, "the number of results requested must be between 1 and " + strconv.Itoa(longest)
	}
	return min(asked, longest), ""
}

func (q Quirks) base(r *http.Request) string {
	if q.LinkBase != "self" {
		return q.LinkBase
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// sorted are the tags in an order, in a list that nobody changes.
func (r *repository) sorted(o Order) []string {
	switch o {
	case CaseInsensitive:
		return slices.SortedStableFunc(slices.Values(r.tags), compareFold)
	case NewestFirst:
		newest := slices.Clone(r.order)
		slices.Reverse(newest)
		return newest
	default:
		return r.tags
	}
}

// after is what follows last, which is not included and, in a list sorted by name,
// need not exist. Where the order is another, an unknown tag is before the first.
func (o Order) after(tags []string, last string) []string {
	compare := strings.Compare
	switch o {
	case NewestFirst:
		return tags[slices.Index(tags, last)+1:]
	case CaseInsensitive:
		compare = compareFold
	}
	i, found := slices.BinarySearchFunc(tags, last, compare)
	if found {
		i++
	}
	return tags[i:]
}

func compareFold(a, b string) int {
	return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
}
