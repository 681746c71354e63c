package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
)

// material is what the release's values refer to and do not hold, because it is
// secret or a file. Each object's name has a hash of its content, so that the values
// of an old revision still mean what they meant, and no object ever changes: Helm
// going back to a revision takes its certificates and secrets with it.
type material struct {
	objects []runtime.Object // *corev1.Secret and *corev1.ConfigMap, immutable

	tls       string // name of the Secret with the Ingress's certificate; "" for none
	ca        string // name of the ConfigMap with the CA bundle; "" for none
	variables []variable

	notes []string
}

// variable is one of the gateway's environment.
type variable struct {
	name   string
	value  string // empty when it is a secret's
	secret string // the Secret that has it under the same name; "" for a public one
}

// maxMaterial bounds what goes into one object, in bytes. The API server takes 1 MiB.
const maxMaterial = 900 << 10

// environmentName is what every Kubernetes takes as a variable and as a Secret's key.
var environmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,250}$`)

// material checks the certificates and makes the objects. Its errors speak of
// settings, and tell nothing of what is in them.
func (d Declared) material(release, namespace string, now time.Time) (material, error) {
	var m material
	maker := maker{release: release, namespace: namespace}
	certificate, err := d.tls(now)
	if err != nil {
		return material{}, err
	}
	if certificate != nil {
		o := maker.secret("tls", corev1.SecretTypeTLS, certificate.data)
		m.objects, m.tls = append(m.objects, o), o.Name
		m.notes = append(m.notes, certificate.notes...)
	}
	if d.CABundle != nil {
		bundle, notes, err := checkBundle(d.CABundle, now)
		if err != nil {
			return material{}, err
		}
		o := maker.configMap("ca", map[string]string{bundleKey: string(bundle)})
		m.objects, m.ca = append(m.objects, o), o.Name
		m.notes = append(m.notes, notes...)
	}
	hidden := make(map[string][]byte)
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		if err := checkVariable(name, d.Environment[name]); err != nil {
			return material{}, err
		}
		if m.ca != "" && slices.Contains(bundleVariables, name) && d.Environment[name].Reveal() != bundlePath {
			return material{}, fmt.Errorf("%s is declared, and gateway.ca_bundle sets it as well: remove one of them", name)
		}
		if value := d.Environment[name].Reveal(); !plain(name, value) {
			hidden[name] = []byte(value)
		}
	}
	var envName string
	if len(hidden) > 0 {
		o := maker.secret("env", corev1.SecretTypeOpaque, hidden)
		m.objects, envName = append(m.objects, o), o.Name
	}
	for _, name := range slices.Sorted(maps.Keys(d.Environment)) {
		v := variable{name: name, value: d.Environment[name].Reveal()}
		if _, secret := hidden[name]; secret {
			v.value, v.secret = "", envName
		}
		if m.ca == "" || !slices.Contains(bundleVariables, name) {
			m.variables = append(m.variables, v)
		}
	}
	return m, nil
}

// secrets are the values that no log may show.
func (m material) secrets() (all []string) {
	for _, o := range m.objects {
		s, ok := o.(*corev1.Secret)
		if !ok {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(s.Data)) {
			if key != corev1.TLSCertKey { // shown to everybody who connects
				all = append(all, string(s.Data[key]))
			}
		}
	}
	return all
}

// plain reports whether a variable may stand in the release's values, which everybody
// reads who may read the release: a public one, and one in which neither Kubernetes
// nor a template would see something to replace.
func plain(name, value string) bool {
	return gateway.Show(name, value) == value && !strings.Contains(value, "$(") && !strings.Contains(value, "{{")
}

func checkVariable(name string, value secret.Value) error {
	if !environmentName.MatchString(name) {
		return fmt.Errorf("%q is not a name that a variable can have in Kubernetes", clean(name, 100))
	}
	if strings.ContainsRune(value.Reveal(), 0) || len(value) > maxMaterial {
		return fmt.Errorf("the value of %s has a zero byte in it, or is larger than %d KiB", name, maxMaterial>>10)
	}
	return nil
}

// maker makes objects of a release.
type maker struct {
	release, namespace string
}

func (k maker) meta(what, hash string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      k.release + "-" + what + "-" + hash,
		Namespace: k.namespace,
		Labels:    map[string]string{labelManagedBy: managedBy, labelInstance: k.release},
	}
}

func (k maker) secret(what string, kind corev1.SecretType, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: k.meta(what, hash8(string(kind), data)),
		Immutable:  new(true),
		Type:       kind,
		Data:       data,
	}
}

func (k maker) configMap(what string, data map[string]string) *corev1.ConfigMap {
	bytes := make(map[string][]byte)
	for key, value := range data {
		bytes[key] = []byte(value)
	}
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: k.meta(what, hash8("ConfigMap", bytes)),
		Immutable:  new(true),
		Data:       data,
	}
}

// hash8 is the beginning of a hash of an object's content, the same in every run.
func hash8(kind string, data map[string][]byte) string {
	h := sha256.New()
	add := func(part string) { fmt.Fprintf(h, "%d:%s,", len(part), part) } // no two contents read the same
	add(kind)
	for _, key := range slices.Sorted(maps.Keys(data)) {
		add(key)
		add(string(data[key]))
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}
