package lab

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestControlDuo(t *testing.T) {
	t.Parallel()
	e, err := Start(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for _, tt := range []struct{ query, url, problem string }{
		{"gateway_url=http://127.0.0.1:5052/", "http://127.0.0.1:5052", ""},
		{"clock=-2h", "http://127.0.0.1:5052", ""},
		{"switch=licence&on=false", "http://127.0.0.1:5052", ""},
		{"rotate=true&gateway_url=", "", ""},
		{"clock=late", "", "want an offset"},
		{"switch=licence", "", "want true or false"},
		{"switch=odd&on=true", "", "choose one of"},
	} {
		_, err := e.controlDuo(httptest.NewRequest("GET", "/control/duo?"+tt.query, nil))
		if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s: %v", tt.query, err)
		}
		if got := e.GitLab.GatewayURL(); got != tt.url {
			t.Errorf("%s: %q", tt.query, got)
		}
	}
}
