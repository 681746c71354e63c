package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aigw-ci/internal/secret"
)

func TestKubernetesFromEverySource(t *testing.T) {
	t.Parallel()
	cert, key := pair(t)
	in := files{"tls.crt": cert, "tls.key": key, "a.yml": "a: &x 1\nb: *x\n", "b.yml": "# nothing yet\n", "x.yml": "c: 1"}
	want := good(t, Sources{}, nil)
	want.Target = "kubernetes"
	want.Kubernetes = Kubernetes{
		Namespace: "duo", Release: "gateway", Context: "group/clusters:production",
		Chart:       Chart{Repository: "oci://registry.example.com/charts", Name: "aigw", Version: "0.15.1", User: "deploy", Password: "s3cr3t-word"},
		Host:        "aigw.example.com",
		TLSCertFile: "tls.crt", TLSKeyFile: "tls.key", TLSCert: []byte(cert), TLSKey: secret.Value(key),
		ValuesFiles: []string{"a.yml", "b.yml"},
		Inline:      "replicaCount: 2\npodLabels:\n    tier: \"0x10\"\n",
	}
	documents := func(setting string) []Document {
		return []Document{{"a.yml", []byte(in["a.yml"])}, {"b.yml", []byte(in["b.yml"])}, {setting, []byte(want.Kubernetes.Inline)}}
	}

	in[".aigw.yml"] = `
target: kubernetes
kubernetes:
  namespace: duo
  release: gateway
  context: group/clusters:production
  host: aigw.example.com
  tls_cert: tls.crt
  tls_key: tls.key
  chart:
    repository: oci://registry.example.com/charts/
    name: aigw
    version: 0.15.1
    user: deploy
    password: s3cr3t-word
  values_files: [a.yml, b.yml]
  values:
    replicaCount: 2
    podLabels:
      tier: "0x10"
`
	want.Kubernetes.Values = documents("kubernetes.values")
	if diff := cmp.Diff(want, good(t, Sources{}, in)); diff != "" {
		t.Errorf("from the file: %s", diff)
	}

	delete(in, ".aigw.yml")
	values := map[string]string{
		"target": "kubernetes", "kubernetes.namespace": "duo", "kubernetes.release": "gateway", "kubernetes.context": "group/clusters:production",
		"kubernetes.host": "aigw.example.com", "kubernetes.tls_cert": "tls.crt", "kubernetes.tls_key": "tls.key",
		"kubernetes.chart.repository": "oci://registry.example.com/charts", "kubernetes.chart.name": "aigw", "kubernetes.chart.version": "0.15.1",
		"kubernetes.chart.user": "deploy", "kubernetes.chart.password": "s3cr3t-word",
		"kubernetes.values_files": "a.yml, b.yml", "kubernetes.values": string(want.Kubernetes.Inline),
	}
	var environ, secrets []string
	flags := make(map[string]string)
	for name, value := range values {
		s, _ := named(name)
		environ = append(environ, s.Variable+"="+value)
		if s.Secret {
			secrets = append(secrets, s.Variable+"="+value)
		} else {
			flags[name] = value
		}
	}
	want.Kubernetes.Values = documents("AIGW_CI_KUBERNETES_VALUES")
	if diff := cmp.Diff(want, good(t, Sources{Environ: environ}, in)); diff != "" {
		t.Errorf("from the environment: %s", diff)
	}
	want.Kubernetes.Values = documents("--kubernetes-values")
	if diff := cmp.Diff(want, good(t, Sources{Environ: secrets, Flags: flags}, in)); diff != "" {
		t.Errorf("from the command line: %s", diff)
	}
}

// GitLab's agent sets nothing by itself: its page has users set KUBE_CONTEXT.
// Source: docs.gitlab.com/user/clusters/agent/ci_cd_workflow.
func TestKubeContext(t *testing.T) {
	t.Parallel()
	from := Sources{Environ: []string{"AIGW_CI_TARGET=kubernetes", "KUBE_CONTEXT=group/project:agent"}}
	if got := good(t, from, nil).Kubernetes.Context; got != "group/project:agent" {
		t.Errorf("context %q", got)
	}
	from.Environ = append(from.Environ, "AIGW_CI_KUBERNETES_CONTEXT=other")
	if got := good(t, from, nil).Kubernetes.Context; got != "other" {
		t.Errorf("context %q", got)
	}
}

// Values of the file are handed on as they are written: what a number is, Helm says.
func TestValuesStayAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	text := "target: kubernetes\nkubernetes:\n  values:\n    a: yes\n    b: 0x10\n    c: \"1\"\n    d: [1.50, ~]\n    e: |\n      two\n      lines\n    f: {}\n"
	got := good(t, Sources{}, files{".aigw.yml": text}).Kubernetes.Inline
	if diff := cmp.Diff(Mapping("a: yes\nb: 0x10\nc: \"1\"\nd: [1.50, ~]\ne: |\n    two\n    lines\nf: {}\n"), got); diff != "" {
		t.Error(diff)
	}
	if got := good(t, Sources{}, files{".aigw.yml": "target: kubernetes\nkubernetes: {values: {}}"}).Kubernetes; got.Inline != "" || got.Values != nil {
		t.Errorf("nothing in it: %+v", got)
	}
}

func FuzzMapping(f *testing.F) {
	for _, seed := range []string{"a: 1\n", "a: &x {b: *x}", "a: &x [1]\nb: *x", "? [c]\n: d", "<<: {a: 1}\na: 2", "a: !!binary x", "%YAML 1.1\n---\na: ~\n...", "a: |2\n  x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		wrong := mapping([]byte(text))
		if wrong != nil && (wrong.message == "" || wrong.line < 0 || len(wrong.message) > 300) {
			t.Errorf("%+v", wrong)
		}
	})
}
