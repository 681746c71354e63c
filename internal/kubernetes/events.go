package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
)

// maxEvents bounds the events of one object. A cluster keeps them for an hour, and
// counts repetitions instead of listing them.
const maxEvents = 200

// events are what the cluster has noted about one object, oldest first.
func (c *Cluster) events(ctx context.Context, of types.UID) ([]corev1.Event, error) {
	found, err := c.api.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.uid", string(of)).String(),
		Limit:         maxEvents,
	})
	if err != nil {
		return nil, c.explain("listing events", err)
	}
	slices.SortStableFunc(found.Items, func(a, b corev1.Event) int { return lastSeen(&a).Compare(lastSeen(&b)) })
	return found.Items, nil
}

// lastSeen is when an event happened last; its fields differ by who wrote it.
func lastSeen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil && !e.Series.LastObservedTime.IsZero():
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// describe is an event on one line.
func describe(e *corev1.Event) string {
	count := e.Count
	if e.Series != nil {
		count = e.Series.Count
	}
	times := ""
	if count > 1 {
		times = fmt.Sprintf(" (%d times)", count)
	}
	return clean(fmt.Sprintf("%s %s %s%s: %s", lastSeen(e).UTC().Format(time.TimeOnly), cmp.Or(e.Type, "Normal"), e.Reason, times, e.Message), 1000)
}
