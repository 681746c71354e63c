package gateway

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"aigw-ci/test/program"
)

// process is a gateway that runs in this one, on a loopback address of its own.
type process struct {
	host   string
	output *program.Screen
	stop   context.CancelFunc
	ended  chan struct{}
	code   int // after ended
}

// boot starts a gateway of a line; the environment is NAME=value.
func boot(t *testing.T, line string, env ...string) *process {
	t.Helper()
	p := &process{
		host:   fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)),
		output: new(program.Screen), ended: make(chan struct{}),
	}
	all := map[string]string{HostVariable: p.host, LineVariable: line, "AIGW_FASTAPI__API_PORT": "5052"}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		maps.Copy(all, map[string]string{name: value})
	}
	settings, err := Read(func(name string) string { return all[name] })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p.stop = cancel
	go func() {
		defer close(p.ended)
		p.code = Run(ctx, settings, p.output, p.output)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

func (p *process) url(path string) string { return "http://" + p.host + ":5052" + path }

// wait waits until the gateway answers anything at all.
func (p *process) wait(t *testing.T) *process {
	t.Helper()
	p.until(t, func() bool {
		conn, err := net.Dial("tcp", p.host+":5052")
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return p
}

func (p *process) until(t *testing.T, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain; the gateway wrote:\n%s", p.output)
		}
	}
}

// ask returns "status body".
func (p *process) ask(t *testing.T, method, path string, header ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.url(path), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, p.output)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.Header.Get("X-Process-Time") == "" {
		t.Errorf("%s %s has no X-Process-Time", method, path)
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

// healthy asks the gRPC service how it is.
func (p *process) healthy(t *testing.T) error {
	t.Helper()
	conn, err := grpc.NewClient(p.host+":50052", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err == nil && answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		err = fmt.Errorf("status %s", answer.GetStatus())
	}
	return err
}

const noHeader = `401 {"error":"No authorization header presented"}`

func TestSurface(t *testing.T) {
	t.Parallel()
	old, now := boot(t, "18.3").wait(t), boot(t, "18.4").wait(t)
	for _, tt := range []struct{ method, path, old, now string }{
		{"GET", "/monitoring/healthz", "200 {}", "200 {}"},
		{"POST", "/monitoring/healthz", `405 {"detail":"Method Not Allowed"}`, `405 {"detail":"Method Not Allowed"}`},
		{"GET", "/monitoring/ready", "503 {}", "503 {}"},
		{"GET", "/metrics", `404 {"detail":"Not Found"}`, `404 {"detail":"Not Found"}`},
		{"GET", "/", noHeader, noHeader},
		{"GET", "/docs", noHeader, noHeader},
		{"GET", "/openapi.json", noHeader, noHeader},
		{"GET", "/v1/models/definitions", noHeader, "200 " + modelDefinitions},
		{"POST", "/v2/code/completions", noHeader, noHeader},
		{"POST", "/v1/chat/agent", noHeader, noHeader},
	} {
		if got := old.ask(t, tt.method, tt.path); got != tt.old {
			t.Errorf("18.3: %s %s: %s", tt.method, tt.path, got)
		}
		if got := now.ask(t, tt.method, tt.path); got != tt.now {
			t.Errorf("18.4: %s %s: %s", tt.method, tt.path, got)
		}
	}
	r, err := http.Get("http://" + now.host + ":8082/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if body, _ := io.ReadAll(r.Body); r.StatusCode != 200 || !strings.Contains(string(body), "python_info") {
		t.Errorf("metrics: %d %s", r.StatusCode, body)
	}
}

func TestAuthenticationCanBeBypassed(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]string{"by the administrator": "AIGW_AUTH__BYPASS_EXTERNAL=true", "by the image": ModeVariable + "=bypass"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := boot(t, "18.3", env).wait(t)
			if got := p.ask(t, "GET", "/docs"); !strings.HasPrefix(got, "200 ") {
				t.Error(got)
			}
			if got := p.ask(t, "GET", "/openapi.json"); !strings.HasPrefix(got, `200 {"openapi"`) {
				t.Error(got)
			}
			if got := p.ask(t, "GET", "/"); got != `404 {"detail":"Not Found"}` {
				t.Error(got)
			}
			if got := p.ask(t, "POST", "/v2/code/completions"); !strings.HasPrefix(got, "422 ") {
				t.Error(got)
			}
			if !strings.Contains(p.output.String(), `"level":"critical","event":"Auth is disabled, all users allowed"`) {
				t.Error(p.output)
			}
		})
	}
	p := boot(t, "18.3", "AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER=true").wait(t)
	if got := p.ask(t, "GET", "/docs"); got != noHeader {
		t.Error(got)
	}
	if got := p.ask(t, "GET", "/docs", "Bypass-Auth", "true"); !strings.HasPrefix(got, "200 ") {
		t.Error(got)
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	on := "ENABLE_DUO_WORKFLOW_SERVICE=true"
	both := boot(t, "18.4", on).wait(t)
	both.until(t, func() bool { return both.healthy(t) == nil })

	single := boot(t, "18.3").wait(t)
	if err := single.healthy(t); err == nil {
		t.Error("gRPC without ENABLE_DUO_WORKFLOW_SERVICE")
	}

	dead := boot(t, "18.4", on, ModeVariable+"=grpc-dead").wait(t)
	if err := dead.healthy(t); err == nil {
		t.Error("gRPC lives")
	}
	if got := dead.ask(t, "GET", "/monitoring/healthz"); got != "200 {}" {
		t.Error(got)
	}

	mute := boot(t, "18.4", on, ModeVariable+"=never-listens")
	mute.until(t, func() bool { return mute.healthy(t) == nil })
	if _, err := net.Dial("tcp", mute.host+":5052"); err == nil {
		t.Error("it listens")
	}

	// A port that is taken ends one service and not the other.
	clash := boot(t, "18.4", on, HostVariable+"="+both.host, "AIGW_FASTAPI__API_PORT=5053", "AIGW_FASTAPI__METRICS_PORT=8083")
	clash.until(t, func() bool { return strings.Contains(clash.output.String(), "address already in use") })
	clash.until(t, func() bool {
		r, err := http.Get("http://" + both.host + ":5053/monitoring/healthz")
		if err == nil {
			_ = r.Body.Close()
		}
		return err == nil
	})
	alone := boot(t, "18.3", HostVariable+"="+both.host)
	<-alone.ended
	if alone.code != 1 {
		t.Errorf("exit code %d of a gateway that found its port taken", alone.code)
	}
}

func TestModesThatEnd(t *testing.T) {
	t.Parallel()
	crash := boot(t, "18.4", ModeVariable+"=crash-at-boot")
	<-crash.ended
	if out := crash.output.String(); crash.code != 1 || !strings.HasPrefix(out, "Traceback (most recent call last):\n") || !strings.Contains(out, "ModuleNotFoundError") {
		t.Errorf("%d %s", crash.code, out)
	}

	short := boot(t, "18.4", ModeVariable+"=dies-after", AfterVariable+"=300ms").wait(t)
	if got := short.ask(t, "GET", "/monitoring/healthz"); got != "200 {}" {
		t.Error(got)
	}
	<-short.ended
	if short.code != 1 || !strings.Contains(short.output.String(), "MemoryError") {
		t.Errorf("%d %s", short.code, short.output)
	}

	shy := boot(t, "18.4", ModeVariable+"=dies-with-users").wait(t)
	for range 20 {
		if got := shy.ask(t, "GET", "/"); got != noHeader {
			t.Error(got)
		}
	}
	select {
	case <-shy.ended:
		t.Fatal("died of checks")
	case <-time.After(50 * time.Millisecond):
	}
	if r, err := http.Post(shy.url("/v2/code/completions"), "application/json", nil); err == nil {
		_ = r.Body.Close()
	}
	<-shy.ended
	if shy.code != 1 {
		t.Errorf("exit code %d", shy.code)
	}
}

func TestModesThatServe(t *testing.T) {
	t.Parallel()
	if got := boot(t, "18.4", ModeVariable+"=never-healthy").wait(t).ask(t, "GET", "/monitoring/healthz"); got != "500 Internal Server Error" {
		t.Error(got)
	}
	other := boot(t, "18.4", ModeVariable+"=not-a-gateway").wait(t)
	if got := other.ask(t, "GET", "/monitoring/healthz"); got != "200 {}" {
		t.Error(got)
	}
	if got := other.ask(t, "GET", "/"); !strings.HasPrefix(got, "200 <!DOCTYPE html>") {
		t.Error(got)
	}
}

// What was asked before SIGTERM is answered; nothing new is taken.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	p := boot(t, "18.3", AnswerDelayVariable+"=500ms").wait(t)
	answered := make(chan string, 1)
	go func() {
		response, err := http.Post(p.url("/v2/code/completions"), "application/json", nil)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer func() { _ = response.Body.Close() }()
		body, _ := io.ReadAll(response.Body)
		answered <- fmt.Sprintf("%d %s", response.StatusCode, body)
	}()
	time.Sleep(100 * time.Millisecond) // the question is on its way
	p.stop()
	p.until(t, func() bool { _, err := net.Dial("tcp", p.host+":5052"); return err != nil })
	select {
	case <-p.ended:
		t.Error("ended before the answer")
	default:
	}
	if got := <-answered; got != noHeader {
		t.Error(got)
	}
	<-p.ended
	if p.code != 0 {
		t.Errorf("exit code %d", p.code)
	}
}

func TestBootDelay(t *testing.T) {
	t.Parallel()
	const delay = 150 * time.Millisecond
	start := time.Now()
	boot(t, "18.3", BootDelayVariable+"="+delay.String()).wait(t)
	if took := time.Since(start); took < delay {
		t.Errorf("listened after %v", took)
	}
	slow := boot(t, "18.3", BootDelayVariable+"=1h")
	slow.stop()
	<-slow.ended
	if slow.code != 0 {
		t.Errorf("stopped while it booted: exit code %d", slow.code)
	}
}
