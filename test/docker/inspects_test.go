//go:build docker

package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"aigw-ci/internal/lab/dockerd"
)

// flatten writes an inspect down as paths and values: "HostConfig.Memory" -> "1". The
// elements of a list are known by what names them, where something does.
func flatten(t testing.TB, raw []byte) map[string]string {
	t.Helper()
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	leaves := make(map[string]string)
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(path+"."+key, value)
			}
		case []any:
			for i, element := range v {
				key := strconv.Itoa(i)
				switch e := element.(type) {
				case map[string]any:
					for _, name := range []string{"Destination", "Target", "Name", "PathInContainer"} {
						if s, ok := e[name].(string); ok {
							key = s
						}
					}
				case string:
					name, value, _ := strings.Cut(e, "=")
					switch {
					case strings.HasSuffix(path, ".Env"):
						key, element = name, value
					case strings.HasSuffix(path, ".Aliases"):
						key, element = e, "" // in no order
					}
				}
				walk(path+"["+key+"]", element)
			}
		case nil:
		default:
			leaves[strings.TrimPrefix(path, ".")] = fmt.Sprint(v)
		}
	}
	walk("", tree)
	return leaves
}

// own are the fields that belong to one container and to no other: its identity, its
// process, the addresses it happened to get, and where the engine keeps its files. A
// generated host name and alias are the container's short ID. Everything else is a
// setting.
var own = regexp.MustCompile(`^(Id|Created|Image|(Hostname|Hosts|Log|ResolvConf)Path|State\..*|ExecIDs\[.*|GraphDriver\..*` +
	`|Config\.Labels\.aigw-ci\..*` +
	`|NetworkSettings\.(SandboxID|SandboxKey|EndpointID|IPAddress|MacAddress)` +
	`|NetworkSettings\.Networks\.[^.]*\.(EndpointID|IPAddress|MacAddress|(Aliases|DNSNames)\[[0-9a-f]{12}\]))$`)

// changedSettings compares two containers, field by field, and returns the paths of
// what differs: "-path" is gone, "+path" is new, "~path" has another value.
func changedSettings(t testing.TB, before, after *dockerd.Container) []string {
	t.Helper()
	a, b := flatten(t, before.Raw), flatten(t, after.Raw)
	for c, leaves := range map[*dockerd.Container]map[string]string{before: a, after: b} {
		if leaves["Config.Hostname"] == c.ID[:12] {
			delete(leaves, "Config.Hostname")
		}
	}
	var changed []string
	for path := range maps.Keys(a) {
		switch value, there := b[path]; {
		case own.MatchString(path):
		case !there:
			changed = append(changed, "-"+path+" "+a[path])
		case value != a[path]:
			changed = append(changed, "~"+path+" "+a[path]+" -> "+value)
		}
	}
	for path := range maps.Keys(b) {
		if _, there := a[path]; !there && !own.MatchString(path) {
			changed = append(changed, "+"+path+" "+b[path])
		}
	}
	slices.Sort(changed)
	return changed
}
