package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aigw-ci/internal/lab"
	"aigw-ci/internal/lab/engine"
	"aigw-ci/internal/lab/gitlab"
	"aigw-ci/internal/lab/image"
)

// world is what the program meets in one test: a GitLab, a registry full of
// gateways, and an engine. All of it runs in this process, but for the gateways.
type world struct {
	estate *lab.Estate
	engine *engine.Engine
	admin  *admin

	// address is where the engine publishes ports: an address of loopback that
	// belongs to this world alone, so that worlds may use the same ports.
	address string

	key     string   // path of a signing key, so that no run has to make one: that takes a while
	secrets []string // what no output and no file may ever hold

	mu   sync.Mutex
	told func(engine.Call) // hears of every call that changes something, before it is carried out
}

// newWorld makes a world that ends with the test. An estate may be given, to be
// shared by several worlds; it is not ended.
func newWorld(t testing.TB, estate *lab.Estate) *world {
	t.Helper()
	w := &world{estate: estate, address: ownAddress(), key: signingKey(t), secrets: []string{gitlab.TokenReadAPI}}
	if estate == nil {
		w.estate = newEstate(t)
	}
	e, err := engine.New(engine.Options{Dir: t.TempDir(), OnCall: w.hear})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	w.engine, w.admin = e, newAdmin(e.Host())
	t.Cleanup(w.admin.close)
	return w
}

// listen has f told of every call that changes something.
func (w *world) listen(f func(engine.Call)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = f
}

func (w *world) hear(c engine.Call) {
	w.mu.Lock()
	told := w.told
	w.mu.Unlock()
	if told != nil {
		told(c)
	}
}

func newEstate(t testing.TB) *lab.Estate {
	t.Helper()
	o := lab.Options{Binary: starter(t), OwnRealm: true}
	e, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// starter is the program in the lab's images: a line that starts the stand-in
// gateway. The stand-in engine runs it as a process, which finds the real one
// outside; the images stay small, and so do the tests.
func starter(t testing.TB) string {
	t.Helper()
	binary, err := builtGateway()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run.sh")
	if err := os.WriteFile(path, []byte("#!"+binary+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// keyVariable is a key that gateways of the releases in these tests need.
const keyVariable = "DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY"

func signingKey(t testing.TB) string {
	t.Helper()
	key, err := oneKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signing.key")
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var oneKey = sync.OnceValues(func() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
})

var builtGateway = sync.OnceValues(func() (string, error) { return image.BuildBinary(context.Background(), "") })

// worlds counts them, from anywhere: another test run may be under way.
var worlds atomic.Uint32

func init() { worlds.Store(mathrand.Uint32N(1_000_000)) }

// ownAddress is an address that no other world has.
func ownAddress() string {
	n := worlds.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", 100+n/62500%100, n/250%250, 1+n%250)
}

// environ are the settings of a program in this world.
func (w *world) environ() []string {
	return []string{
		"USER=tester",
		"DOCKER_HOST=" + w.engine.Host(),
		"AIGW_CI_GITLAB_URL=" + w.estate.GitLabURL,
		"AIGW_CI_GITLAB_TOKEN=" + gitlab.TokenReadAPI,
		// Loopback is the same place for a gateway that is a plain process.
		"AIGW_CI_GATEWAY_ENVIRONMENT=AIGW_GITLAB_URL=" + w.estate.GitLabURL,
		"AIGW_CI_GATEWAY_ENVIRONMENT_FROM=" + keyVariable + "=" + w.key,
		"AIGW_CI_IMAGE_REPOSITORY=" + w.estate.Repository(),
		"AIGW_CI_DOCKER_PORTS=" + w.address + ":5052:5052," + w.address + ":50052:50052",
		"AIGW_CI_VERIFY_TIMEOUT=20s",
		"AIGW_CI_VERIFY_HOLD=200ms",
		"AIGW_CI_VERIFY_SUCCESSES=2",
	}
}

// answers reports whether a gateway answers at the address its users know: the
// published one, or that of the container where none is published.
func (c found) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var host string
	for _, n := range c.NetworkSettings.Networks {
		host = n.IPAddress
	}
	for _, b := range c.HostConfig.PortBindings["5052/tcp"] {
		host = b.HostIp
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, "5052")+"/monitoring/healthz", nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// boots waits for a gateway that boots, and reports whether it did.
func (c found) boots() bool {
	for range 500 {
		if c.answers(context.Background()) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// alone wants one gateway, of the release that tag names, that answers its users,
// and nothing else of this program on the engine. An empty tag wants no gateway.
func (w *world) alone(ctx context.Context, tag string) error {
	all, err := w.admin.all()
	if err != nil {
		return err
	}
	var gateways []string
	for _, c := range all {
		if role := c.Config.Labels["aigw-ci.role"]; strings.Contains(c.Name, ".aigw-ci-") || role != "" && role != "gateway" {
			return fmt.Errorf("%s is left on the engine (%s)", c.Name, c.State.Status)
		}
		if name, _, _ := strings.Cut(c.Config.Image, "@"); strings.Contains(name, "/model-gateway:") {
			gateways = append(gateways, name[strings.LastIndexByte(name, ':')+1:])
			if !c.answers(ctx) {
				return fmt.Errorf("%s is %s, and does not answer", c.Name, c.State.Status)
			}
		}
	}
	if got := strings.Join(gateways, " "); got != tag {
		return fmt.Errorf("gateways on the engine: %q, want %q", got, tag)
	}
	return nil
}
