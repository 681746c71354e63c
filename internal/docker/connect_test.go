package docker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pingable is the least of an engine.
func pingable() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("/v1.41/version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"Os": "linux", "Arch": "arm64"})
	})
	return mux
}

func TestConnectUnix(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "d.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: pingable()}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	e, err := Connect(t.Context(), ConnectOptions{Host: "unix://" + socket})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	if got, err := e.Platform(t.Context()); got != "linux/arm64" || err != nil || !e.Local() {
		t.Errorf("platform %q, %v, local %v", got, err, e.Local())
	}
}

func TestConnectFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	_ = listener.Close()
	notAnEngine := httptest.NewServer(http.NotFoundHandler())
	defer notAnEngine.Close()

	tests := []struct {
		name string
		o    ConnectOptions
		want []string
	}{
		{"no socket", ConnectOptions{Host: "unix://" + dir + "/no.sock"}, []string{"no Docker Engine answers at unix://" + dir + "/no.sock", "no such file", "start the engine"}},
		{"nobody listens", ConnectOptions{Host: "unix://" + dead}, []string{"connection refused", "nobody listens"}},
		{"closed port", ConnectOptions{Host: "tcp://127.0.0.1:1"}, []string{"tcp://127.0.0.1:1", "connection refused", "2376 with TLS"}},
		{"unknown name", ConnectOptions{Host: "tcp://engine.invalid"}, []string{"does not resolve"}},
		{"something else", ConnectOptions{Host: "tcp://" + notAnEngine.Listener.Addr().String()}, []string{"no Docker Engine answers"}},
		{"no certificates", ConnectOptions{Host: "tcp://127.0.0.1:1", CertPath: dir, TLSVerify: true}, []string{"ca.pem", "DOCKER_CERT_PATH needs"}},
		{"no SSH key", ConnectOptions{Host: "ssh://me@127.0.0.1:1", SSHKeys: []string{dir + "/id"}}, []string{"no key to log in", dir + "/id"}},
	}
	for _, test := range tests {
		_, err := Connect(t.Context(), test.o)
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

func TestPermissionDeniedIsExplained(t *testing.T) {
	t.Parallel() // as root, no permission is ever denied: the error is made by hand
	socket := filepath.Join(t.TempDir(), "d.sock")
	if err := os.WriteFile(socket, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	cause := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	err := unreachable(hostAddress{Scheme: "unix", Socket: socket}, cause)
	for _, want := range []string{"permission denied", "may not use the socket", "mode -rw-r-----", "docker"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

// authority is a certificate authority of one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue("authority", true)
	return a
}

func (a *authority) issue(name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// certPath is a directory as DOCKER_CERT_PATH wants it.
func (a *authority) certPath(withOurs bool) string {
	a.t.Helper()
	dir := a.t.TempDir()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	write("ca.pem", "CERTIFICATE", a.cert.Raw)
	if withOurs {
		cert, key := a.issue("client", false)
		der, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			a.t.Fatal(err)
		}
		write("cert.pem", "CERTIFICATE", cert.Raw)
		write("key.pem", "EC PRIVATE KEY", der)
	}
	return dir
}

// engine is an engine that wants a certificate of this authority, like dockerd --tlsverify.
func (a *authority) engine() (host string) {
	server := httptest.NewUnstartedServer(pingable())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	cert, key := a.issue("engine", false)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    x509.NewCertPool(),
	}
	server.TLS.ClientCAs.AddCert(a.cert)
	server.StartTLS()
	a.t.Cleanup(server.Close)
	return "tcp://" + server.Listener.Addr().String()
}

func TestConnectTLS(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	host := ours.engine()
	tests := []struct {
		name string
		o    ConnectOptions
		want string // in the error
	}{
		{name: "right", o: ConnectOptions{CertPath: ours.certPath(true), TLSVerify: true}},
		{name: "right, unverified", o: ConnectOptions{CertPath: ours.certPath(true)}},
		{name: "another authority", o: ConnectOptions{CertPath: theirs.certPath(true), TLSVerify: true}, want: "not signed by ca.pem"},
		{name: "another authority, unverified", o: ConnectOptions{CertPath: theirs.certPath(true)}, want: "refused our certificate"},
		{name: "no certificate of ours", o: ConnectOptions{CertPath: ours.certPath(false), TLSVerify: true}, want: "refused our certificate"},
		{name: "no TLS", o: ConnectOptions{}, want: "the engine expects TLS"},
	}
	for _, test := range tests {
		test.o.Host = host
		var log recorder
		test.o.Log = log.log()
		e, err := Connect(t.Context(), test.o)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			_ = e.Close(t.Context())
		} else if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if warned := strings.Contains(log.String(), "does not prove who"); warned == test.o.TLSVerify {
			t.Errorf("%s: warned %v", test.name, warned)
		}
	}
	plain := httptest.NewServer(pingable())
	defer plain.Close()
	_, err := Connect(t.Context(), ConnectOptions{Host: "tcp://" + plain.Listener.Addr().String(), CertPath: ours.certPath(true), TLSVerify: true})
	if err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("TLS to a plain port: %v", err)
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := Connect(ctx, ConnectOptions{Host: "tcp://" + listener.Addr().String()}); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

// An answer without end must not fill our memory.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		for block := make([]byte, 1<<20); ; {
			if _, err := far.Write(block); err != nil {
				return
			}
		}
	}()
	n, err := io.Copy(io.Discard, &bounded{Conn: near})
	if err == nil || n > maxAnswer {
		t.Errorf("read %d bytes, error %v", n, err)
	}
	_ = near.Close()
}

func TestFailureKeepsItsCause(t *testing.T) {
	t.Parallel()
	e := &Engine{host: hostAddress{Scheme: "unix", Socket: "/d.sock"}}
	err := e.explain("reading x", e.explain("looking at y", &fs.PathError{Op: "open", Path: "z", Err: fs.ErrNotExist}))
	if got := err.Error(); got != "reading x: looking at y: open z: file does not exist" {
		t.Errorf("got %q", got)
	}
	if e.explain("nothing", nil) != nil {
		t.Error("an explanation without an error")
	}
}
