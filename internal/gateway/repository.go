package gateway

import (
	"slices"
	"strings"
)

// names are the last parts of repositories that hold the gateway. Sources:
// docs.gitlab.com/install/install_ai_gateway (standard and FIPS images, GitLab's
// registry and Docker Hub) and the JiHu edition of the same page.
var names = []string{
	"model-gateway",
	"model-gateway/self-hosted", "model-gateway/self-hosted-fips", "model-gateway/fips",
	"model-gateway-self-hosted", "model-gateway-self-hosted-fips",
}

// IsGatewayRepository reports whether an image reference, with or without tag and
// digest, names a gateway image: by the name of its repository, wherever that is
// mirrored, or by a stable gateway tag on a repository of any name.
//
// GitLab's page for offline networks renames the mirrored repository to
// "ai-gateway". Other products have that name on Docker Hub, so there it does not
// count. Source: docs.gitlab.com/administration/gitlab_duo_self_hosted/offline_deployment.
//
// Mirrors are repositories that the administrator has named as the gateway's: those
// count as they are.
func IsGatewayRepository(ref string, mirrors ...string) bool {
	repository, tag := split(ref)
	if repository == "" {
		return false
	}
	if slices.Contains(mirrors, repository) {
		return true
	}
	if strings.HasPrefix(tag, "self-hosted-v") {
		return true
	}
	if slices.ContainsFunc(names, func(name string) bool {
		return repository == name || strings.HasSuffix(repository, "/"+name)
	}) {
		return true
	}
	host, _, _ := strings.Cut(repository, "/")
	return strings.HasSuffix(repository, "/ai-gateway") && strings.ContainsAny(host, ".:")
}

// split cuts a reference into repository and tag; the digest is dropped. An image
// ID ("sha256:...") has no repository.
func split(ref string) (repository, tag string) {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		ref, tag = ref[:colon], ref[colon+1:]
	}
	if ref == "sha256" {
		return "", ""
	}
	return ref, tag
}
