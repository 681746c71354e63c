// Toolbox stands in for the one of GitLab's chart, as far as one rake task goes. It
// waits to be told; as the interpreter of gitlab-rake it writes what GitLab's task
// does, and ends as that does. $SAYS names the file with the text, $EXITS the code.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) == 1 { // the pod's own process
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
		return
	}
	// toolbox rake /opt/gitlab/bin/gitlab-rake TASK
	if len(os.Args) != 4 || os.Args[3] != "gitlab:duo:verify_self_hosted_setup[root]" {
		fmt.Fprintf(os.Stderr, "Don't know how to build task %q\n", os.Args[1:])
		os.Exit(1)
	}
	text, err := os.ReadFile("/opt/gitlab/bin/" + os.Getenv("SAYS"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = os.Stdout.Write(text)
	code, _ := strconv.Atoi(os.Getenv("EXITS"))
	os.Exit(code)
}
