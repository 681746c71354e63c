package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the gateway writes, as GitLab's pages and issues quote it.
func TestDiagnoseKnowsTheQuotedLines(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line        string
		severity    Severity
		aboutGitLab bool
	}{
		{`jose.exceptions.JWTError: Signature verification failed`, SeverityWarn, true},
		{`gitlab_cloud_connector.providers.CompositeProvider.CriticalAuthError: No keys founds in JWKS; are OIDC providers up?`, SeverityFail, true},
		{`jose.exceptions.JWKError: Could not deserialize key data. The data may be in an incorrect format`, SeverityFail, false},
		{`{"event": "Token creation failed", "level": "error"}`, SeverityFail, false},
		{`[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1000)`, SeverityWarn, true},
		{`socket.gaierror: [Errno -2] Name or service not known`, SeverityWarn, true},
		{`httpx.ConnectError: [Errno -3] Temporary failure in name resolution`, SeverityWarn, true},
		{`{"event": "Auth is disabled, all users allowed", "level": "critical"}`, SeverityFail, false},
		{"Auth is disabled, all requests with `Bypass-Auth` header set allowed", SeverityFail, false},
		{`PermissionError: [Errno 13] Permission denied: '/home/aigateway/.hf/hub'`, SeverityFail, false},
		{`OSError: [Errno 30] Read-only file system: '/tmp/tmpabc'`, SeverityFail, false},
		{`  File "/home/aigateway/app/venv/lib/python3.12/site-packages/transformers/utils/hub.py", line 403, in cached_file`, SeverityFail, false},
		{`LiteLLM: reading https://raw.githubusercontent.com/BerriAI/litellm/main/prices.json: timed out`, SeverityWarn, false},
		{`[Errno 98] error while attempting to bind on address ('0.0.0.0', 8082): address already in use`, SeverityFail, false},
		{`jose.exceptions.JWSError: Not enough segments`, SeverityWarn, true},
		{`16:Forbidden by auth provider`, SeverityWarn, true},
		{`RuntimeError: Failed to bind to address [::]:50052; set GRPC_VERBOSITY=debug`, SeverityFail, false},
		{`pydantic_core._pydantic_core.ValidationError: 1 validation error for Config`, SeverityFail, false},
		{`ModuleNotFoundError: No module named 'ai_gateway'`, SeverityFail, false},
		{`exec ./run.sh: no such file or directory`, SeverityFail, false},
		{`exec ./scripts/run.sh: exec format error`, SeverityFail, false},
		{`litellm.NotFoundError: OpenAIException - Error code: 404`, SeverityWarn, false},
	} {
		found := Diagnose([]string{"INFO: Application startup complete.", tt.line})
		if len(found) != 1 {
			t.Errorf("%s: %d findings, want 1", tt.line, len(found))
			continue
		}
		f := found[0]
		if f.Severity != tt.severity || f.AboutGitLab != tt.aboutGitLab || f.Line != tt.line || f.Count != 1 {
			t.Errorf("%s: got %+v", tt.line, f)
		}
	}
}

func TestDiagnoseCountsAndKeepsOrder(t *testing.T) {
	t.Parallel()
	got := Diagnose([]string{
		"ok",
		"1: Not enough segments",
		"2: Token creation failed and Not enough segments",
		"3: Not enough segments",
	})
	type short struct {
		Text, Line string
		Count      int
	}
	var have []short
	for _, f := range got {
		have = append(have, short{f.Text, f.Line, f.Count})
	}
	want := []short{
		{"Not enough segments", "1: Not enough segments", 3},
		{"Token creation failed", "2: Token creation failed and Not enough segments", 1},
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

func TestDiagnoseOfAHealthyLogIsEmpty(t *testing.T) {
	t.Parallel()
	lines := []string{
		`INFO:     Uvicorn running on http://0.0.0.0:5052 (Press CTRL+C to quit)`,
		`{"event": "JWKS refreshed", "kids": ["a"]}`,
		`{"url": "http://10.0.0.1:5052/monitoring/healthz", "status_code": 200}`, "",
	}
	if got := Diagnose(lines); got != nil {
		t.Errorf("got %+v", got)
	}
}
