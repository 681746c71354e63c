package upgrade

import (
	"context"
	"net"
	"time"
)

// Instance names one gateway: a container, or a revision of a release.
type Instance struct {
	ID      string   // container ID, or revision number
	Image   string   // the reference it was created from
	Digests []string // every digest by which its target knows the running image
}

// Status is the state of a gateway's process.
type Status string

const (
	Created    Status = "created" // made, never started
	Running    Status = "running"
	Restarting Status = "restarting"
	Exited     Status = "exited"
	Paused     Status = "paused"
	Missing    Status = "missing" // it is not there any more
)

// State is a gateway as its target sees it at one moment.
type State struct {
	Status   Status
	ExitCode int
	OOM      bool      // ended by the kernel for want of memory
	Restarts int       // since it was created
	Started  time.Time // zero when it never was
	Health   string    // the target's own health check: "", "starting", "healthy", "unhealthy"
	Image    string    // the reference it was created from; empty when the target does not tell
	Digests  []string  // the running image, under every name the target knows; empty is "unknown"
	Error    string    // why it could not be started, in the target's words

	// Where a gateway is several replicas, everything above is about the one that
	// is worst off, and these are about all of them. Both are 0 where a target
	// knows no replicas.
	Replicas int // how many there should be
	Ready    int // how many take requests

	// Strays are the images of replicas that run something else than Image, as
	// references, each once. While there are any, a user may meet either.
	Strays []string
}

// Gateway is a gateway that can be looked at.
type Gateway interface {
	// Endpoint finds a road to the gateway. An error means that there is none from
	// here, which says nothing about the gateway itself.
	Endpoint(ctx context.Context) (Endpoint, error)

	// State reads the process. An error means that the target did not answer; a
	// gateway that is gone is a State with Status Missing.
	State(ctx context.Context) (State, error)

	// Logs are the last lines the gateway wrote, both streams, oldest first, each
	// line bounded, control characters removed. They may hold secrets.
	Logs(ctx context.Context, lines int) ([]string, error)

	// DialFrom opens a connection to addr ("host:port") as the gateway itself
	// would: from its network, with its name resolution. It returns
	// errors.ErrUnsupported where the target offers no way to do so. What the gateway
	// met is a *net.OpError, of syscall.ETIMEDOUT when nobody answered it. Where it
	// could not be tried, as when ctx ended too soon, the error is a *RoadError.
	DialFrom(ctx context.Context, addr string) (net.Conn, error)

	// Evidence is what a person needs after this gateway is gone: its logs and its
	// settings, without the values of secrets. What could be read comes back also
	// with an error.
	Evidence(ctx context.Context) ([]File, error)
}

// Endpoint is a road to a gateway.
type Endpoint struct {
	HTTP string // "http://172.17.0.3:5052", no trailing slash
	GRPC string // "172.17.0.3:50052"; empty when this gateway serves none

	// Dial opens connections to the hosts above; nil means plain TCP from here. What
	// it returns, and its connections, is a *RoadError when the road broke.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Lasting is set when the address belongs to the place and not to this one
	// instance, such as a published port: it still answers after a swap.
	Lasting bool

	Via string // the road in words, for the log: "container address", "ssh", "published port"
}

// RoadError is trouble on the way to a gateway, and not with it: with the target's own
// server, or the helper that opens connections. It unwraps to nothing: a server that
// refuses a connection, because it restarts, must not be taken for a gateway that does.
type RoadError struct{ Err error }

func (e *RoadError) Error() string { return e.Err.Error() }

// Temporary marks the error as one that says nothing about the gateway.
func (*RoadError) Temporary() bool { return true }

// File is one piece of evidence.
type File struct {
	Name string // a file name without directories: "inspect.json"
	Data []byte
}
