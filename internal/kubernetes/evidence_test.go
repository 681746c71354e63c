package kubernetes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEvidenceShowsNoSecrets(t *testing.T) {
	t.Parallel()
	d, s := deployed(gatewayImage)
	env := []corev1.EnvVar{
		{Name: "ANTHROPIC_API_KEY", Value: theToken},
		{Name: "AIGW_GITLAB_URL", Value: "https://gitlab.example.com"},
	}
	d.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{" + theToken + "}", "meta.helm.sh/release-name": "ai-gateway"}
	d.Spec.Template.Spec.Containers[0].Env = env
	s.Spec.Template.Spec.Containers[0].Env = env
	p := podOf(s, "p", nil)
	p.Spec.InitContainers = []corev1.Container{{Name: "keys", Env: []corev1.EnvVar{{Name: "MINE", Value: "another-" + theToken}}}}
	event := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "gateway"}, InvolvedObject: corev1.ObjectReference{UID: p.UID}, Type: "Warning", Reason: "Failed", Message: "it said " + theToken}
	files, err := fakeCluster(d, s, p, event).gateway(theWorkload).Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		all.Write(f.Data)
	}
	if got := strings.Join(names, " "); got != "deployment.yaml pods.yaml events.txt logs-p-ai-gateway.txt" {
		t.Errorf("files %s", got)
	}
	if strings.Contains(all.String(), theToken) {
		t.Errorf("a secret is in the evidence:\n%s", &all)
	}
	for _, want := range []string{"ANTHROPIC_API_KEY", "https://gitlab.example.com", "release-name: ai-gateway", "Failed"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not in the evidence", want)
		}
	}
}
