//go:build docker

package docker

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshd is a real OpenSSH server on loopback.
type sshd struct {
	url        string // of the engine behind it
	knownHosts string
	key        string // a private key file it accepts
	agent      string // an agent's socket, with the same key
}

func startSSHD(t *testing.T, settings ...string) sshd {
	t.Helper()
	dir := t.TempDir()
	privateKey := func(name string) (ssh.PublicKey, any) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), string(pem.EncodeToMemory(block)))
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return signer.PublicKey(), &key
	}
	hostKey, _ := privateKey("host")
	clientKey, held := privateKey("id_ed25519")
	writeFile(t, filepath.Join(dir, "authorized_keys"), string(ssh.MarshalAuthorizedKey(clientKey)))
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	writeFile(t, filepath.Join(dir, "known_hosts"), knownhosts.Line([]string{addr}, hostKey)+"\n")
	writeFile(t, filepath.Join(dir, "sshd_config"), strings.Join(append(settings,
		"ListenAddress 127.0.0.1", "Port "+port, "HostKey "+dir+"/host", "PidFile none",
		"AuthorizedKeysFile "+dir+"/authorized_keys", "StrictModes no", "UsePAM no",
		"PermitRootLogin yes", "PasswordAuthentication no", "AllowStreamLocalForwarding yes", ""), "\n"))

	// Where sshd separates its privileges; Debian's start script makes it. It stays:
	// the next server, perhaps one of a test at the same time, needs it too.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	server := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	server.Stderr = &said
	if err := server.Start(); err != nil {
		t.Fatalf("these tests need Debian's openssh-server: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("sshd: %s", &said)
		}
	})
	waitFor(t, addr)

	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: held}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "agent.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keyring, conn) }()
		}
	}()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return sshd{
		url:        fmt.Sprintf("ssh://%s@%s%s", me.Username, addr, strings.TrimPrefix(engineHost(), "unix://")),
		knownHosts: filepath.Join(dir, "known_hosts"),
		key:        filepath.Join(dir, "id_ed25519"),
		agent:      socket,
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func waitFor(t *testing.T, addr string) {
	t.Helper()
	for range 100 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nobody listens at %s", addr)
}

// Everything works through a real SSH server: the API, the lock, attached streams,
// and each road to a gateway.
func TestRealSSH(t *testing.T) {
	t.Parallel()
	s := startSSHD(t)
	e := connect(t, ConnectOptions{Host: s.url, KnownHosts: []string{s.knownHosts}, SSHAgent: s.agent, Executable: self(t)})
	platform, err := e.Platform(t.Context())
	if err != nil || !strings.HasPrefix(platform, "linux/") || e.Local() {
		t.Errorf("platform %q, %v, local %v", platform, err, e.Local())
	}
	name := unique("aigw-ci-test-ssh")
	lost, release, err := e.Lock(t.Context(), LockOptions{Container: name, Who: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	id := startGateway(t, e, func(o *client.ContainerCreateOptions) {
		o.Config.Hostname = "remote"
		o.HostConfig.PublishAllPorts = true
		o.Config.ExposedPorts = network.PortSet{network.MustParsePort("5052/tcp"): {}}
	})
	for _, test := range []struct {
		published bool
		via       string
	}{{true, "published port through ssh"}, {false, "container address through ssh"}} {
		if body, via := get(t, e.gateway(id, name, test.published)); body != "remote" || via != test.via {
			t.Errorf("published %v: %q by %q, want by %q", test.published, body, via, test.via)
		}
	}
	conn, err := e.gateway(id, name, false).DialFrom(t.Context(), "127.0.0.1:5052")
	if err != nil {
		t.Error(err)
	} else {
		_ = conn.Close()
	}
	alone := startGateway(t, e, func(o *client.ContainerCreateOptions) { o.HostConfig.NetworkMode = "none" })
	if _, via := get(t, e.gateway(alone, name, false)); via != "relay through the engine" {
		t.Errorf("a gateway without a network is reached by %q", via)
	}
	select {
	case <-lost:
		t.Error("the lock was lost")
	default:
	}
	if err := release(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestRealSSHRefuses(t *testing.T) {
	t.Parallel()
	s, closed := startSSHD(t), startSSHD(t, "AllowStreamLocalForwarding no")
	tests := []struct {
		name string
		o    ConnectOptions
		want string
	}{
		{"unknown host", ConnectOptions{Host: s.url, KnownHosts: []string{"/nonexistent"}, SSHKeys: []string{s.key}}, "is not known: it shows ssh-ed25519 SHA256:"},
		{"another user", ConnectOptions{Host: strings.Replace(s.url, "ssh://", "ssh://no-such-", 1), KnownHosts: []string{s.knownHosts}, SSHKeys: []string{s.key}}, "accepts none of our keys"},
		{"no forwarding", ConnectOptions{Host: closed.url, KnownHosts: []string{closed.knownHosts}, SSHKeys: []string{closed.key}}, "AllowStreamLocalForwarding yes"},
		{"no engine", ConnectOptions{Host: s.url + ".missing", KnownHosts: []string{s.knownHosts}, SSHKeys: []string{s.key}}, "start the engine there"},
	}
	for _, test := range tests {
		if _, err := Connect(t.Context(), test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}
