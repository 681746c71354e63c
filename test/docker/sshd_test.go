//go:build docker

package docker

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// The engine's host is reached by ssh, and nobody has an ssh or docker program.
func TestRoadSSH(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	delete(w.settings, "PATH")
	home := w.settings["HOME"]
	s := startSSHD(t, filepath.Join(home, ".ssh", "id_ed25519"))
	w.settings["DOCKER_HOST"] = "ssh://" + s.user + "@" + s.addr + w.Socket

	w.run("upgrade", 1, "failed").Says(t, s.fingerprint, "known_hosts")
	if c, err := w.Find(t.Context(), w.name); c != nil || err != nil {
		t.Fatalf("an unknown host was used all the same: %v, %v", c, err)
	}
	writeFile(t, filepath.Join(home, ".ssh", "known_hosts"), knownhosts.Line([]string{s.addr}, s.key)+"\n")
	w.upgrades()
}

// sshd is a real OpenSSH server on loopback.
type sshd struct {
	addr        string
	user        string
	key         ssh.PublicKey
	fingerprint string // of key
}

// startSSHD starts a server that lets the one in who has the private key in
// identity, which is made.
func startSSHD(t *testing.T, identity string) sshd {
	t.Helper()
	need(t, "/usr/sbin/sshd", "openssh-server")
	dir := t.TempDir()
	key := newKey(t, filepath.Join(dir, "host"))
	writeFile(t, filepath.Join(dir, "authorized_keys"), string(ssh.MarshalAuthorizedKey(newKey(t, identity))))
	port := freePort(t)
	writeFile(t, filepath.Join(dir, "sshd_config"), strings.Join([]string{
		"ListenAddress 127.0.0.1", "Port " + port, "HostKey " + dir + "/host", "PidFile none",
		"AuthorizedKeysFile " + dir + "/authorized_keys", "StrictModes no", "UsePAM no",
		"PermitRootLogin yes", "PasswordAuthentication no", "AllowStreamLocalForwarding yes", "",
	}, "\n"))

	// Where sshd separates its privileges; Debian's start script makes it. It stays:
	// the next server, perhaps one of a test at the same time, needs it too.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	server := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(dir, "sshd_config"))
	server.Stderr = &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", &said)
		}
	})
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := sshd{addr: net.JoinHostPort("127.0.0.1", port), user: me.Username, key: key, fingerprint: ssh.FingerprintSHA256(key)}
	for range 100 {
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			_ = conn.Close()
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("sshd does not listen at %s", s.addr)
	return s
}

// newKey writes a private key to a file and returns its public half.
func newKey(t *testing.T, name string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, name, string(pem.EncodeToMemory(block)))
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
