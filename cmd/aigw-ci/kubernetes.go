package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"aigw-ci/internal/config"
	"aigw-ci/internal/kubernetes"
)

// connectCluster makes the gateway's Helm release the target.
func (a *assembly) connectCluster(ctx context.Context) error {
	cluster, err := a.reachCluster(ctx, a.settings.Kubernetes.Namespace)
	if err != nil {
		return err
	}
	a.close = func(context.Context) error { return nil } // it keeps no connection that has to be ended
	chart, err := a.chart(ctx)
	if err != nil {
		return err
	}
	s, k := a.settings, a.settings.Kubernetes
	a.target = kubernetes.NewTarget(cluster, kubernetes.Options{
		Release:      k.Release,
		Namespace:    k.Namespace,
		Repositories: s.Image.Repositories,
		Chart:        chart,
		Declared: kubernetes.Declared{
			GitLabURL:   gitlabForGateway(s.Gateway.Environment, s.GitLab.URL),
			Environment: s.Gateway.Environment,
			CABundle:    s.Gateway.CABundle,
			Host:        k.Host,
			TLSCert:     k.TLSCert,
			TLSKey:      k.TLSKey,
			Values:      documents(k.Values),
		},
		Who:     a.who(),
		Wait:    s.Verify.Timeout,
		LockTTL: a.pace.lockTTL,
		Redact:  a.redact.Add,
		Log:     a.log.Logger(),
	})
	return nil
}

// reachCluster reaches the API server of the setting kubernetes.context.
func (a *assembly) reachCluster(ctx context.Context, namespace string) (*kubernetes.Cluster, error) {
	o := a.system.cluster()
	o.Context, o.Namespace = a.settings.Kubernetes.Context, namespace
	o.Log = a.log.Logger()
	return kubernetes.Connect(ctx, o)
}

// inToolbox runs a command in the toolbox of a GitLab on the same cluster.
func (a *assembly) inToolbox(ctx context.Context, command []string) (stdout, stderr []byte, exit int, err error) {
	cluster, err := a.reachCluster(ctx, a.node.Name)
	if err != nil {
		return nil, nil, 0, err
	}
	return cluster.ExecToolbox(ctx, a.node.Name, command)
}

func documents(from []config.Document) []kubernetes.Document {
	var to []kubernetes.Document
	for _, d := range from {
		to = append(to, kubernetes.Document{Source: d.Source, Text: d.Text})
	}
	return to
}

// chart says where the chart is, and with which account. A registry is shown what
// it is shown for an image, unless the chart has an account of its own.
func (a *assembly) chart(ctx context.Context) (kubernetes.ChartSource, error) {
	c := a.settings.Kubernetes.Chart
	source := kubernetes.ChartSource{
		Repository: c.Repository,
		Name:       c.Name,
		Version:    c.Version,
		Path:       c.Path,
		User:       c.User,
		Password:   c.Password,
		Transport:  a.web,
	}
	registry, isOCI := strings.CutPrefix(c.Repository, "oci://")
	if !isOCI || c.Path != "" || c.User != "" {
		return source, nil
	}
	credential, err := a.registry.Credentials(ctx, registry+"/"+c.Name)
	if err != nil {
		return source, err
	}
	source.User, source.Password = credential.Username, credential.Password
	if credential.IdentityToken != "" {
		host, _, _ := strings.Cut(registry, "/")
		source.Docker, err = dockerConfig(host, credential.Username, credential.IdentityToken.Reveal())
		source.User, source.Password = "", ""
	}
	return source, err
}

// dockerConfig is a Docker configuration with one identity token in it, which is no
// password and has no other way to be handed on.
func dockerConfig(host, user, token string) ([]byte, error) {
	type auth struct {
		Auth          string `json:"auth"`
		IdentityToken string `json:"identitytoken"`
	}
	return json.Marshal(map[string]map[string]auth{
		"auths": {host: {base64.StdEncoding.EncodeToString([]byte(user + ":")), token}},
	})
}
