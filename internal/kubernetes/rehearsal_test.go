package kubernetes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const renderedRelease = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ai-gateway, labels: {app.kubernetes.io/name: ai-gateway}, annotations: {x: "1"}}
spec:
  replicas: 3
  strategy: {type: Recreate}
  selector: {matchLabels: {app.kubernetes.io/name: ai-gateway}}
  template:
    metadata:
      labels: {app.kubernetes.io/name: ai-gateway, team: assist}
      annotations: {checksum/config: abc, sidecar.example.com/inject: "true"}
    spec:
      serviceAccountName: ai-gateway
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      imagePullSecrets: [{name: registry}]
      nodeSelector: {disk: fast}
      affinity:
        nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: Exists}]}]}}
        podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app.kubernetes.io/name: ai-gateway}}}]}
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]
      initContainers:
      - name: prepare
        image: busybox
        envFrom: [{configMapRef: {name: ai-gateway}}]
      containers:
      - name: ai-gateway
        image: registry.example.com/gateway:2
        ports: [{containerPort: 5052, hostPort: 5052, name: api}]
        envFrom: [{configMapRef: {name: ai-gateway}}, {secretRef: {name: ai-gateway}}, {secretRef: {name: outside}}]
        env:
        - {name: A, valueFrom: {configMapKeyRef: {name: ai-gateway, key: a}}}
        - {name: B, valueFrom: {secretKeyRef: {name: ai-gateway-env-12345678, key: b}}}
        volumeMounts: [{name: models, mountPath: /models}, {name: shared, mountPath: /shared}, {name: cache, mountPath: /cache}]
      - {name: sidecar, image: nginx}
      volumes:
      - {name: config, configMap: {name: ai-gateway}}
      - {name: keys, secret: {secretName: ai-gateway}}
      - {name: both, projected: {sources: [{configMap: {name: ai-gateway}}, {secret: {name: ai-gateway}}, {secret: {name: outside}}]}}
      - {name: models, hostPath: {path: /models}}
      - {name: shared, persistentVolumeClaim: {claimName: shared}}
      - {name: cache, persistentVolumeClaim: {claimName: cache}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ai-gateway, labels: {app.kubernetes.io/name: ai-gateway}}
data: {a: new}
---
apiVersion: v1
kind: Secret
metadata: {name: ai-gateway}
type: Opaque
data: {b: b3Blbi1zZXNhbWU=}
---
apiVersion: v1
kind: Secret
metadata: {name: registry}
type: kubernetes.io/dockerconfigjson
data: {.dockerconfigjson: e30=}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {accessModes: [ReadWriteMany]}
---
apiVersion: v1
kind: Service
metadata: {name: ai-gateway}
`

func TestRehearsal(t *testing.T) {
	t.Parallel()
	live := func(kind, name string) bool { return kind == "PersistentVolumeClaim" || kind == "ServiceAccount" }
	w := workload{deployment: "ai-gateway", container: "ai-gateway", image: "registry.example.com/gateway:2"}
	r, err := rehearse(renderedRelease, w, "ai-gateway", live)
	if err != nil {
		t.Fatal(err)
	}
	var want []any
	for document := range documents(rehearsedRelease) {
		var v any
		if err := yaml.Unmarshal([]byte(document), &v); err != nil {
			t.Fatal(err)
		}
		want = append(want, v)
	}
	var got []any
	for _, o := range r.objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
	}
	if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool {
		last := p.Last().String()
		return strings.Contains(last, `"status"`) || strings.Contains(last, `"strategy"`) || strings.Contains(last, `"resources"`)
	}, cmp.Ignore())); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if r.workload.deployment != "ai-gateway-aigw-ci-rehearsal" || r.workload.container != "ai-gateway" || r.workload.image != w.image {
		t.Errorf("workload %+v", r.workload)
	}
	notes := strings.Join(r.notes, "\n")
	for _, part := range []string{"the labels team", "node's network", "leaves the ports", "models read-only", "shared read-only", "claim cache"} {
		if !strings.Contains(notes, part) {
			t.Errorf("no note tells of %q:\n%s", part, notes)
		}
	}
}

const rehearsedRelease = `
apiVersion: v1
kind: Secret
metadata: {name: registry-aigw-ci-rehearsal, labels: {aigw-ci/rehearsal: ai-gateway, app.kubernetes.io/managed-by: aigw-ci}}
type: kubernetes.io/dockerconfigjson
data: {.dockerconfigjson: e30=}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ai-gateway-aigw-ci-rehearsal, labels: {aigw-ci/rehearsal: ai-gateway, app.kubernetes.io/managed-by: aigw-ci}}
data: {a: new}
---
apiVersion: v1
kind: Secret
metadata: {name: ai-gateway-aigw-ci-rehearsal, labels: {aigw-ci/rehearsal: ai-gateway, app.kubernetes.io/managed-by: aigw-ci}}
type: Opaque
data: {b: b3Blbi1zZXNhbWU=}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ai-gateway-aigw-ci-rehearsal, labels: {aigw-ci/rehearsal: ai-gateway, app.kubernetes.io/managed-by: aigw-ci}}
spec:
  replicas: 1
  revisionHistoryLimit: 0
  selector: {matchLabels: {aigw-ci/rehearsal: ai-gateway}}
  template:
    metadata:
      labels: {aigw-ci/rehearsal: ai-gateway, app.kubernetes.io/managed-by: aigw-ci}
      annotations: {sidecar.example.com/inject: "true"}
    spec:
      serviceAccountName: ai-gateway
      dnsPolicy: ClusterFirst
      imagePullSecrets: [{name: registry-aigw-ci-rehearsal}]
      nodeSelector: {disk: fast}
      affinity:
        nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: Exists}]}]}}
      initContainers:
      - name: prepare
        image: busybox
        envFrom: [{configMapRef: {name: ai-gateway-aigw-ci-rehearsal}}]
      containers:
      - name: ai-gateway
        image: registry.example.com/gateway:2
        ports: [{containerPort: 5052, name: api}]
        envFrom: [{configMapRef: {name: ai-gateway-aigw-ci-rehearsal}}, {secretRef: {name: ai-gateway-aigw-ci-rehearsal}}, {secretRef: {name: outside}}]
        env:
        - {name: A, valueFrom: {configMapKeyRef: {name: ai-gateway-aigw-ci-rehearsal, key: a}}}
        - {name: B, valueFrom: {secretKeyRef: {name: ai-gateway-env-12345678, key: b}}}
        volumeMounts: [{name: models, mountPath: /models, readOnly: true}, {name: shared, mountPath: /shared, readOnly: true}, {name: cache, mountPath: /cache}]
      - {name: sidecar, image: nginx}
      volumes:
      - {name: config, configMap: {name: ai-gateway-aigw-ci-rehearsal}}
      - {name: keys, secret: {secretName: ai-gateway-aigw-ci-rehearsal}}
      - {name: both, projected: {sources: [{configMap: {name: ai-gateway-aigw-ci-rehearsal}}, {secret: {name: ai-gateway-aigw-ci-rehearsal}}, {secret: {name: outside}}]}}
      - {name: models, hostPath: {path: /models}}
      - {name: shared, persistentVolumeClaim: {claimName: shared}}
      - {name: cache, emptyDir: {}}
`

func TestRehearsalBeforeTheReleaseIsThere(t *testing.T) {
	t.Parallel()
	r, err := rehearse(renderedRelease, workload{deployment: "ai-gateway", container: "ai-gateway"}, "ai-gateway", func(string, string) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	pod := r.objects[len(r.objects)-1].(*appsv1.Deployment).Spec.Template.Spec
	if pod.ServiceAccountName != "" || pod.ImagePullSecrets[0] != (corev1.LocalObjectReference{Name: "registry-aigw-ci-rehearsal"}) {
		t.Errorf("account %q, pull secrets %v", pod.ServiceAccountName, pod.ImagePullSecrets)
	}
}

func TestRehearsalRefuses(t *testing.T) {
	t.Parallel()
	device := strings.ReplaceAll(renderedRelease, "{name: sidecar, image: nginx}", "{name: sidecar, image: nginx, volumeDevices: [{name: cache, devicePath: /dev/x}]}")
	for name, test := range map[string]struct {
		manifest string
		workload workload
		want     string
	}{
		"no deployment": {renderedRelease, workload{deployment: "other", container: "ai-gateway"}, "renders no Deployment other"},
		"no container":  {renderedRelease, workload{deployment: "ai-gateway", container: "other"}, "has no container other"},
		"block device":  {device, workload{deployment: "ai-gateway", container: "ai-gateway"}, "block device"},
		"not valid":     {strings.ReplaceAll(renderedRelease, "replicas: 3", "replicas: open-sesame"), workload{deployment: "ai-gateway", container: "ai-gateway"}, "not one that Kubernetes understands"},
	} {
		_, err := rehearse(test.manifest, test.workload, "ai-gateway", func(string, string) bool { return true })
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}
