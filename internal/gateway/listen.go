package gateway

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"aigw-ci/internal/version"
)

// grpcPort is where the gateway serves gRPC unless PORT says otherwise. Source:
// gitlab-org/modelops/applied-ml/code-suggestions/ai-assist, duo_workflow_service.
const grpcPort = 50052

// Ports are where a gateway listens inside its container.
type Ports struct {
	HTTP int
	TLS  bool // on the HTTP port
	GRPC int  // 0 where none is served
}

// Scheme is that of the HTTP port's address.
func (p Ports) Scheme() string {
	if p.TLS {
		return "https"
	}
	return "http"
}

// Listens reads where a gateway listens from its environment, and from the image's tag
// where the environment is silent. Names: ai-assist, ai_gateway/config.py and
// scripts/run.sh.
func Listens(image string, env map[string]string) Ports {
	needs := For(LineOf(image))
	p := Ports{HTTP: PortOr(env["AIGW_FASTAPI__API_PORT"], needs.HTTPPort), TLS: IsTrue(env["AIGW_FASTAPI__TLS__ENABLED"])}
	enabled, said := env["ENABLE_DUO_WORKFLOW_SERVICE"]
	if said && IsTrue(enabled) || !said && needs.GRPCPort != 0 {
		p.GRPC = PortOr(env["PORT"], cmp.Or(needs.GRPCPort, grpcPort))
	}
	return p
}

// LineOf is the release that an image reference is for; the zero Line when its tag
// does not say.
func LineOf(reference string) version.Line {
	_, name := split(reference)
	tag, err := version.ParseTag(name)
	if err != nil {
		return version.Line{}
	}
	return tag.Line()
}

// PortOr reads a variable that is a port.
func PortOr(value string, otherwise int) int {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil || n == 0 {
		return otherwise
	}
	return int(n)
}

// IsTrue reads a variable that is a switch, as pydantic does, in whose words the
// gateway's are. Source: docs.pydantic.dev/latest/api/standard_library_types, Booleans.
func IsTrue(value string) bool {
	return slices.Contains([]string{"true", "1", "yes", "on"}, strings.ToLower(value))
}
