package kubernetes

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"aigw-ci/internal/gateway"
)

// workload is the Deployment that runs the gateway.
type workload struct {
	deployment string
	container  string // the gateway's, within the pod
	image      string // as the manifest asks for it

	// passed is the ReplicaSet from before a change: whatever is wrong with it was
	// wrong before, see before. Empty: there is none.
	passed types.UID
}

// usualContainer is how GitLab's chart calls the gateway's container. Source:
// gitlab.com/gitlab-org/charts/ai-gateway-helm-chart, templates/deployment.yaml.
const usualContainer = "ai-gateway"

// maxManifest bounds a rendered release, in bytes. Helm stores it in a Secret of at
// most 1 MiB, compressed.
const maxManifest = 64 << 20

// gatewayIn finds the Deployment that runs the gateway in a rendered release: the
// one with a container whose image is a gateway image, or is in one of
// repositories (names without tag). Where several containers of one pod are, the one
// that GitLab's chart calls ai-gateway is meant; two Deployments are an error.
func gatewayIn(manifest string, repositories []string) (workload, error) {
	deployments, err := deploymentsIn(manifest)
	if err != nil {
		return workload{}, err
	}
	var found []workload
	var images []string
	for _, d := range deployments {
		containers := d.Spec.Template.Spec.Containers
		mine := slices.DeleteFunc(slices.Clone(containers), func(c corev1.Container) bool { return !gateway.IsGatewayRepository(c.Image, repositories...) })
		for _, c := range containers {
			images = append(images, clean(c.Image, 300))
		}
		if len(mine) == 0 {
			continue
		}
		usual := max(0, slices.IndexFunc(mine, func(c corev1.Container) bool { return c.Name == usualContainer }))
		found = append(found, workload{deployment: d.Name, container: mine[usual].Name, image: mine[usual].Image})
	}
	switch {
	case len(deployments) == 0:
		return workload{}, errors.New("the release has no Deployment: is this GitLab's ai-gateway chart?")
	case len(found) == 0:
		return workload{}, fmt.Errorf("no Deployment of the release runs a gateway image; the images are %s\n"+
			"a mirror under another name has to be named in image.repository", strings.Join(images, ", "))
	case len(found) > 1:
		return workload{}, fmt.Errorf("Deployments %s and %s of the release both run a gateway image, and only one can be looked after",
			found[0].deployment, found[1].deployment)
	}
	return found[0], nil
}

// deploymentsIn reads the Deployments out of YAML documents.
func deploymentsIn(manifest string) ([]appsv1.Deployment, error) {
	if len(manifest) > maxManifest {
		return nil, fmt.Errorf("the rendered release is longer than %d MiB", maxManifest>>20)
	}
	var found []appsv1.Deployment
	for document := range documents(manifest) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			return nil, fmt.Errorf("reading the rendered release: %w", err)
		}
		if head.Kind != "Deployment" || head.APIVersion != "apps/v1" {
			continue
		}
		var d appsv1.Deployment
		if err := yaml.Unmarshal([]byte(document), &d); err != nil {
			return nil, fmt.Errorf("reading a Deployment of the rendered release: %w", err)
		}
		if d.Name == "" {
			return nil, errors.New("reading a Deployment of the rendered release: it has no name")
		}
		found = append(found, d)
	}
	return found, nil
}

// documents are the YAML documents of a text. A line of three dashes begins one;
// within a block of text, where it could stand for itself, it is indented. Source:
// yaml.org/spec/1.2.2, 9.1.2.
func documents(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, at := 0, 0
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "---") && (len(line) == 3 || strings.ContainsAny(line[3:4], " \t\r\n")) {
				if at > start && !yield(text[start:at]) {
					return
				}
				start = at + 3
			}
			at += len(line)
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}
