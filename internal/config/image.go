package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Source of the grammar: OCI distribution-spec, Pulling manifests; for the host,
// github.com/distribution/reference.
var (
	repositoryHost = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$`)
	repositoryPath = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern     = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	digestPattern  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// repository checks an image's repository: no scheme, no tag, no digest.
func repository(value string) (string, error) {
	host, path, _ := strings.Cut(value, "/")
	isHost := strings.ContainsAny(host, ".:") || host == "localhost"
	last := value[strings.LastIndexByte(value, '/')+1:]
	switch {
	case strings.Contains(value, "://"):
		return "", fmt.Errorf("%s has a scheme: leave out https://", quote(value))
	case strings.ContainsAny(last, ":@"):
		return "", fmt.Errorf("%s has a tag or a digest: that belongs to image.tag", quote(value))
	case len(value) > 255:
		return "", errors.New("it has more than 255 characters")
	}
	if isHost && repositoryHost.MatchString(host) && repositoryPath.MatchString(path) ||
		!isHost && repositoryPath.MatchString(value) {
		return value, nil
	}
	return "", fmt.Errorf("%s is no repository such as registry.example.com/mirror/model-gateway", quote(value))
}

// tag checks a tag, or tag@digest.
func tag(value string) (string, error) {
	name, digest, pinned := strings.Cut(value, "@")
	switch {
	case strings.Contains(value, "/"):
		return "", fmt.Errorf("%s is more than a tag: the repository belongs to image.repository", quote(value))
	case digestPattern.MatchString(value):
		return "", errors.New("it is a digest alone: write tag@sha256:...")
	case pinned && !digestPattern.MatchString(digest):
		return "", fmt.Errorf("what follows the @ in %s is not sha256: and 64 digits from 0 to f", quote(value))
	case !tagPattern.MatchString(name):
		return "", fmt.Errorf("%s is neither a tag nor tag@sha256:...", quote(value))
	}
	return value, nil
}
