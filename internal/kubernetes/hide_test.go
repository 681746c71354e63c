package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"aigw-ci/internal/secret"
	"aigw-ci/test/canary"
)

// A repository of charts that refuses, leads on or answers with what it was told
// does not make an error say it. Redacted as everything is, nothing of it is left.
func TestChartPasswordIsNotInErrors(t *testing.T) {
	t.Parallel()
	var hidden canary.Canaries
	password := hidden.Value("the chart's password")
	redactor := secret.NewRedactor(password)
	for _, status := range []int{200, 302, 400, 401, 403, 404, 429, 500} {
		var told atomic.Int32 // one byte more each time, so that it is cut everywhere
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			auth := r.Header.Get("Authorization")
			if auth == "" {
				w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			words := strings.Repeat("x", int(told.Add(1))%300) + password + " " + auth
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "http://me:"+base64.RawURLEncoding.EncodeToString([]byte(password))+"@127.0.0.1:1/"+auth[6:]+"?token="+auth[6:])
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"message": words, "errors": []any{map[string]string{"code": "DENIED", "message": words}}})
		}))
		defer s.Close()
		docker := fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, strings.TrimPrefix(s.URL, "http://"), base64.StdEncoding.EncodeToString([]byte("me:"+password)))
		for name, source := range map[string]ChartSource{
			"repository":             {Repository: s.URL + "/stable", User: "me", Password: secret.Value(password)},
			"registry":               {Repository: "oci" + strings.TrimPrefix(s.URL, "http") + "/charts", User: "me", Password: secret.Value(password)},
			"registry, as in Docker": {Repository: "oci" + strings.TrimPrefix(s.URL, "http") + "/charts", Docker: docker},
		} {
			source.Name, source.Transport = "ai-gateway", s.Client().Transport
			for range 60 {
				_, _, err := source.load(t.Context(), "1.0.0")
				if err == nil {
					t.Fatalf("%s, %d: no error", name, status)
				}
				if err := errors.Join(hidden.Seen(name, redactor.String(err.Error())), hidden.Seen(name+", debugged", redactor.String(fmt.Sprintf("%+v", err)))); err != nil {
					t.Fatalf("%d: %v", status, err)
				}
			}
		}
		if told.Load() == 0 {
			t.Errorf("%d: nobody showed the password", status)
		}
	}
}
