package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/upgrade"
)

// mayServeGRPC reports whether the gateway is of a release that serves gRPC, or
// may be.
func (t *trial) mayServeGRPC() bool { return t.line == nil || t.needs.GRPCPort != 0 }

// grpc wants grpc.health.v1.Health/Check to say SERVING, in plaintext.
// The image runs two services under one process that survives the death of either,
// so that only asking both proves both (ai-assist, scripts/run.sh).
func (t *trial) grpc(ctx context.Context, roadErr error) upgrade.Check {
	switch {
	case !t.mayServeGRPC():
		return skip("a gateway of " + t.line.String() + " serves no gRPC")
	case t.own == nil:
		return noRoad(roadErr)
	case t.road.GRPC == "":
		return skip("this gateway has no gRPC address")
	}

	// The error of the dialer is kept: what grpc makes of it is a text.
	var mu sync.Mutex
	var dialErr error
	opened := false
	dial := marked(t.road.Dial, requestTimeout-2*time.Second)
	conn, err := grpc.NewClient("passthrough:///"+t.road.GRPC,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithUserAgent(t.o.UserAgent),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := dial(ctx, "tcp", addr)
			mu.Lock()
			defer mu.Unlock()
			dialErr, opened = err, opened || err == nil
			return c, err
		}))
	if err != nil {
		return unseen(fmt.Sprintf("%s: %v", t.road.GRPC, err), gateway.NoRoad)
	}
	defer conn.Close()

	bounded, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := health.NewHealthClient(conn).Check(bounded, new(health.HealthCheckRequest))
	mu.Lock()
	defer mu.Unlock()
	if err == nil {
		if s := answer.GetStatus(); s != health.HealthCheckResponse_SERVING {
			return fail(fmt.Sprintf("%s says %s, and not SERVING", t.road.GRPC, s), gateway.AgentPlatformDead)
		}
		return pass(t.road.GRPC + " says SERVING")
	}
	if !opened {
		return t.unopened(dialErr)
	}
	return t.spoke(err)
}

// unknownGRPC is the detail of a port that need not be there.
const unknownGRPC = "no gRPC at %s; gateways before 18.4 serve none, and which release this one is of is not known"

// spoke is the verdict on an open port that did not give the right answer.
func (t *trial) spoke(err error) upgrade.Check {
	addr := t.road.GRPC
	switch s := status.Convert(err); s.Code() {
	case codes.Unimplemented:
		return fail(addr+" speaks gRPC and has no health service: it is not the Agent Platform service", gateway.AnotherGRPCService)
	case codes.DeadlineExceeded:
		return fail(fmt.Sprintf("%s took the connection and gave no answer within %s", addr, requestTimeout), gateway.AgentPlatformDead)
	case codes.Unavailable:
		if t.line == nil { // Docker's proxy takes connections also where nobody listens behind it
			return skip(fmt.Sprintf(unknownGRPC, addr))
		}
		return fail(addr+" takes connections and does not speak gRPC", gateway.AgentPlatformDead)
	default:
		return fail(fmt.Sprintf("%s answers %s: %s", addr, s.Code(), short(s.Message(), 120)), gateway.AgentPlatformDead)
	}
}

// unopened is the verdict on a port that no connection came about to.
func (t *trial) unopened(err error) upgrade.Check {
	addr := t.road.GRPC
	if err == nil {
		err = errors.New("the connection was not opened in time")
	}
	switch {
	case refused(err) && t.line == nil:
		return skip(fmt.Sprintf(unknownGRPC, addr))
	case refused(err):
		return fail("nobody listens at "+addr+": connection refused", gateway.AgentPlatformDead)
	default:
		return unseen(fmt.Sprintf("no connection to %s, and no refusal either: %v", addr, cause(err)), gateway.NoRoad)
	}
}
