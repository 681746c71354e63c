//go:build kubernetes

package kubernetes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// cord is the wire between the program and the API server, for a test to pull out. It
// hands on bytes, so that everything in them is the API server's own.
type cord struct {
	*world
	server  string // where the API server is
	address string // where the program thinks that it is

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	ends     map[net.Conn]bool
	flowing  chan struct{} // closed while bytes may pass
}

// cord lays a wire; kubeconfig leads along it.
func (w *world) cord() (c *cord, kubeconfig string) {
	w.Helper()
	var config map[string]any
	if err := json.Unmarshal([]byte(read(w, w.settings["KUBECONFIG"])), &config); err != nil {
		w.Fatalf("the program's kubeconfig is not what as() writes: %v", err)
	}
	cluster := config["clusters"].([]any)[0].(map[string]any)["cluster"].(map[string]any)
	server, err := url.Parse(cluster["server"].(string))
	if err != nil {
		w.Fatal(err)
	}
	// An address of its own: nobody else takes the port while nobody listens there.
	own := fmt.Sprintf("127.%d.%d.%d:0", 100+rand.IntN(100), rand.IntN(250), 1+rand.IntN(250))
	c = &cord{world: w, server: server.Host, address: own, ends: make(map[net.Conn]bool), flowing: make(chan struct{})}
	close(c.flowing)
	c.mend()
	w.Cleanup(func() { c.cut(); c.flow() })

	cluster["server"], cluster["tls-server-name"] = "https://"+c.address, server.Hostname()
	text, err := json.Marshal(config)
	if err != nil {
		w.Fatal(err)
	}
	kubeconfig = filepath.Join(w.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		w.Fatal(err)
	}
	return c, kubeconfig
}

// mend takes connections (again).
func (c *cord) mend() {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		c.Fatal(err)
	}
	c.listener, c.address = listener, listener.Addr().String()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go c.join(near)
		}
	}()
}

// cut breaks all connections off, and refuses new ones.
func (c *cord) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != nil {
		_ = c.listener.Close()
		c.listener = nil
	}
	for end := range c.ends {
		if tcp, ok := end.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, and no farewell
		}
		_ = end.Close()
	}
	clear(c.ends)
}

// hush lets no byte through any more, in connections old and new.
func (c *cord) hush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowing = make(chan struct{})
}

// flow ends hush. What was held back arrives.
func (c *cord) flow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.flowing:
	default:
		close(c.flowing)
	}
}

func (c *cord) join(near net.Conn) {
	far, err := net.DialTimeout("tcp", c.server, 10*time.Second)
	if err != nil {
		_ = near.Close()
		return
	}
	c.mu.Lock()
	if c.listener == nil {
		_, _ = near.Close(), far.Close()
		c.mu.Unlock()
		return
	}
	c.ends[near], c.ends[far] = true, true
	c.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.carry(far, near) })
	both.Go(func() { c.carry(near, far) })
	both.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, near)
	delete(c.ends, far)
}

// carry hands bytes on until one end is closed, and closes the other.
func (c *cord) carry(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		c.mu.Lock()
		flowing := c.flowing
		c.mu.Unlock()
		<-flowing
		if _, broken := to.Write(buffer[:n]); err != nil || broken != nil {
			return
		}
	}
}
