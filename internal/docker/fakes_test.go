package docker

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// gatewayID is the ID of the container that inspected makes.
const gatewayID = "6858b1797cafe90029f26a0460b7929111c94961683e1c33b9d0e56eded516ed"

// inspected is a container on the default bridge as Docker 20.10 describes it,
// changed by change, and read the way a real answer is.
func inspected(t *testing.T, change func(*container.InspectResponse)) Inspected {
	t.Helper()
	raw := container.InspectResponse{
		ID: gatewayID, Name: "/gitlab-aigw", Image: "sha256:" + strings.Repeat("1", 64),
		State:  &container.State{Status: container.StateRunning, Running: true},
		Config: &container.Config{Hostname: gatewayID[:shortID], Image: "registry.example.com/model-gateway:self-hosted-v18.2.1-ee"},
		HostConfig: &container.HostConfig{
			NetworkMode: "default", IpcMode: "private", Runtime: "runc", ShmSize: 64 << 20,
			LogConfig:   container.LogConfig{Type: "json-file", Config: map[string]string{}},
			MaskedPaths: []string{"/proc/kcore"}, ReadonlyPaths: []string{"/proc/sys"},
		},
		NetworkSettings: &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{
			"bridge": {NetworkID: strings.Repeat("b", 64), EndpointID: strings.Repeat("e", 64)},
		}},
	}
	if change != nil {
		change(&raw)
	}
	data, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	in, err := ReadInspect(data)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// copyOf copies a container from an engine that speaks API 1.41 and fails the
// test when that is refused.
func copyOf(t *testing.T, in Inspected, image ImageConfig) Recipe {
	t.Helper()
	r, found := Copy(Source{Container: in, Image: &image, API: "1.41", Reference: "new"})
	if len(found.Refusals) > 0 {
		t.Fatalf("refused: %q", found.Refusals)
	}
	return r
}
