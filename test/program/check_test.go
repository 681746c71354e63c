package program

import "testing"

// The one warning that is good is that of a GitLab without TLS, and of nothing else.
func TestGood(t *testing.T) {
	t.Parallel()
	const plain = "from inside the gateway, http://172.17.0.1:4000/api/v4 answers and shows 1 keys, without TLS"
	for _, tt := range []struct {
		check Check
		want  bool
	}{
		{Check{ID: "gateway.healthz", Verdict: "pass"}, true},
		{Check{ID: "gateway.gitlab", Verdict: "pass"}, true},
		{Check{ID: "gateway.gitlab", Verdict: "warn", Detail: plain}, true},
		{Check{ID: "gateway.healthz", Verdict: "warn", Detail: plain}, false},
		{Check{ID: "gateway.gitlab", Verdict: "fail", Detail: plain}, false},
		{Check{ID: "gateway.gitlab", Verdict: "skip", Detail: plain}, false},
		{Check{ID: "gateway.gitlab", Verdict: "inconclusive", Detail: plain}, false},
		{Check{ID: "gateway.gitlab", Verdict: "warn", Detail: plain + "; but its log says otherwise"}, false},
		{Check{ID: "gateway.gitlab", Verdict: "warn", Detail: "something else; " + plain}, false},
		{Check{ID: "gateway.gitlab", Verdict: "warn", Detail: "from inside the gateway, http://172.17.0.1 answers and shows 0 keys, without TLS"}, false},
		{Check{ID: "gateway.gitlab", Verdict: "warn", Detail: "its keys, without TLS"}, false},
		{Check{}, false},
	} {
		if got := tt.check.Good(); got != tt.want {
			t.Errorf("%+v: %v", tt.check, got)
		}
	}
}
