package docker

import (
	"context"
	"fmt"

	"github.com/moby/moby/client"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/version"
)

// lacks says where the host, or the container's own limits, are below what gateways
// of a line ask for. It only tells: a gateway with less may do for few users. An
// engine that does not say what it has is not asked again.
func (t *Target) lacks(ctx context.Context, r Recipe, line version.Line) []string {
	needs := gateway.For(line)
	var memory, cpus int64
	if info, err := t.engine.api.Info(ctx, client.InfoOptions{}); err == nil {
		memory, cpus = info.Info.MemTotal, int64(info.Info.NCPU)
	}
	var notes []string
	short := func(who string, has, needs int64, unit string) {
		if has > 0 && has < needs {
			notes = append(notes, fmt.Sprintf("%s has %d %s, and gateways of this version ask for %d at least (docs.gitlab.com/install/install_ai_gateway)", who, has, unit, needs))
		}
	}
	short("the host", memory>>20, needs.Memory>>20, "MiB of memory")
	short("the container", r.HostConfig.Memory>>20, needs.Memory>>20, "MiB of memory")
	short("the host", cpus, int64(needs.CPUs), "CPU")
	if nano := r.HostConfig.NanoCPUs; nano > 0 && nano < int64(needs.CPUs)*1e9 {
		notes = append(notes, fmt.Sprintf("the container may use %.1f CPUs, and gateways of this version ask for %d at least (docs.gitlab.com/install/install_ai_gateway)", float64(nano)/1e9, needs.CPUs))
	}
	return notes
}
