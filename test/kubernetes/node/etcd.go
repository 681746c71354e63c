package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcd is the cluster's store. It writes without waiting for the disk: its data is
// thrown away with the cluster.
func etcd(arguments []string) int {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	directory := flags.String("data-dir", "", "where the data goes")
	client := flags.String("client-url", "", "where to serve")
	peer := flags.String("peer-url", "", "where other members would find this one")
	_ = flags.Parse(arguments)

	config := embed.NewConfig()
	config.Dir = *directory
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	for _, listener := range []struct {
		text          string
		listen, named *[]url.URL
	}{
		{*client, &config.ListenClientUrls, &config.AdvertiseClientUrls},
		{*peer, &config.ListenPeerUrls, &config.AdvertisePeerUrls},
	} {
		address, err := url.Parse(listener.text)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		*listener.listen, *listener.named = []url.URL{*address}, []url.URL{*address}
	}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err == nil {
		err = <-server.Err()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
