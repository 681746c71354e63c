package verify

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"aigw-ci/internal/upgrade"
)

func serveGRPC(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() { server.Stop(); <-done })
	return l.Addr().String()
}

func saying(status healthpb.HealthCheckResponse_ServingStatus) func(*grpc.Server) {
	return func(s *grpc.Server) {
		h := health.NewServer()
		h.SetServingStatus("", status)
		healthpb.RegisterHealthServer(s, h)
	}
}

// takes accepts connections and does with them what it is told.
func takes(t *testing.T, each func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			each(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// nobody is an address at which connections are refused.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	well := serveGRPC(t, saying(healthpb.HealthCheckResponse_SERVING))
	for _, tt := range []struct {
		name    string
		tag     string
		addr    string
		dialErr error
		verdict upgrade.Verdict
		detail  string
	}{
		{name: "serving", tag: since, addr: well, verdict: upgrade.Pass, detail: "SERVING"},
		{name: "serving, of an unknown release", addr: well, verdict: upgrade.Pass},
		{name: "not serving", tag: since, addr: serveGRPC(t, saying(healthpb.HealthCheckResponse_NOT_SERVING)), verdict: upgrade.Fail, detail: "NOT_SERVING"},
		{name: "another service", tag: since, addr: serveGRPC(t, func(*grpc.Server) {}), verdict: upgrade.Fail, detail: "no health service"},
		{name: "no gRPC", tag: since, addr: web.Listener.Addr().String(), verdict: upgrade.Fail, detail: "does not speak gRPC"},
		{name: "hangs up, as a published port does that nobody listens behind", tag: since, addr: takes(t, func(c net.Conn) { c.Close() }), verdict: upgrade.Fail, detail: "does not speak gRPC"},
		{name: "refused", tag: since, addr: nobody(t), verdict: upgrade.Fail, detail: "refused"},
		{name: "refused, of an unknown release", addr: nobody(t), verdict: upgrade.Skip, detail: "not known"},
		{name: "no gRPC, of an unknown release", addr: web.Listener.Addr().String(), verdict: upgrade.Skip, detail: "not known"},
		{name: "not serving, of an unknown release", addr: serveGRPC(t, saying(healthpb.HealthCheckResponse_NOT_SERVING)), verdict: upgrade.Fail, detail: "NOT_SERVING"},
		{name: "before 18.4", tag: before, addr: nobody(t), verdict: upgrade.Skip, detail: "18.3 serves no gRPC"},
		{name: "no address", tag: since, verdict: upgrade.Skip},
		{name: "no route", tag: since, addr: well, dialErr: syscall.EHOSTUNREACH, verdict: upgrade.Inconclusive, detail: "no refusal either"},
		{name: "the tunnel breaks", tag: since, addr: well, dialErr: errors.New("ssh: disconnected"), verdict: upgrade.Inconclusive, detail: "ssh: disconnected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := httptest.NewServer(gatewayAPI(nil))
			t.Cleanup(api.Close)
			own := at(upgrade.Endpoint{HTTP: api.URL, GRPC: tt.addr, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == tt.addr && tt.dialErr != nil {
					return nil, tt.dialErr
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}})
			s := upgrade.Subject{Gateway: own}
			if tt.tag != "" {
				s.Image = image(tt.tag)
			}
			checks := judge(t, New(quick()), s)
			want(t, checks, GRPC, tt.verdict, tt.detail)
			want(t, checks, Healthz, upgrade.Pass, "")
			whole := tt.verdict
			if whole == upgrade.Skip {
				whole = upgrade.Pass
			}
			want(t, checks, "", whole, "")
		})
	}
}

// A service that took the connection and says nothing has failed.
func TestSilentGRPC(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		road := servePipes(t, gatewayAPI(nil))
		road.GRPC = "gateway.example.com:50052"
		web := road.Dial
		road.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != road.GRPC {
				return web(ctx, network, addr)
			}
			client, server := net.Pipe()
			go func() {
				_, _ = io.Copy(io.Discard, server)
				server.Close()
			}()
			return client, nil
		}
		want(t, judge(t, New(quick()), upgrade.Subject{Gateway: at(road), Image: image(since)}), GRPC, upgrade.Fail, "no answer within")
	})
}

// gateway.url leads to the HTTP service only; the other one is asked at the
// gateway's own address.
func TestGRPCBesideTheFront(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(gatewayAPI(nil))
	t.Cleanup(api.Close)
	own := at(upgrade.Endpoint{HTTP: "http://" + nobody(t), GRPC: serveGRPC(t, saying(healthpb.HealthCheckResponse_SERVING))})
	o := quick()
	o.GatewayURL = api.URL
	checks := judge(t, New(o), upgrade.Subject{Gateway: own, Image: image(since)})
	want(t, checks, GRPC, upgrade.Pass, "")
	want(t, checks, "", upgrade.Pass, "")
}

// With gateway.url there may be no road for gRPC: that was not looked at, and is
// no pass.
func TestNoRoadForGRPC(t *testing.T) {
	t.Parallel()
	api := httptest.NewServer(gatewayAPI(nil))
	t.Cleanup(api.Close)
	o := quick()
	o.GatewayURL = api.URL
	checks := judge(t, New(o), upgrade.Subject{Gateway: new(stub), Image: image(since)})
	want(t, checks, Healthz, upgrade.Pass, "")
	want(t, checks, GRPC, upgrade.Inconclusive, "no road")
	want(t, checks, "", upgrade.Inconclusive, "")
}
