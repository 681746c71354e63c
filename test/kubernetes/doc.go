// Package kubernetes tests the built program on a real cluster: the real binary, a
// real kubelet with real pods, the command lines of helm 3 and helm 4 for what a person
// does by hand, and the lab's GitLab, registry and chart repository on an address that
// pods reach.
//
// Nothing of the program is imported. The cluster is spoken to with kubectl, so that
// nothing here shares a mistake with the program's own client.
//
// The tests carry the build tag kubernetes and run in a cluster of their own:
//
//	scripts/with-cluster go test -tags kubernetes -run TestX ./test/kubernetes
//
// What is missing is an error that says how to get it, never a skip.
//
// # What a test has
//
// newWorld gives a test an estate of its own (GitLab 18.2.1, a registry with every
// release, a chart repository with charts 0.5.0 and 0.15.1) and a namespace of its
// own, which ends with the test. Then:
//
//	w.publish(tag, mode)            releases a gateway, of package lab/gateway's modes
//	w.estate.SetVersion("18.3.6-ee")  upgrades GitLab
//	w.byHand(4, "0.15.1", tag)      installs as the documentation says, with helm 4
//	w.helm(3, "history", release)   any command of helm 3 or 4, in the namespace
//	w.kubectl("get", "pods")        any command of kubectl, in the namespace
//	w.run("upgrade", 0, "installed")  the program, its exit code and outcome
//	w.start("upgrade").kill()       the program, interrupted
//	w.service()                     the gateway's address through its Service
//	w.forward("svc/ai-gateway")     the same, through a port-forward
//	w.get("pods", "{.items}")       a field of an object
//	w.eventually("a pod", check)    waits
//	w.unchanged(w.snapshot())       nobody wrote to any object
//	w.rewrite(2, status("failed"))  what Helm has recorded of a revision
//	w.runs(tag)                     one right gateway, and nothing left behind
//	w.as(account)                   a kubeconfig for a service account
//	w.chartsURL, w.chartsOCI        where the charts are
//	w.charts, w.estate.Registry     to switch faults on, and to see what was asked
//
// Images have the same name for the program and for pods: 127.0.0.1:PORT/..., which
// the node's containerd is told to get from this machine. GitLab is at an address that
// is this machine's for everybody.
package kubernetes
