package docker

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// sshHost is an SSH server that forwards to an engine, and fails where it is told to.
type sshHost struct {
	addr   string
	keys   map[string]ssh.Signer // host keys by type
	client string                // a private key file it accepts
	reject *ssh.RejectionReason  // why it opens no channel

	// run is what it does with a command line; nil: it runs none.
	run func(command string, channel ssh.Channel) (exit int)

	mu    sync.Mutex
	conns []net.Conn
}

func newSSHHost(t *testing.T, engine http.Handler) *sshHost {
	t.Helper()
	h := &sshHost{keys: make(map[string]ssh.Signer)}
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	nist, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ours, _ := ed25519.GenerateKey(rand.Reader)
	block, err := ssh.MarshalPrivateKey(ours, "")
	if err != nil {
		t.Fatal(err)
	}
	h.client = filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(h.client, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	accepted, _ := ssh.NewSignerFromKey(ours)
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(accepted.PublicKey().Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	for _, key := range []any{edwards, nist} {
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			t.Fatal(err)
		}
		config.AddHostKey(signer)
		h.keys[signer.PublicKey().Type()] = signer
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = listener.Addr().String()
	channels := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: engine}
	go func() { _ = server.Serve(channels) }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.conns = append(h.conns, conn)
			h.mu.Unlock()
			go h.serve(conn, config, channels)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		_ = server.Close()
		h.cut()
	})
	return h
}

// cut breaks every connection there is.
func (h *sshHost) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		_ = c.Close()
	}
	h.conns = nil
}

func (h *sshHost) serve(conn net.Conn, config *ssh.ServerConfig, engine *memoryListener) {
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for open := range channels {
		if h.run != nil && open.ChannelType() == "session" {
			go h.session(open)
			continue
		}
		if h.reject != nil || !strings.Contains(string(open.ExtraData()), "/var/run/docker.sock") {
			reason := ssh.ConnectionFailed
			if h.reject != nil {
				reason = *h.reject
			}
			_ = open.Reject(reason, "open failed")
			continue
		}
		channel, requests, err := open.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(near, channel); _ = near.Close() }()
		go func() { _, _ = io.Copy(channel, near); _ = channel.Close() }()
		engine.conns <- far
	}
}

// knows writes a known_hosts file with the given host keys.
func (h *sshHost) knows(t *testing.T, keys ...ssh.PublicKey) string {
	t.Helper()
	var lines string
	for _, key := range keys {
		lines += knownhosts.Line([]string{h.addr}, key) + "\n"
	}
	name := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(name, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestConnectSSH(t *testing.T) {
	t.Parallel()
	h := newSSHHost(t, pingable())
	edwards, nist := h.keys[ssh.KeyAlgoED25519].PublicKey(), h.keys[ssh.KeyAlgoECDSA256].PublicKey()
	// Known by either of its keys, and whichever the server would show by itself.
	for _, key := range []ssh.PublicKey{edwards, nist} {
		e, err := Connect(t.Context(), ConnectOptions{
			Host:       "ssh://deploy@" + h.addr,
			KnownHosts: []string{filepath.Join(t.TempDir(), "missing"), h.knows(t, key)},
			SSHKeys:    []string{h.client},
		})
		if err != nil {
			t.Fatalf("known by %s: %v", key.Type(), err)
		}
		if got, err := e.Platform(t.Context()); got != "linux/arm64" || err != nil || e.Local() {
			t.Errorf("platform %q, %v, local %v", got, err, e.Local())
		}
		h.cut()
		if got, err := e.Platform(t.Context()); got != "linux/arm64" || err != nil {
			t.Errorf("after the connection broke: platform %q, %v", got, err)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := e.Platform(t.Context()); err == nil {
			t.Error("a closed engine still answers")
		}
	}
}

func TestConnectSSHFails(t *testing.T) {
	t.Parallel()
	h := newSSHHost(t, pingable())
	edwards := h.keys[ssh.KeyAlgoED25519].PublicKey()
	_, strange, _ := ed25519.GenerateKey(rand.Reader)
	stranger, err := ssh.NewSignerFromKey(strange)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := ssh.MarshalPrivateKey(strange, "")
	strangeKey := filepath.Join(t.TempDir(), "id_other")
	_ = os.WriteFile(strangeKey, pem.EncodeToMemory(block), 0o600)
	locked, _ := ssh.MarshalPrivateKeyWithPassphrase(strange, "", []byte("hunter22"))
	lockedKey := filepath.Join(t.TempDir(), "id_locked")
	_ = os.WriteFile(lockedKey, pem.EncodeToMemory(locked), 0o600)
	revoked := filepath.Join(t.TempDir(), "revoked")
	_ = os.WriteFile(revoked, []byte("@revoked * "+strings.SplitN(knownhosts.Line([]string{"*"}, edwards), " ", 2)[1]+"\n"+knownhosts.Line([]string{h.addr}, edwards)+"\n"), 0o600)
	nonsense := filepath.Join(t.TempDir(), "nonsense")
	_ = os.WriteFile(nonsense, []byte("host.example.com ssh-ed25519 !!!\n"), 0o600)
	known := h.knows(t, edwards)

	tests := []struct {
		name  string
		known string
		key   string
		want  []string
	}{
		{"unknown host", "", h.client, []string{"is not known", "SHA256:", "add this line to known_hosts", "[127.0.0.1]:"}},
		{"changed key", h.knows(t, stranger.PublicKey()), h.client, []string{"shows another key", ssh.FingerprintSHA256(edwards), ssh.FingerprintSHA256(stranger.PublicKey()), "line 1"}},
		{"revoked key", revoked, h.client, []string{"revoked key"}},
		{"broken known_hosts", nonsense, h.client, []string{"nonsense:1", "correct or remove"}},
		{"not our key", known, strangeKey, []string{"accepts none of our keys", "id_other", "authorized_keys"}},
		{"passphrase", known, lockedKey, []string{"has a passphrase", "agent"}},
		{"no key at all", known, known, []string{"no private key"}},
	}
	for _, test := range tests {
		_, err := Connect(t.Context(), ConnectOptions{Host: "ssh://deploy@" + h.addr, KnownHosts: []string{test.known}, SSHKeys: []string{test.key}})
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q lacks %q", test.name, err, want)
			}
		}
	}
}

func TestConnectSSHRefusedBehind(t *testing.T) {
	t.Parallel()
	for _, reason := range []ssh.RejectionReason{ssh.Prohibited, ssh.ConnectionFailed} {
		h := newSSHHost(t, pingable())
		h.reject = &reason
		_, err := Connect(t.Context(), ConnectOptions{
			Host:       "ssh://deploy@" + h.addr,
			KnownHosts: []string{h.knows(t, h.keys[ssh.KeyAlgoED25519].PublicKey())},
			SSHKeys:    []string{h.client},
		})
		for _, want := range []string{"no connection to /var/run/docker.sock", "docker", "AllowStreamLocalForwarding yes"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: error %v, want %q", reason, err, want)
			}
		}
	}
}
