package main

import (
	"embed"
	"fmt"
	"os"
	"strings"
	"text/template"
)

//go:embed config
var configFiles embed.FS

// writeSettings writes the configuration of the parts that read theirs from a file.
func (p place) writeSettings() error {
	templates, err := template.ParseFS(configFiles, "config/*")
	if err != nil {
		return err
	}
	for name, to := range map[string]string{
		"containerd.toml": "settings/containerd.toml",
		"kubelet.yaml":    "settings/kubelet.yaml",
		"kube-proxy.yaml": "settings/kube-proxy.yaml",
		"pods.conflist":   "cni/pods.conflist", // alone there: every file counts
	} {
		var text strings.Builder
		if err := templates.ExecuteTemplate(&text, name, p); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		if err := os.WriteFile(p.path(to), []byte(text.String()), 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}
