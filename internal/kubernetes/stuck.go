package kubernetes

import (
	"fmt"
	"strings"
)

// StuckError says why a rollout cannot become ready. It is found long before Helm
// gives up waiting.
type StuckError struct {
	Reason    string   // in the cluster's word: "CrashLoopBackOff", "FailedScheduling"
	Pod       string   // empty when there is none: it could not even be made
	Message   string   // in the cluster's words
	Events    []string // the last ones of the pod, or of its ReplicaSet, oldest first
	LastLines []string // of the log of the container that is in trouble; they may hold secrets
}

func (e *StuckError) Error() string {
	s := "the new pods cannot become ready: " + e.Reason
	if e.Pod != "" {
		s = "pod " + e.Pod + " cannot become ready: " + e.Reason
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if len(e.Events) > 0 {
		s += "\nits last events:\n  " + strings.Join(e.Events, "\n  ")
	}
	if len(e.LastLines) > 0 {
		s += "\nits last log lines:\n  " + strings.Join(e.LastLines, "\n  ")
	}
	if remedy := remedies[e.Reason]; remedy != "" {
		s += "\n" + remedy
	}
	return s
}

// Judged reports whether the gateway itself was started and did not stay up, which is
// a verdict on the image. Otherwise the cluster could not even start it.
func (e *StuckError) Judged() bool {
	switch e.Reason {
	case reasonCrashLoop, reasonOOM, reasonDeadline:
		return true
	}
	return false
}

// Reasons for which a pod or a rollout is stuck. Sources: kubernetes/kubernetes
// pkg/kubelet/container/sync_result.go, pkg/kubelet/images/types.go,
// pkg/kubelet/kuberuntime/kuberuntime_container.go, and
// kubernetes.io/docs/concepts/workloads/controllers/deployment.
const (
	reasonCrashLoop   = "CrashLoopBackOff"
	reasonOOM         = "OOMKilled"
	reasonPull        = "ErrImagePull"
	reasonPullBackOff = "ImagePullBackOff"
	reasonNeverPull   = "ErrImageNeverPull"
	reasonImageName   = "InvalidImageName"
	reasonConfig      = "CreateContainerConfigError"
	reasonCreate      = "CreateContainerError"
	reasonRun         = "RunContainerError"
	reasonScheduling  = "FailedScheduling"
	reasonNotMade     = "FailedCreate"
	reasonMount       = "FailedMount"
	reasonDeadline    = "ProgressDeadlineExceeded"
	reasonRemoved     = "Removed" // our word: the cluster has none for what is gone
)

// hopeless are the reasons for which a container waits until a person does something.
var hopeless = map[string]bool{
	reasonNeverPull: true, reasonImageName: true, reasonConfig: true, reasonCreate: true, reasonRun: true,
}

var remedies = map[string]string{
	reasonCrashLoop:   "the gateway ends again and again: its last log lines say why",
	reasonOOM:         "give it more memory (resources.limits.memory): 512 MB is the least, 8 GB what GitLab recommends (docs.gitlab.com/install/install_ai_gateway)",
	reasonPull:        "can the nodes reach the registry, and do imagePullSecrets hold the credentials for it?",
	reasonPullBackOff: "can the nodes reach the registry, and do imagePullSecrets hold the credentials for it?",
	reasonNeverPull:   "image.pullPolicy is Never, and the node does not have the image: load it there, or change the policy",
	reasonImageName:   "correct image.repository and image.tag",
	reasonConfig:      "a Secret or ConfigMap that the pod refers to, or a key in it, is not there: its events name it",
	reasonScheduling:  "no node takes the pod: make room, or lower resources.requests; its events say what each node lacks",
	reasonNotMade:     "a quota, a policy or an admission webhook refuses the pods: raise the quota, or change the values that the policy names",
	reasonMount:       "a volume of the pod cannot be mounted: does the Secret, ConfigMap or claim exist?",
	reasonRemoved:     "somebody removed the Deployment during this run: run it again once they are done",
	reasonDeadline:    "the pods run and do not become ready: their log lines say why; raise the timeout if they only need longer",
}

func stuckf(reason, pod, format string, a ...any) *StuckError {
	return &StuckError{Reason: reason, Pod: pod, Message: clean(fmt.Sprintf(format, a...), 1000)}
}
