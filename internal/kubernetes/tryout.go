package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"aigw-ci/internal/upgrade"
)

// tryOut lets the API server go through every change without making it: schemas,
// rights, quotas, admission, and fields that somebody else owns.
func (t *Target) tryOut(ctx context.Context, b *blueprint) error {
	if b.install {
		_, err := t.cluster.api.CoreV1().Namespaces().Get(ctx, t.options.Namespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil // nothing can be tried in a namespace that is still to be made
		}
	}
	config, err := t.helm.configuration()
	if err != nil {
		return err
	}
	target, err := config.KubeClient.Build(bytes.NewBufferString(b.manifest), true)
	if err != nil {
		return t.refused(err)
	}
	if b.install {
		_, err = config.KubeClient.Create(target, kube.ClientCreateOptionServerSideApply(true, false), kube.ClientCreateOptionDryRun(true))
		return t.refused(err)
	}
	current, err := config.KubeClient.Build(bytes.NewBufferString(b.observed.Manifest), false)
	if err != nil {
		return t.refused(err)
	}
	// Helm deletes what is in the first list alone, in a dry run too. A release that was
	// applied from the client's side knows no owners, so nothing can be in conflict.
	owned := b.observed.ApplyMethod == "ssa"
	_, err = config.KubeClient.Update(current.Intersect(target), target,
		kube.ClientUpdateOptionDryRun(true), kube.ClientUpdateOptionServerSideApply(true, !owned))
	return t.refused(err)
}

// refused puts what the API server does not accept into words; other errors pass.
func (t *Target) refused(err error) error {
	if err == nil {
		return nil
	}
	var reasons []string
	for _, r := range rejections(err, "") {
		reasons = append(reasons, r.reasons()...)
	}
	if len(reasons) == 0 {
		return t.cluster.explain("trying out the upgrade", err)
	}
	return &upgrade.RefusedError{Place: t.Place(), Reasons: reasons}
}

// rejection is one object that the API server does not accept as it would be.
type rejection struct {
	object string // "Deployment/ai-gateway"
	status metav1.Status
}

// applying is how Helm names the object in the text of an error, and nowhere else.
var applying = regexp.MustCompile(`object [^ /]+/([^ ]+) [^ ]+, Kind=([A-Za-z]+)`)

// rejections are all that are in an error and the errors within it.
func rejections(err error, object string) (all []rejection) {
	var temporary interface{ Temporary() bool }
	if errors.As(err, &temporary) && temporary.Temporary() {
		return nil
	}
	switch e := err.(type) {
	case apierrors.APIStatus:
		s := e.Status()
		if s.Details != nil && s.Details.Name != "" {
			object = s.Details.Kind + "/" + s.Details.Name
		}
		if s.Code >= 400 && s.Code < 500 && s.Code != http.StatusTooManyRequests && s.Code != http.StatusUnauthorized {
			return []rejection{{object: clean(cmp.Or(object, "an object"), 300), status: s}}
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, rejections(inner, object)...)
		}
	case interface{ Unwrap() error }:
		if named := applying.FindStringSubmatch(err.Error()); named != nil {
			object = named[2] + "/" + named[1]
		}
		return rejections(e.Unwrap(), object)
	}
	return all
}

// reasons puts a rejection into words: a conflict by field and owner, with the way out;
// anything else as the API server puts it.
func (r rejection) reasons() (reasons []string) {
	s := r.status
	if s.Reason == metav1.StatusReasonConflict && s.Details != nil {
		for _, c := range s.Details.Causes {
			if c.Type == metav1.CauseTypeFieldManagerConflict {
				reasons = append(reasons, fmt.Sprintf("the field %s of %s was changed outside of Helm (%s): to keep it, set the same value in kubernetes.values; to drop it, run `helm upgrade --reuse-values --force-conflicts` once",
					clean(c.Field, 400), r.object, clean(strings.TrimPrefix(c.Message, "conflict with "), 200)))
			}
		}
	}
	if len(reasons) == 0 {
		reasons = []string{r.object + ": " + clean(s.Message, 400)}
	}
	return reasons
}
