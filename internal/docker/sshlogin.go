package docker

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshLogin proves the two sides of an SSH connection to each other: the host by
// its key in known_hosts, the user by an agent or by key files. Passwords and
// questions are never asked: a job has nobody to answer them.
type sshLogin struct {
	host   hostAddress
	files  []string // the known_hosts files that exist
	check  ssh.HostKeyCallback
	kinds  []string // key algorithms under which the host is known
	agent  string
	keys   []ssh.Signer
	tried  []string // where keys came from, for the message when none is accepted
	missed []string // where none was
}

func newSSHLogin(host hostAddress, o ConnectOptions) (*sshLogin, error) {
	l := &sshLogin{host: host, agent: o.SSHAgent}
	if err := l.readKnownHosts(o.KnownHosts); err != nil {
		return nil, err
	}
	if err := l.readKeys(o.SSHKeys); err != nil {
		return nil, err
	}
	if l.agent == "" && len(l.keys) == 0 {
		return nil, fmt.Errorf("no key to log in to %s with: start an agent and set SSH_AUTH_SOCK, or give a private key without a passphrase (%s)",
			host, orNone(l.missed))
	}
	return l, nil
}

func (l *sshLogin) readKnownHosts(files []string) error {
	for _, name := range files {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		l.files = append(l.files, name)
	}
	check, err := knownhosts.New(l.files...)
	if err != nil {
		return fmt.Errorf("reading known hosts: %w: correct or remove that line", err)
	}
	l.check = check
	l.kinds = knownKinds(check, l.host.addr())
	return nil
}

// knownKinds are the algorithms of the keys under which a host is known. A server
// has keys of several kinds and shows one; asking for the known kinds keeps it
// from showing another, which would look like a changed key.
func knownKinds(check ssh.HostKeyCallback, addr string) []string {
	var unknown *knownhosts.KeyError
	if !errors.As(check(addr, &net.TCPAddr{}, noKey()), &unknown) {
		return nil
	}
	var kinds []string
	for _, known := range unknown.Want {
		if isAuthority(known) {
			return nil // the host proves itself by a certificate of any kind
		}
		switch kind := known.Key.Type(); kind {
		case ssh.KeyAlgoRSA: // signed with SHA-2, RFC 8332; SHA-1 is never accepted
			kinds = append(kinds, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// isAuthority reports whether a known_hosts line names an authority for host
// certificates; the library does not tell. Source: sshd(8), SSH_KNOWN_HOSTS FILE
// FORMAT, the marker "@cert-authority".
func isAuthority(known knownhosts.KnownKey) bool {
	data, err := os.ReadFile(known.Filename)
	if err != nil {
		return false
	}
	lines := strings.Split(string(data), "\n")
	return known.Line <= len(lines) && strings.HasPrefix(strings.TrimSpace(lines[known.Line-1]), "@cert-authority")
}

// noKey is a key that no host has, to make the known_hosts check tell what it
// knows of an address.
func noKey() ssh.PublicKey {
	key, err := ssh.NewPublicKey(make(ed25519.PublicKey, ed25519.PublicKeySize))
	if err != nil {
		panic("docker: " + err.Error()) // 32 bytes are an ed25519 key
	}
	return key
}

func (l *sshLogin) readKeys(files []string) error {
	for _, name := range files {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			l.missed = append(l.missed, name)
			continue
		}
		if err != nil {
			return fmt.Errorf("reading SSH key: %w", err)
		}
		key, err := ssh.ParsePrivateKey(data)
		var locked *ssh.PassphraseMissingError
		switch {
		case errors.As(err, &locked):
			return fmt.Errorf("SSH key %s has a passphrase: load it into an agent and set SSH_AUTH_SOCK, or use a key without one", name)
		case err != nil:
			return fmt.Errorf("SSH key %s is no private key in OpenSSH or PEM format: a key from a CI variable needs its line breaks and a final newline", name)
		}
		l.keys = append(l.keys, key)
		l.tried = append(l.tried, name)
	}
	return nil
}

// config is good for one login; done must be called after it.
func (l *sshLogin) config() (config *ssh.ClientConfig, done func(), err error) {
	done = func() {}
	signers := l.keys
	if l.agent != "" {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).Dial("unix", l.agent)
		switch {
		case err == nil:
			done = func() { _ = conn.Close() }
			_ = conn.SetDeadline(time.Now().Add(2 * dialTimeout))
			fromAgent, err := agent.NewClient(conn).Signers()
			if err != nil {
				done()
				return nil, nil, fmt.Errorf("asking the SSH agent at %s for keys: %w", l.agent, err)
			}
			signers = append(fromAgent, signers...)
		case len(l.keys) == 0:
			return nil, nil, fmt.Errorf("no SSH agent answers at %s: %w: start one, or give a private key", l.agent, err)
		}
	}
	return &ssh.ClientConfig{
		User:              l.host.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signers...)},
		HostKeyCallback:   l.checkHostKey,
		HostKeyAlgorithms: l.kinds,
	}, done, nil
}

func (l *sshLogin) checkHostKey(addr string, remote net.Addr, key ssh.PublicKey) error {
	err := l.check(addr, remote, key)
	if err == nil {
		return nil
	}
	return &hostKeyError{host: addr, key: key, files: l.files, cause: err}
}

// explain says why a handshake or login failed. The library tells only by text
// that no key was accepted.
func (l *sshLogin) explain(err error) error {
	var key *hostKeyError
	if errors.As(err, &key) {
		return key
	}
	if !strings.Contains(err.Error(), "unable to authenticate") {
		return fmt.Errorf("SSH handshake with %s: %w", l.host.addr(), err)
	}
	tried := l.tried
	if l.agent != "" {
		tried = append([]string{"agent " + l.agent}, tried...)
	}
	return fmt.Errorf("%s accepts none of our keys for user %s (%s): add the public key to that user's authorized_keys",
		l.host.addr(), l.host.User, strings.Join(tried, ", "))
}

func orNone(missed []string) string {
	if len(missed) == 0 {
		return "none was given"
	}
	return "not found: " + strings.Join(missed, ", ")
}

// hostKeyError says that an SSH server showed a key that is not the known one.
type hostKeyError struct {
	host  string
	key   ssh.PublicKey
	files []string
	cause error
}

func (e *hostKeyError) Unwrap() error { return e.cause }

func (e *hostKeyError) Error() string {
	shown := fmt.Sprintf("%s %s", e.key.Type(), ssh.FingerprintSHA256(e.key))
	var mismatch *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case errors.As(e.cause, &revoked):
		return fmt.Sprintf("the SSH host %s shows a revoked key, %s: do not connect; give the host a new key", e.host, shown)
	case errors.As(e.cause, &mismatch) && len(mismatch.Want) > 0:
		known := mismatch.Want[0]
		return fmt.Sprintf("the SSH host %s shows another key than the known one: %s instead of %s %s (%s, line %d)\n"+
			"either it was installed anew, or somebody is in between: ask its administrator for the fingerprint, and only then replace that line",
			e.host, shown, known.Key.Type(), ssh.FingerprintSHA256(known.Key), known.Filename, known.Line)
	case errors.As(e.cause, &mismatch):
		return fmt.Sprintf("the SSH host %s is not known: it shows %s\n"+
			"compare this fingerprint on the host (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), then add this line to known_hosts (%s):\n%s",
			e.host, shown, orNoFile(e.files), knownhosts.Line([]string{e.host}, e.key))
	}
	return fmt.Sprintf("the SSH host %s shows %s, which is refused: %s", e.host, shown, clean(e.cause.Error(), 500))
}

func orNoFile(files []string) string {
	if len(files) == 0 {
		return "no file was found"
	}
	return strings.Join(files, ", ")
}
