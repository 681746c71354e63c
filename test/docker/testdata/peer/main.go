// Command peer is what the tests need of the world inside containers, as one static
// program: a health check that passes, and a forwarder.
//
//	peer healthy
//	peer forward PORT HOST:PORT     loopback's PORT leads to HOST:PORT
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "healthy":
	case len(os.Args) == 4 && os.Args[1] == "forward":
		log.Fatal(forward("127.0.0.1:"+os.Args[2], os.Args[3]))
	default:
		log.Fatalf("%q: see the package comment", os.Args)
	}
}

func forward(from, to string) error {
	listener, err := net.Listen("tcp", from)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go join(conn.(*net.TCPConn), to)
	}
}

func join(near *net.TCPConn, to string) {
	defer near.Close()
	conn, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	far := conn.(*net.TCPConn)
	defer far.Close()
	go func() {
		_, _ = io.Copy(far, near)
		_ = far.CloseWrite()
	}()
	_, _ = io.Copy(near, far)
}
