package main

import "github.com/spf13/cobra"

func newUpgrade(sys system) *cobra.Command {
	c := command{
		system: sys,
		name:   "upgrade",
		needs:  [][]string{{"gitlab.url"}},
		act:    onTarget((*assembly).upgrade),
	}
	return c.cobra(&cobra.Command{
		Use:   "upgrade",
		Short: "Bring the gateway to the image that belongs to GitLab's version",
		Long: `Brings the gateway to the image that belongs to GitLab's version, and proves it.

The gateway is a container on a Docker Engine or, with target kubernetes, a Helm
release. One that runs is taken over with all its settings, however it was started.
Where there is none, one is installed. When the new version cannot be proven, the
old container, or the old revision, is put back, and is proven instead.

The same command again, after it was interrupted at any point, ends at a working
gateway.`,
		Example: `  aigw-ci upgrade
  aigw-ci upgrade --gitlab-url https://gitlab.example.com --gateway-url https://gateway.example.com
  DOCKER_HOST=ssh://deploy@gateway.example.com aigw-ci upgrade
  aigw-ci upgrade --target kubernetes --kubernetes-namespace ai-gateway
  aigw-ci upgrade --image-tag self-hosted-v18.2.8-ee       pin an image on purpose`,
	})
}
