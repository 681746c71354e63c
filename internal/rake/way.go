package rake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Task is the rake task's name. It has been the same since the first release that
// has it.
const Task = "gitlab:duo:verify_self_hosted_setup"

// Runner runs a command on the GitLab node, without a terminal and without input.
type Runner interface {
	// Run waits for the command's end. What it wrote is bounded: a command that
	// writes more than the runner takes is an error. An error means that the command
	// was not started or its end not seen; its exit status says nothing then. Text
	// after the error's first line is what to do about it.
	Run(ctx context.Context, command []string) (stdout, stderr []byte, exit int, err error)
}

// RunnerFunc makes a Runner of a function.
type RunnerFunc func(ctx context.Context, command []string) (stdout, stderr []byte, exit int, err error)

// Run calls f.
func (f RunnerFunc) Run(ctx context.Context, command []string) (stdout, stderr []byte, exit int, err error) {
	return f(ctx, command)
}

// Kind is the kind of a way to the GitLab node.
type Kind string

const (
	Local      Kind = "local"      // this machine is the GitLab node
	Docker     Kind = "docker"     // a container of the engine that the gateway runs on
	Kubernetes Kind = "kubernetes" // the toolbox of a GitLab chart
	SSH        Kind = "ssh"        // another machine
)

// Way is a way to the GitLab node: the setting verify.rake.
type Way struct {
	Kind Kind
	Name string // Docker: the container; Kubernetes: the namespace

	User, Host string // SSH
	Port       int    // SSH
}

var errWay = errors.New("a way to the GitLab node is one of: local, docker:NAME, kubernetes:NAMESPACE, ssh:USER@HOST, ssh:USER@HOST:PORT")

// The names that may stand in a way. Sources: moby/moby daemon/names for containers,
// RFC 1123 for namespaces and hosts, useradd(8) for users, with the capitals and dots
// that directories give them.
var (
	containerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{1,127}$`)
	namespaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hostName      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
	loginName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)
)

// Parse reads the setting verify.rake; an empty one is the zero Way. Errors do not
// repeat the setting: somebody may have written a password into it.
func Parse(setting string) (Way, error) {
	kind, rest, named := strings.Cut(setting, ":")
	switch {
	case setting == "":
		return Way{}, nil
	case setting == string(Local):
		return Way{Kind: Local}, nil
	case !named:
		return Way{}, errWay
	}
	switch Kind(kind) {
	case Docker:
		if containerName.MatchString(rest) {
			return Way{Kind: Docker, Name: rest}, nil
		}
		return Way{}, fmt.Errorf("after docker: stands no container's name: %w", errWay)
	case Kubernetes:
		if namespaceName.MatchString(rest) {
			return Way{Kind: Kubernetes, Name: rest}, nil
		}
		return Way{}, fmt.Errorf("after kubernetes: stands no namespace: %w", errWay)
	case SSH:
		return parseSSH(rest)
	}
	return Way{}, errWay
}

func parseSSH(s string) (Way, error) {
	user, address, found := strings.Cut(s, "@")
	if !found || !loginName.MatchString(user) {
		return Way{}, fmt.Errorf("after ssh: stands no user of the GitLab node: %w", errWay)
	}
	host, digits := address, "22"
	if colon := strings.LastIndexByte(address, ':'); colon > strings.LastIndexByte(address, ']') {
		host, digits = address[:colon], address[colon+1:]
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 || digits[0] == '0' || digits[0] == '+' {
		return Way{}, fmt.Errorf("the port of the GitLab node is no number from 1 to 65535: %w", errWay)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return Way{}, fmt.Errorf("the brackets hold no IPv6 address: %w", errWay)
		}
		return Way{Kind: SSH, User: user, Host: addr.String(), Port: int(port)}, nil
	}
	if len(host) > 253 || !hostName.MatchString(host) {
		return Way{}, fmt.Errorf("after the @ stands no host: %w", errWay)
	}
	return Way{Kind: SSH, User: user, Host: host, Port: int(port)}, nil
}

// String is the way as it is set; Parse reads it back.
func (w Way) String() string {
	switch w.Kind {
	case "", Local:
		return string(w.Kind)
	case SSH:
		host := w.Host
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if w.Port != 22 {
			host += ":" + strconv.Itoa(w.Port)
		}
		return "ssh:" + w.User + "@" + host
	}
	return string(w.Kind) + ":" + w.Name
}

// URL is the address of an SSH way, "ssh://user@host:port".
func (w Way) URL() string {
	return "ssh://" + w.User + "@" + net.JoinHostPort(w.Host, strconv.Itoa(w.Port))
}

// userName is what a GitLab user can be called. A rake task takes its arguments from
// between brackets, divided by commas: neither is in a name.
// Source: docs.gitlab.com/user/reserved_names.
var userName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}$`)

// Command is the task's command line on the GitLab node, one word for each argument;
// a way that leads through a shell has to quote them. An empty user is the task's
// default. The containers of GitLab's images run as the right user; elsewhere the
// task needs root (docs.gitlab.com/administration/raketasks/maintenance), and sudo
// must not ask for a password: nobody is there to type it.
func (w Way) Command(user string, root bool) ([]string, error) {
	task := Task
	if user != "" {
		if !userName.MatchString(user) {
			return nil, errors.New("that is no name of a GitLab user: letters, digits, dots, dashes and underscores are allowed")
		}
		task += "[" + user + "]"
	}
	command := []string{"gitlab-rake", task}
	if w.Kind == SSH && w.User != "root" || w.Kind == Local && !root {
		command = append([]string{"sudo", "-n"}, command...)
	}
	return command, nil
}
