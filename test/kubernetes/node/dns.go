package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// dns answers for SERVICE.NAMESPACE.svc.cluster.local with the Service's address, from
// the API at every question: pods find Services by name, and nothing else.
func dns(arguments []string) int {
	flags := flag.NewFlagSet("dns", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	listen := flags.String("listen", "", "UDP address to serve on")
	_ = flags.Parse(arguments)
	fmt.Fprintln(os.Stderr, serveDNS(*kubeconfig, *listen))
	return 1
}

// serveDNS ends with an error only.
func serveDNS(kubeconfig, listen string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	socket, err := net.ListenPacket("udp", listen)
	if err != nil {
		return err
	}
	buffer := make([]byte, 1500)
	for {
		n, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return err
		}
		question := append([]byte(nil), buffer[:n]...)
		go func() {
			if reply, err := answer(client, question); err == nil {
				_, _ = socket.WriteTo(reply, from)
			}
		}()
	}
}

func answer(client kubernetes.Interface, message []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	address, known := lookup(client, strings.ToLower(question.Name.String()))
	header.Response, header.Authoritative, header.RecursionAvailable = true, true, true
	if !known {
		header.RCode = dnsmessage.RCodeNameError
	}
	reply := dnsmessage.NewBuilder(nil, header)
	if err := reply.StartQuestions(); err != nil {
		return nil, err
	}
	if err := reply.Question(question); err != nil {
		return nil, err
	}
	if err := reply.StartAnswers(); err != nil {
		return nil, err
	}
	if address != nil && question.Type == dnsmessage.TypeA {
		about := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1}
		if err := reply.AResource(about, dnsmessage.AResource{A: [4]byte(address)}); err != nil {
			return nil, err
		}
	}
	return reply.Finish()
}

// lookup returns a Service's IPv4 address, if it has one, and whether there is such a
// Service.
func lookup(client kubernetes.Interface, name string) (net.IP, bool) {
	rest, ours := strings.CutSuffix(name, ".svc.cluster.local.")
	service, namespace, two := strings.Cut(rest, ".")
	if !ours || !two || strings.Contains(namespace, ".") {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	found, err := client.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return nil, false
	}
	return net.ParseIP(found.Spec.ClusterIP).To4(), true
}
