package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// admin is an administrator at the engine: the few commands that these tests
// type by hand. It is no client of the program's own, and shares nothing with it.
type admin struct{ http *http.Client }

func newAdmin(host string) *admin {
	socket := strings.TrimPrefix(host, "unix://")
	return &admin{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

func (d *admin) close() { d.http.CloseIdleConnections() }

// call makes one request, with body as JSON, and decodes the answer into v unless
// that is nil.
func (d *admin) call(method, path string, body, v any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(method, "http://engine"+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := d.http.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode >= 400:
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, said)
	case v != nil:
		return json.Unmarshal(said, v)
	}
	return nil
}

// found is a container as inspect shows it, as far as tests ask.
type found struct {
	ID     string `json:"Id"`
	Name   string
	Image  string
	State  struct{ Status, StartedAt string }
	Config struct {
		Image  string
		Env    []string
		Labels map[string]string
	}
	HostConfig struct {
		RestartPolicy struct{ Name string }
		Binds         []string
		NetworkMode   string
		PortBindings  map[string][]struct{ HostIp, HostPort string }
	}
	Mounts          []struct{ Type, Name, Source, Destination string }
	NetworkSettings struct {
		Networks map[string]struct {
			Aliases   []string
			IPAddress string
		}
	}
	RestartCount int
}

// traits are the container's settings, each in one text.
func (c found) traits() []string {
	name, _, _ := strings.Cut(c.Config.Image, "@")
	traits := append([]string{
		"image " + name[strings.LastIndexByte(name, ':')+1:],
		"restart " + c.HostConfig.RestartPolicy.Name,
		"network " + c.HostConfig.NetworkMode,
	}, c.Config.Env...)
	for name, value := range c.Config.Labels {
		traits = append(traits, "label "+name+"="+value)
	}
	for port := range c.HostConfig.PortBindings {
		traits = append(traits, "port "+port)
	}
	for _, m := range c.Mounts {
		traits = append(traits, "mount "+m.Destination)
	}
	for _, n := range c.NetworkSettings.Networks {
		for _, a := range n.Aliases {
			traits = append(traits, "alias "+a)
		}
	}
	slices.Sort(traits)
	return traits
}

func (d *admin) inspect(name string) (c found, err error) {
	err = d.call(http.MethodGet, "/containers/"+name+"/json", nil, &c)
	c.Name = strings.TrimPrefix(c.Name, "/")
	return c, err
}

// all are all containers, by name.
func (d *admin) all() ([]found, error) {
	var listed []struct {
		ID string `json:"Id"`
	}
	if err := d.call(http.MethodGet, "/containers/json?all=1", nil, &listed); err != nil {
		return nil, err
	}
	var all []found
	for _, l := range listed {
		c, err := d.inspect(l.ID)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// volumes are the names of all volumes, and images those of all images.
func (d *admin) volumes() (names []string, err error) {
	var all struct{ Volumes []struct{ Name string } }
	err = d.call(http.MethodGet, "/volumes", nil, &all)
	for _, v := range all.Volumes {
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names, err
}

func (d *admin) images() (names []string, err error) {
	var all []struct{ RepoTags, RepoDigests []string }
	err = d.call(http.MethodGet, "/images/json?all=1", nil, &all)
	for _, i := range all {
		names = append(names, append(i.RepoTags, i.RepoDigests...)...)
	}
	return names, err
}

// run is "docker run": it pulls the image, and creates and starts a container.
// Options stand before the image, as docker wants them.
func (d *admin) run(args []string) error {
	var o struct {
		Image      string
		Env        []string
		Volumes    map[string]struct{}
		HostConfig struct {
			PortBindings  map[string][]map[string]string
			Binds         []string
			NetworkMode   string
			RestartPolicy struct{ Name string }
			AutoRemove    bool
		}
		NetworkingConfig struct {
			EndpointsConfig map[string]struct{ Aliases []string }
		}
	}
	o.HostConfig.PortBindings = map[string][]map[string]string{}
	o.Volumes = map[string]struct{}{}
	var name string
	var aliases []string
	for len(args) > 1 {
		switch option, value := args[0], args[1]; option {
		case "-d":
			args = args[1:]
			continue
		case "--rm":
			o.HostConfig.AutoRemove = true
			args = args[1:]
			continue
		case "--name":
			name = value
		case "-e":
			o.Env = append(o.Env, value)
		case "-v":
			if strings.Contains(value, ":") {
				o.HostConfig.Binds = append(o.HostConfig.Binds, value)
			} else {
				o.Volumes[value] = struct{}{}
			}
		case "-p":
			part := strings.Split(value, ":")
			port := part[2] + "/tcp"
			o.HostConfig.PortBindings[port] = append(o.HostConfig.PortBindings[port], map[string]string{"HostIp": part[0], "HostPort": part[1]})
		case "--restart":
			o.HostConfig.RestartPolicy.Name = value
		case "--network":
			o.HostConfig.NetworkMode = value
		case "--network-alias":
			aliases = append(aliases, value)
		default:
			return fmt.Errorf("docker run: this one knows no option %s", option)
		}
		args = args[2:]
	}
	if len(args) != 1 {
		return errors.New("docker run: which image?")
	}
	o.Image = args[0]
	if aliases != nil {
		o.NetworkingConfig.EndpointsConfig = map[string]struct{ Aliases []string }{o.HostConfig.NetworkMode: {aliases}}
	}
	if err := d.pull(o.Image); err != nil {
		return err
	}
	var made struct {
		ID string `json:"Id"`
	}
	if err := d.call(http.MethodPost, "/containers/create?name="+url.QueryEscape(name), o, &made); err != nil {
		return err
	}
	return d.call(http.MethodPost, "/containers/"+made.ID+"/start", nil, nil)
}

func (d *admin) pull(reference string) error {
	colon := strings.LastIndexByte(reference, ':')
	query := url.Values{"fromImage": {reference[:colon]}, "tag": {reference[colon+1:]}}
	return d.call(http.MethodPost, "/images/create?"+query.Encode(), nil, nil)
}

// do is any other command: "stop NAME", "network create NAME".
func (d *admin) do(args []string) error {
	switch strings.Join(args[:len(args)-1], " ") {
	case "start", "stop", "restart":
		return d.call(http.MethodPost, "/containers/"+args[1]+"/"+args[0], nil, nil)
	case "rm -f":
		return d.call(http.MethodDelete, "/containers/"+args[2]+"?force=1&v=1", nil, nil)
	case "network create":
		return d.call(http.MethodPost, "/networks/create", map[string]string{"Name": args[2]}, nil)
	case "pull":
		return d.pull(args[1])
	}
	return fmt.Errorf("this one does not know %q", args)
}
