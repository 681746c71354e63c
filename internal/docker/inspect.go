package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// Inspected is a container as the engine describes it.
type Inspected struct {
	container.InspectResponse

	// MAC is Config.MacAddress: an address the user chose, or nil. The engine
	// reports it up to API 1.51; our library's types no longer have it. Source:
	// moby, Engine API version history, v1.52.
	MAC network.HardwareAddr

	// Unknown names every setting that the engine reports with a value and our
	// library has no field for: "HostConfig.KernelMemory". Such a setting would be
	// lost in silence.
	Unknown []string
}

// ReadInspect reads the engine's answer to GET /containers/{id}/json. An answer
// without the parts that every container has is an error.
func ReadInspect(raw json.RawMessage) (Inspected, error) {
	var in Inspected
	if err := json.Unmarshal(raw, &in.InspectResponse); err != nil {
		return Inspected{}, fmt.Errorf("reading the engine's description of a container: %w", err)
	}
	if len(in.ID) < shortID || in.Config == nil || in.HostConfig == nil {
		return Inspected{}, errors.New("reading the engine's description of a container: Id, Config or HostConfig is missing")
	}
	if in.NetworkSettings == nil {
		in.NetworkSettings = &container.NetworkSettings{}
	}
	mac, err := chosenMAC(raw)
	if err != nil {
		return Inspected{}, fmt.Errorf("reading the engine's description of container %s: Config.MacAddress: %w", in.ID[:shortID], err)
	}
	in.MAC = mac
	if in.Unknown, err = unknownSettings(raw, in.InspectResponse); err != nil {
		return Inspected{}, fmt.Errorf("reading the engine's description of container %s: %w", in.ID[:shortID], err)
	}
	return in, nil
}

// shortID is the length of the shortened ID that the engine generates a hostname
// and a network alias from.
const shortID = 12

func chosenMAC(raw json.RawMessage) (network.HardwareAddr, error) {
	var legacy struct{ Config struct{ MacAddress string } }
	if err := json.Unmarshal(raw, &legacy); err != nil || legacy.Config.MacAddress == "" {
		return nil, err
	}
	mac, err := net.ParseMAC(legacy.Config.MacAddress)
	return network.HardwareAddr(mac), err
}

// settings are the parts of an inspect answer that make a container; the rest of
// the answer is its state.
type settings struct {
	Config          any
	HostConfig      any
	NetworkSettings struct{ Networks any }
}

// unknownSettings finds what decoding dropped: it encodes what was decoded and
// looks for every value of raw in it.
func unknownSettings(raw json.RawMessage, decoded container.InspectResponse) ([]string, error) {
	var told, kept settings
	if err := json.Unmarshal(raw, &told); err != nil {
		return nil, err
	}
	again, err := json.Marshal(decoded)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(again, &kept); err != nil {
		return nil, err
	}
	names := slices.Concat(
		dropped("Config", told.Config, kept.Config),
		dropped("HostConfig", told.HostConfig, kept.HostConfig),
		dropped("NetworkSettings.Networks", told.NetworkSettings.Networks, kept.NetworkSettings.Networks),
	)
	names = slices.DeleteFunc(names, func(n string) bool { return n == "Config.MacAddress" }) // read by chosenMAC
	slices.Sort(names)
	return names, nil
}

// dropped names the values below told that kept has no place for. Only places are
// compared: an address may be spelled differently after decoding.
func dropped(path string, told, kept any) []string {
	var names []string
	switch told := told.(type) {
	case map[string]any:
		kept, _ := kept.(map[string]any)
		for key, value := range told {
			if empty(value) {
				continue
			}
			if place, ok := kept[key]; ok {
				names = append(names, dropped(path+"."+key, value, place)...)
			} else {
				names = append(names, path+"."+key)
			}
		}
	case []any:
		kept, _ := kept.([]any)
		if len(kept) != len(told) {
			return []string{path}
		}
		for i := range told {
			names = append(names, dropped(fmt.Sprintf("%s[%d]", path, i), told[i], kept[i])...)
		}
	}
	return names
}

// empty reports whether a decoded JSON value says nothing: null, false, 0, "", or
// a list or object of such values.
func empty(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			if !empty(inner) {
				return false
			}
		}
		return true
	case []any:
		return !slices.ContainsFunc(v, func(inner any) bool { return !empty(inner) })
	default:
		return v == nil || v == false || v == 0.0 || v == ""
	}
}
