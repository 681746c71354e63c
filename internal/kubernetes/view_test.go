package kubernetes

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// viewOf is a handle on a gateway whose pod, or whose Deployment, is changed.
func viewOf(running bool, change func(*corev1.PodSpec, *corev1.Container), objects ...runtime.Object) *handle {
	d, _ := deployed(gatewayImage)
	spec := &d.Spec.Template.Spec
	change(spec, &spec.Containers[0])
	s := replicaSet(d, "ai-gateway-new")
	objects = append(objects, d, s)
	if running {
		objects = append(objects, podOf(s, "ai-gateway-new-1", nil))
	}
	return &handle{cluster: fakeCluster(objects...), workload: theWorkload}
}

func configMapOf(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "gateway"}, Data: data}
}

func secretOf(name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "gateway"}, Data: data}
}

func fromConfigMapOf(name string) corev1.EnvFromSource {
	return corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
}

func fromSecretOf(name string) corev1.EnvFromSource {
	return corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
}

func TestGitLabURLOfAGateway(t *testing.T) {
	t.Parallel()
	const url = "https://gitlab.example.com"
	chart := configMapOf("ai-gateway", map[string]string{"AIGW_GITLAB_URL": url})
	for name, tt := range map[string]struct {
		change  func(*corev1.PodSpec, *corev1.Container)
		objects []runtime.Object
		want    string
		hidden  bool
	}{
		"as the chart has it": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{fromConfigMapOf("ai-gateway"), fromSecretOf("ai-gateway")}
		}, []runtime.Object{chart}, url, false},
		"a variable of its own": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{fromConfigMapOf("ai-gateway")}
			c.Env = []corev1.EnvVar{{Name: "AIGW_GITLAB_URL", Value: "https://other.example.com"}}
		}, []runtime.Object{chart}, "https://other.example.com", false},
		"empty": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{fromConfigMapOf("ai-gateway"), fromSecretOf("ai-gateway")}
		}, []runtime.Object{configMapOf("ai-gateway", map[string]string{"AIGW_GITLAB_URL": ""})}, "", false},
		"not set": {func(*corev1.PodSpec, *corev1.Container) {}, nil, "", false},
		"maybe in a Secret": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{fromSecretOf("mine")}
		}, []runtime.Object{secretOf("mine", map[string][]byte{"AIGW_GITLAB_URL": []byte(url)})}, "", true},
		"in a Secret, over the chart's": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{fromConfigMapOf("ai-gateway")}
			c.Env = []corev1.EnvVar{{Name: "AIGW_GITLAB_URL", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "url"}}}}
		}, []runtime.Object{chart}, "", true},
		"put together by the node": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "AIGW_GITLAB_URL", Value: "https://$(HOST)"}}
		}, nil, "", true},
	} {
		for _, running := range []bool{true, false} {
			got, err := viewOf(running, tt.change, tt.objects...).GitLabURL(t.Context())
			if got != tt.want || (err != nil) != tt.hidden {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

func TestAuthoritiesOfAGateway(t *testing.T) {
	t.Parallel()
	trusts := func(file string, volume corev1.VolumeSource, mount corev1.VolumeMount) func(*corev1.PodSpec, *corev1.Container) {
		return func(p *corev1.PodSpec, c *corev1.Container) {
			c.EnvFrom = []corev1.EnvFromSource{fromSecretOf("ai-gateway")} // GitLab's chart always has it
			c.Env = []corev1.EnvVar{{Name: "SSL_CERT_FILE", Value: file}}
			mount.Name = "ca"
			c.VolumeMounts = []corev1.VolumeMount{{Name: "outer", MountPath: "/"}, mount}
			p.Volumes = []corev1.Volume{{Name: "outer", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}, {Name: "ca", VolumeSource: volume}}
		}
	}
	object := corev1.LocalObjectReference{Name: "ca"}
	configMap := corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: object}}
	items := []corev1.KeyToPath{{Key: "root.pem", Path: "certs/all.pem"}}
	directory, whole := corev1.VolumeMount{MountPath: "/etc/ca/"}, map[string][]byte{"SSL_CERT_FILE": []byte("PEM")}
	absent := map[string][]byte{"SSL_CERT_FILE": nil}
	data := configMapOf("ca", map[string]string{"root.pem": "PEM"})
	for name, tt := range map[string]struct {
		change  func(*corev1.PodSpec, *corev1.Container)
		object  runtime.Object
		want    map[string][]byte
		problem string
	}{
		"none":                    {func(*corev1.PodSpec, *corev1.Container) {}, nil, map[string][]byte{}, ""},
		"a ConfigMap":             {trusts("/etc/ca/root.pem", configMap, directory), data, whole, ""},
		"without the file":        {trusts("/etc/ca/other.pem", configMap, directory), data, absent, ""},
		"a ConfigMap that is not": {trusts("/etc/ca/root.pem", configMap, directory), nil, absent, ""},
		"binary": {trusts("/etc/ca/root.pem", configMap, directory),
			&corev1.ConfigMap{ObjectMeta: data.ObjectMeta, BinaryData: map[string][]byte{"root.pem": []byte("PEM")}}, whole, ""},
		"one file of it":              {trusts("/etc/ca.pem", configMap, corev1.VolumeMount{MountPath: "/etc/ca.pem", SubPath: "root.pem"}), data, whole, ""},
		"under another name":          {trusts("/etc/ca/certs/all.pem", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: object, Items: items}}, directory), data, whole, ""},
		"its key, under another name": {trusts("/etc/ca/root.pem", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: object, Items: items}}, directory), data, absent, ""},
		"a Secret": {trusts("/etc/ca/root.pem", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "ca"}}, directory),
			secretOf("ca", map[string][]byte{"root.pem": []byte("PEM")}), whole, ""},
		"projected": {trusts("/etc/ca/root.pem", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: object}}, {Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}}},
		}}}, directory), data, whole, ""},
		"on a disk": {trusts("/etc/ca/root.pem", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}, directory), nil, nil, "files of its own"},
		"in an image": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "SSL_CERT_FILE", Value: "/ca.pem"}}
		}, nil, nil, "it is in the image"},
		"by a pattern": {trusts("/etc/ca/root.pem", configMap, corev1.VolumeMount{MountPath: "/etc/ca", SubPathExpr: "$(A)"}), data, nil, "cannot be told"},
		"from a Secret": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "REQUESTS_CA_BUNDLE", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{}}}}
		}, nil, nil, "not read, such as a Secret"},
	} {
		var objects []runtime.Object
		if tt.object != nil {
			objects = append(objects, tt.object)
		}
		got, err := viewOf(true, tt.change, objects...).Authorities(t.Context())
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if (err != nil) != (tt.problem != "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
