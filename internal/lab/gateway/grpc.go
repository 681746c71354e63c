package gateway

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// serveGRPC runs the workflow service, of which the stand-in has the health check.
func (g *gateway) serveGRPC(ctx context.Context) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", g.settings.GRPC)
	if err != nil {
		return err
	}
	checks := health.NewServer()
	checks.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, checks)
	g.log.Info("Starting server on port "+g.settings.GRPC, "logger", "duo_workflow_service")

	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), errDied) {
		checks.Shutdown()
		hard := time.AfterFunc(drain, server.Stop)
		defer hard.Stop()
		server.GracefulStop()
	}
	server.Stop()
	<-ended
	return nil
}
