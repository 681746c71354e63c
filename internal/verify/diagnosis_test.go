package verify

import (
	"context"
	"encoding/pem"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

const year = 365 * 24 * time.Hour

// Every diagnosis that the gate makes, from what is seen to what is said.
func TestDiagnoses(t *testing.T) {
	t.Parallel()
	running := upgrade.State{Status: upgrade.Running, Started: started, Digests: []string{digest}}
	with := func(change func(*upgrade.State)) upgrade.State { s := running; change(&s); return s }
	html := respond(200, "text/html", "<!DOCTYPE html>")
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	unseen := errors.New("the tunnel broke")
	const plain = "http://gitlab.example.com"

	cases := []struct {
		why     gateway.DiagnosisID
		check   string
		verdict upgrade.Verdict
		see     func(*testing.T) map[string]upgrade.Check
	}{
		{gateway.AnotherImageRuns, Digest, upgrade.Fail, inState(with(func(s *upgrade.State) { s.Digests = []string{"sha256:2"} }))},
		{gateway.MinorSkew, Digest, upgrade.Warn, func(t *testing.T) map[string]upgrade.Check {
			return sick(t, func(p *patient) { p.subject.Release = release(t, "18.2.0-ee") })
		}},
		{gateway.DigestUnknown, Digest, upgrade.Inconclusive, inState(with(func(s *upgrade.State) { s.Digests = nil }))},

		{gateway.ProcessEnded, Stable, upgrade.Fail, inState(upgrade.State{Status: upgrade.Exited, ExitCode: 1})},
		{gateway.ProcessEnded, Stable, upgrade.Fail, inState(upgrade.State{Status: upgrade.Restarting, ExitCode: 1})},
		{gateway.OutOfMemory, Stable, upgrade.Fail, inState(upgrade.State{Status: upgrade.Exited, ExitCode: 137, OOM: true})},
		{gateway.CannotBeStarted, Stable, upgrade.Fail, inState(upgrade.State{Status: upgrade.Created, Error: "port is already allocated"})},
		{gateway.GatewayRemoved, Stable, upgrade.Fail, inState(upgrade.State{Status: upgrade.Missing})},
		{gateway.NotRunning, Healthz, upgrade.Fail, inState(with(func(s *upgrade.State) { s.Status = upgrade.Paused }))},
		{gateway.AnotherImageRuns, Digest, upgrade.Fail, inState(with(func(s *upgrade.State) { s.Strays = []string{"registry.example.com/gateway:other"} }))},
		{gateway.ReplicasMissing, Stable, upgrade.Fail, inState(with(func(s *upgrade.State) { s.Replicas, s.Ready = 3, 2 }))},
		{gateway.OwnHealthCheck, Stable, upgrade.Warn, inState(with(func(s *upgrade.State) { s.Health = "unhealthy" }))},
		{gateway.TargetSilent, Stable, upgrade.Inconclusive, func(t *testing.T) map[string]upgrade.Check {
			return sick(t, func(p *patient) {
				p.state = func(context.Context) (upgrade.State, error) { return upgrade.State{}, errors.New("EOF") }
			})
		}},
		{gateway.RestartedFromOutside, Stable, upgrade.Fail, held(func(s *scene) {
			s.state = func(context.Context) (upgrade.State, error) {
				return with(func(state *upgrade.State) {
					if s.since() > 20*time.Second {
						state.Started = s.begin.Add(20 * time.Second)
					}
				}), nil
			}
		})},
		{gateway.FailedInHold, Stable, upgrade.Fail, held(func(s *scene) {
			road, _ := s.endpoint(context.Background())
			s.dial(func(ctx context.Context, network, addr string) (net.Conn, error) {
				if s.since() > 20*time.Second {
					return nil, syscall.ECONNREFUSED
				}
				return road.Dial(ctx, network, addr)
			})
		})},
		{gateway.Interrupted, Stable, upgrade.Inconclusive, func(t *testing.T) map[string]upgrade.Check {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return judgeWith(ctx, t, New(quick()), upgrade.Subject{Gateway: serve(t, gatewayAPI(nil)), Image: image(before)})
		}},

		{gateway.NotListening, Healthz, upgrade.Fail, func(t *testing.T) map[string]upgrade.Check {
			return sick(t, func(p *patient) { p.stub = at(upgrade.Endpoint{HTTP: "http://" + nobody(t)}) })
		}},
		{gateway.NobodyAtURL, Healthz, upgrade.Fail, atURL("http://"+host, broken(syscall.ECONNREFUSED))},
		{gateway.URLUnknown, Healthz, upgrade.Fail, atURL("http://"+host, broken(&net.DNSError{Err: "no such host", Name: host, IsNotFound: true}))},
		{gateway.URLUnknown, DNS, upgrade.Fail, func(t *testing.T) map[string]upgrade.Check {
			return sick(t, func(p *patient) {
				p.options.GatewayURL = "http://" + host
				p.lookup = func(context.Context, string) ([]string, error) { return nil, nil }
			})
		}},
		{gateway.NoResolver, Healthz, upgrade.Inconclusive, atURL("http://"+host, broken(&net.DNSError{Err: "server misbehaving", Name: host}))},
		{gateway.NoRoad, Healthz, upgrade.Inconclusive, atURL("http://"+host, broken(syscall.EHOSTUNREACH))},
		{gateway.NoRoad, Healthz, upgrade.Inconclusive, func(t *testing.T) map[string]upgrade.Check {
			return sick(t, func(p *patient) { p.stub = new(stub) })
		}},
		{gateway.NoRoad, GRPC, upgrade.Inconclusive, onGRPC(nobody, unseen)},
		{gateway.ProxyInTheWay, Healthz, upgrade.Inconclusive, atURL("http://"+host, func(t *testing.T) *http.Transport {
			u, err := url.Parse(newServer(t, respond(407, "text/html", "who are you?")))
			if err != nil {
				t.Fatal(err)
			}
			return &http.Transport{Proxy: http.ProxyURL(u)}
		})},
		{gateway.Hangs, Healthz, upgrade.Fail, held(func(s *scene) {
			s.endpoint = func(context.Context) (upgrade.Endpoint, error) {
				return upgrade.Endpoint{HTTP: "http://gateway.example.com:5052", Dial: func(context.Context, string, string) (net.Conn, error) {
					near, _ := net.Pipe()
					return near, nil
				}}, nil
			}
		})},
		{gateway.ConnectionBroken, Healthz, upgrade.Fail, answering("/monitoring/healthz", hangUp)},
		{gateway.UpstreamUnreachable, Healthz, upgrade.Fail, atURL("http://"+host, leadsTo(respond(502, "text/html", "Bad Gateway")))},
		{gateway.URLRedirects, Healthz, upgrade.Fail, atURL("http://"+host, leadsTo(http.RedirectHandler("https://"+host, http.StatusMovedPermanently)))},
		{gateway.AnotherSiteAtURL, Healthz, upgrade.Fail, atURL("http://"+host, leadsTo(html))},
		{gateway.NotAGateway, Healthz, upgrade.Fail, answering("/monitoring/healthz", html)},
		{gateway.ModelsMissing, Models, upgrade.Fail, answering("/v1/models/definitions", html)},
		{gateway.AgentPlatformDead, GRPC, upgrade.Fail, onGRPC(nobody, nil)},
		{gateway.AgentPlatformDead, GRPC, upgrade.Fail, onGRPC(func(t *testing.T) string {
			return serveGRPC(t, saying(healthpb.HealthCheckResponse_NOT_SERVING))
		}, nil)},
		{gateway.AnotherGRPCService, GRPC, upgrade.Fail, onGRPC(func(t *testing.T) string { return serveGRPC(t, func(*grpc.Server) {}) }, nil)},

		{gateway.CertificateUntrusted, TLS, upgrade.Fail, certified(host, year, false)},
		{gateway.CertificateUntrusted, Healthz, upgrade.Fail, certified(host, year, false)},
		{gateway.CertificateName, TLS, upgrade.Fail, certified("www.example.com", year, true)},
		{gateway.CertificateExpired, TLS, upgrade.Fail, certified(host, -time.Hour, true)},
		{gateway.CertificateEnds, TLS, upgrade.Warn, certified(host, 24*time.Hour, true)},
		{gateway.NoTLS, TLS, upgrade.Fail, atURL("https://"+host, leadsTo(gatewayAPI(nil)))},
		{gateway.TLSHandshake, TLS, upgrade.Fail, atURL("https://"+host, func(t *testing.T) *http.Transport {
			transport := leadsTo(nil)(t)
			addr := takes(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40}) // RFC 8446: a fatal alert, handshake_failure
				c.Close()
			})
			transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", addr)
			}
			return transport
		})},

		{gateway.AuthenticationOff, Bypass, upgrade.Fail, answering("/docs", html)},
		{gateway.AuthenticationOff, Bypass, upgrade.Fail, answering("/openapi.json", respond(200, "application/json", "{}"))},
		{gateway.AuthenticationOff, Bypass, upgrade.Fail, inState(running, `{"event": "Auth is disabled, all users allowed", "level": "critical"}`)},
		{gateway.NoRefusal, Auth, upgrade.Fail, answering("/", html)},

		{gateway.GitLabNameUnknown, GitLab, upgrade.Fail, toGitLab(plain, &net.DNSError{Err: "no such host", Name: "gitlab.example.com", IsNotFound: true}, nil)},
		{gateway.GitLabNoResolver, GitLab, upgrade.Fail, toGitLab(plain, &net.DNSError{Err: "server misbehaving", Name: "gitlab.example.com"}, nil)},
		{gateway.GitLabLocalhost, GitLab, upgrade.Fail, toGitLab("http://localhost:8080", syscall.ECONNREFUSED, nil)},
		{gateway.GitLabLocalhost, GitLab, upgrade.Fail, toGitLab("http://127.0.0.2", syscall.ECONNREFUSED, nil)},
		{gateway.GitLabRefused, GitLab, upgrade.Fail, toGitLab(plain, syscall.ECONNREFUSED, nil)},
		{gateway.GitLabNoRoute, GitLab, upgrade.Fail, toGitLab(plain, syscall.ENETUNREACH, nil)},
		{gateway.GitLabFirewall, GitLab, upgrade.Fail, toGitLab(plain, syscall.ETIMEDOUT, nil)},
		{gateway.GitLabUnreachable, GitLab, upgrade.Fail, toGitLab(plain, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no such host")}, nil)},
		{gateway.GitLabConnectionBroken, GitLab, upgrade.Fail, toGitLab(plain, nil, http.HandlerFunc(hangUp))},
		{gateway.GitLabWrongAddress, GitLab, upgrade.Fail, toGitLab(plain, nil, html)},
		{gateway.GitLabWrongAddress, GitLab, upgrade.Fail, toGitLab(plain, nil, http.NotFoundHandler())},
		{gateway.GitLabRedirects, GitLab, upgrade.Warn, toGitLab(plain, nil, http.RedirectHandler("https://git.example.com", http.StatusMovedPermanently))},
		{gateway.GitLabInTrouble, GitLab, upgrade.Inconclusive, toGitLab(plain, nil, respond(503, "text/html", "GitLab is not responding"))},
		{gateway.GitLabWithoutKeys, GitLab, upgrade.Fail, toGitLab(plain, nil, gitlab(plain+"/no-keys"))},
		{gateway.GitLabWithoutKeys, GitLab, upgrade.Fail, toGitLab(plain, nil, gitlabWith(`{"keys":[{"kty":"EC"}]}`))},
		{gateway.GitLabKeysUnread, GitLab, upgrade.Fail, inState(running, jwks)},
		{gateway.GitLabWithoutTLS, GitLab, upgrade.Warn, toGitLab(plain, nil, gitlab(plain+"/oauth/discovery/keys"))},
		{gateway.EngineSilent, GitLab, upgrade.Inconclusive, toGitLab(plain, unseen, nil)},
		{gateway.GitLabCertificateInvalid, GitLab, upgrade.Fail, toGitLabTLS("www.example.com", year, nil)},
		{gateway.GitLabCertificateInvalid, GitLab, upgrade.Fail, toGitLabTLS("gitlab.example.com", -time.Hour, nil)},
		{gateway.GitLabNoTLS, GitLab, upgrade.Fail, toGitLab(gitlabURL, nil, gitlab(keysURL))},

		// This job knows the authority; what counts is whether the gateway does.
		{"", GitLab, upgrade.Pass, toGitLabTLS("gitlab.example.com", year, nil)}, // nobody tells
		{"", GitLab, upgrade.Pass, toGitLabTLS("gitlab.example.com", year, func(own []byte) map[string][]byte {
			return map[string][]byte{"SSL_CERT_FILE": own, "REQUESTS_CA_BUNDLE": own}
		})},
		{gateway.GitLabCertificateUntrusted, GitLab, upgrade.Fail, toGitLabTLS("gitlab.example.com", year, func([]byte) map[string][]byte { return nil })},
		{gateway.GitLabCertificateUntrusted, GitLab, upgrade.Fail, toGitLabTLS("gitlab.example.com", year, func([]byte) map[string][]byte {
			other := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: newAuthority(t).cert.Raw})
			return map[string][]byte{"SSL_CERT_FILE": other, "REQUESTS_CA_BUNDLE": other}
		})},
		{gateway.GitLabCertificateUntrusted, GitLab, upgrade.Fail, toGitLabTLS("gitlab.example.com", year, func(own []byte) map[string][]byte {
			return map[string][]byte{"SSL_CERT_FILE": own} // and keys are read with the other library
		})},
		{gateway.CAVariableAlone, GitLab, upgrade.Warn, toGitLabTLS("gitlab.example.com", year, func(own []byte) map[string][]byte {
			return map[string][]byte{"REQUESTS_CA_BUNDLE": own}
		})},
		{gateway.CABundleMissing, GitLab, upgrade.Fail, toGitLabTLS("gitlab.example.com", year, func(own []byte) map[string][]byte {
			return map[string][]byte{"REQUESTS_CA_BUNDLE": own, "SSL_CERT_FILE": nil}
		})},
		{gateway.CABundleMissing, GitLab, upgrade.Fail, toGitLabTLS("gitlab.example.com", year, func(own []byte) map[string][]byte {
			return map[string][]byte{"REQUESTS_CA_BUNDLE": own, "SSL_CERT_FILE": []byte("hunter2")}
		})},
	}
	made := map[gateway.DiagnosisID]bool{}
	for _, tt := range cases {
		made[tt.why] = true
		t.Run(string(tt.why)+" by "+tt.check, func(t *testing.T) {
			t.Parallel()
			diagnosed(t, tt.see(t), tt.check, tt.verdict, tt.why)
		})
	}
	for _, id := range usedIDs(t) {
		if !made[id] {
			t.Errorf("no case leads to %s", id)
		}
	}
}

// Every text that is known from logs: in that of a gateway that answers, and in the
// last words of one that ended.
func TestDiagnosesFromLogs(t *testing.T) {
	t.Parallel()
	for _, chapter := range gateway.Catalogue() {
		for _, d := range chapter.Entries {
			for _, l := range d.Log {
				t.Run(string(d.ID), func(t *testing.T) {
					t.Parallel()
					check, verdict := Stable, upgrade.Warn
					switch {
					case d.ID == gateway.AuthenticationOff:
						check, verdict = Bypass, upgrade.Fail
					case l.AboutGitLab && l.Severity == gateway.SeverityFail:
						check, verdict = GitLab, upgrade.Fail
					case l.AboutGitLab:
						check = GitLab
					}
					line := `{"event": "` + l.Text + `", "level": "error"}`
					running := upgrade.State{Status: upgrade.Running, Started: started, Digests: []string{digest}}
					diagnosed(t, inState(running, "ok", line)(t), check, verdict, d.ID)
					diagnosed(t, inState(upgrade.State{Status: upgrade.Exited, ExitCode: 1}, line)(t), Stable, upgrade.Fail, d.ID)
				})
			}
		}
	}
}

func diagnosed(t *testing.T, checks map[string]upgrade.Check, id string, verdict upgrade.Verdict, why gateway.DiagnosisID) {
	t.Helper()
	c := checks[id]
	if c.Verdict != verdict || c.Diagnosis != string(why) {
		t.Errorf("%s is %s, because of %q (%s); want %s, because of %q", id, c.Verdict, c.Diagnosis, c.Detail, verdict, why)
	}
	if why != "" && !strings.HasPrefix(c.Remedy, why.Cure()) {
		t.Errorf("%s: the remedy is %q, and the cure %q", id, c.Remedy, why.Cure())
	}
	if !slices.Contains(gateway.Known(why).Shown, id) && why != "" && id != Stable {
		t.Errorf("the catalogue does not say that %s shows %s", id, why)
	}
	if strings.Contains(c.Detail, "hunter2") {
		t.Errorf("%s quotes what it must not: %s", id, c.Detail)
	}
}

// usedIDs are the diagnoses that this package's code names.
func usedIDs(t *testing.T) []gateway.DiagnosisID {
	t.Helper()
	parsed := func(file string) *ast.File {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ids := map[string]gateway.DiagnosisID{}
	ast.Inspect(parsed("../gateway/diagnoses.go"), func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			ids[v.Names[0].Name] = gateway.DiagnosisID(strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var used []gateway.DiagnosisID
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(parsed(file), func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if id := ids[s.Sel.Name]; id != "" && !slices.Contains(used, id) {
					used = append(used, id)
				}
			}
			return true
		})
	}
	if len(used) < 40 {
		t.Fatalf("only %d diagnoses are named: these are not the sources", len(used))
	}
	return used
}
