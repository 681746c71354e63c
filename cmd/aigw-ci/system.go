package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"aigw-ci/internal/docker"
	"aigw-ci/internal/kubernetes"
)

// system is what a process is given. Nothing else of the program reads any of it,
// so that a test can run the whole program as often as it likes.
type system struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	executable     string // of this program; empty when unknown
	hostname       string
	root           bool // this process is the superuser
	pace           pace
}

// pace is how quickly the program looks again. Only tests, whose world is on this
// machine, are in a hurry; the zero pace is that of each package.
type pace struct {
	look    time.Duration // between two looks at a gateway
	lockTTL time.Duration // until a lock without a sign of life counts as a dead run's

	patience time.Duration // with a GitLab that restarts or is in maintenance
	window   time.Duration // for an answer to get on
}

// getenv reads an environment variable; the last one wins, as in a shell.
func (s system) getenv(name string) string {
	for i := len(s.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(s.environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// inGitLab reports whether this is a GitLab CI job.
func (s system) inGitLab() bool { return s.getenv("GITLAB_CI") == "true" }

// colour reports whether the log may use colour: GitLab shows it although there
// is no terminal, and no-color.org's variable switches it off everywhere.
func (s system) colour() bool {
	return s.getenv("NO_COLOR") == "" && (s.inGitLab() || s.terminal())
}

func (s system) terminal() bool {
	f, ok := s.stderr.(*os.File)
	if !ok || s.getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// who names this run to others: the job, or the person and the machine.
func (s system) who() string {
	if job := s.getenv("CI_JOB_URL"); job != "" {
		return job
	}
	user := s.getenv("USER")
	if user == "" {
		user = "somebody"
	}
	return user + "@" + s.hostname
}

// either reads a variable that may also be written in small letters.
func (s system) either(name string) string {
	if value := s.getenv(name); value != "" {
		return value
	}
	return s.getenv(strings.ToLower(name))
}

// proxyPasswords are what the proxies of the standard variables are shown: a proxy
// may repeat it in the page with which it refuses.
func (s system) proxyPasswords() []string {
	var all []string
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		address := s.either(name)
		if !strings.Contains(address, "://") {
			address = "http://" + address // as whoever goes through it reads it
		}
		u, err := url.Parse(address)
		if err != nil || u.User == nil {
			continue
		}
		password, has := u.User.Password()
		if !has { // a token alone
			password = u.User.Username()
		}
		all = append(all, password)
	}
	return all
}

// proxy is the proxy that the standard variables name.
func (s system) proxy() func(*http.Request) (*url.URL, error) {
	byURL := (&httpproxy.Config{
		HTTPProxy:  s.either("HTTP_PROXY"),
		HTTPSProxy: s.either("HTTPS_PROXY"),
		NoProxy:    s.either("NO_PROXY"),
		CGI:        s.getenv("REQUEST_METHOD") != "",
	}).ProxyFunc()
	return func(r *http.Request) (*url.URL, error) { return byURL(r.URL) }
}

// engine says where the Docker Engine is, as docker itself reads it.
func (s system) engine() docker.ConnectOptions {
	o := docker.ConnectOptions{
		Host:       s.getenv("DOCKER_HOST"),
		CertPath:   s.getenv("DOCKER_CERT_PATH"),
		TLSVerify:  s.getenv("DOCKER_TLS_VERIFY") != "",
		APIVersion: s.getenv("DOCKER_API_VERSION"),
		SSHAgent:   s.getenv("SSH_AUTH_SOCK"),
		KnownHosts: []string{"/etc/ssh/ssh_known_hosts"},
		Executable: s.executable,
		Run:        s.who(),
		UserAgent:  userAgent(),
	}
	if home := s.getenv("HOME"); home != "" {
		ssh := filepath.Join(home, ".ssh")
		o.KnownHosts = append(o.KnownHosts, filepath.Join(ssh, "known_hosts"))
		for _, key := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			o.SSHKeys = append(o.SSHKeys, filepath.Join(ssh, key))
		}
	}
	// File variables of the names that GitLab's page on SSH keys uses. Source:
	// docs.gitlab.com/ci/jobs/ssh_keys.
	if file := s.getenv("SSH_KNOWN_HOSTS"); filepath.IsAbs(file) {
		o.KnownHosts = append(o.KnownHosts, file)
	}
	if file := s.getenv("SSH_PRIVATE_KEY"); filepath.IsAbs(file) {
		o.SSHKeys = append(o.SSHKeys, file)
	}
	return o
}

// cluster says where the cluster is, as kubectl itself reads it.
func (s system) cluster() kubernetes.ConnectOptions {
	return kubernetes.ConnectOptions{
		Kubeconfig: s.getenv("KUBECONFIG"),
		Home:       s.getenv("HOME"),
		UserAgent:  userAgent(),
		Environ:    s.getenv,
	}
}

func userAgent() string { return "aigw-ci/" + release }
