package kubernetes

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
)

// Where the gateway finds a CA bundle: in a directory of its own, which is no other
// mount's, and not in /tmp, where the gateway writes.
const (
	bundleDir    = "/etc/aigw-ci"
	bundleKey    = "ca-bundle.pem"
	bundlePath   = bundleDir + "/" + bundleKey
	bundleVolume = "aigw-ci-ca"
)

// bundleVariables point the gateway's HTTP clients to its CA bundle. The requests
// library reads one, httpx only the other. Source:
// docs.gitlab.com/install/install_ai_gateway; ai-assist, config.py.
var bundleVariables = []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}

// The chart's values that are lists of Kubernetes' own objects.
const (
	keyEnvironment = "extraEnvironmentVariables"
	keyVolumes     = "volumes"
	keyMounts      = "volumeMounts"
)

// itemKey is what tells the items of a list apart, for the lists that both settings
// and administrators write to; "" for every other list, which is one value. It is the
// key by which Kubernetes merges the same lists of a container.
func itemKey(path string) string {
	switch path {
	case keyEnvironment, keyVolumes:
		return "name"
	case keyMounts:
		return "mountPath"
	}
	return ""
}

// mergeItems keeps base's items but for those that top has too, and then top's: what
// was said last wins, and may refer to a variable before it.
func mergeItems(key string, base, top []any) []any {
	var out []any
	for _, item := range base {
		name, named := itemName(key, item)
		if !named || !slices.ContainsFunc(top, func(t any) bool { n, ok := itemName(key, t); return ok && n == name }) {
			out = append(out, duplicateAny(item))
		}
	}
	for _, item := range top {
		out = append(out, duplicateAny(item))
	}
	return out
}

func itemName(key string, item any) (name string, ok bool) {
	m, _ := item.(values)
	name, ok = m[key].(string)
	return name, ok
}

// items are the values by which the material reaches the gateway: variables as such
// when they are public and by reference when they are not, and the CA bundle as a
// file. A declared variable wins over one of the same name in the release.
func (m material) items() values {
	var env []any
	for _, v := range m.variables {
		if v.secret == "" {
			env = append(env, values{"name": v.name, "value": v.value})
			continue
		}
		env = append(env, values{"name": v.name, "valueFrom": values{
			"secretKeyRef": values{"name": v.secret, "key": v.name},
		}})
	}
	v := values{}
	if m.ca != "" {
		for _, name := range bundleVariables {
			env = append(env, values{"name": name, "value": bundlePath})
		}
		v[keyVolumes] = []any{values{"name": bundleVolume, "configMap": values{"name": m.ca}}}
		v[keyMounts] = []any{values{"name": bundleVolume, "mountPath": bundleDir, "readOnly": true}}
	}
	if len(env) > 0 {
		v[keyEnvironment] = env
	}
	return v
}

// environment adds the material's items to derived, after a look at the lists of the
// release that they will be merged with.
func (m material) environment(derived, own values) error {
	items := m.items()
	for key, list := range items {
		have, there := own[key]
		if !there || have == nil {
			derived[key] = list
			continue
		}
		theirs, ok := have.([]any)
		if !ok || slices.ContainsFunc(theirs, func(item any) bool { _, named := itemName(itemKey(key), item); return !named }) {
			return fmt.Errorf("the release's value %s is not a list of items that each have a %s, so nothing can be added to it: correct it with helm, or in kubernetes.values", key, itemKey(key))
		}
		derived[key] = list
	}
	return m.overlaps(own)
}

// overlaps refuses a mount of somebody else's where the CA bundle belongs.
func (m material) overlaps(v values) error {
	mounts, _ := v[keyMounts].([]any)
	for _, mount := range mounts {
		at, _ := itemName("mountPath", mount)
		if volume, _ := itemName("name", mount); m.ca == "" || volume == bundleVolume {
			continue
		}
		if at = path.Clean("/" + at); at == "/" || at == bundleDir || strings.HasPrefix(bundleDir, at+"/") || strings.HasPrefix(at, bundleDir+"/") {
			return fmt.Errorf("the CA bundle belongs at %s, but %s has a mount at %s: mount the bundle yourself and declare SSL_CERT_FILE and REQUESTS_CA_BUNDLE", bundlePath, keyMounts, clean(at, 100))
		}
	}
	return nil
}

// contradicts refuses a variable that is declared twice and differently. Which of the
// two is meant only the user knows.
func (m material) contradicts(declared values) error {
	items := m.items()
	list, _ := declared[keyEnvironment].([]any)
	for _, item := range list {
		name, _ := itemName("name", item)
		ours, _ := items[keyEnvironment].([]any)
		for _, o := range ours {
			if n, _ := itemName("name", o); n == name && !reflect.DeepEqual(o, item) {
				return fmt.Errorf("the variable %s is declared twice: by the settings of the gateway and by %s in kubernetes.values; remove one of them", clean(name, 100), keyEnvironment)
			}
		}
	}
	return m.overlaps(declared)
}
