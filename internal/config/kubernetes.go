package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// label is a name within a cluster, such as a namespace's.
// Source: kubernetes.io/docs/concepts/overview/working-with-objects/names.
const label = `[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?`

// subdomain is labels with dots between them.
var subdomain = regexp.MustCompile(`^` + label + `(?:\.` + label + `)*$`)

// release checks the name of a Helm release, which is short because it becomes a part
// of other names. Source: helm.sh/helm/v4/pkg/chart/v2/util, ValidateReleaseName.
func release(value string) (string, error) {
	if len(value) > 53 || !subdomain.MatchString(value) {
		return "", fmt.Errorf("%s is no name of a Helm release: at most 53 small letters, digits and -", quote(value))
	}
	return value, nil
}

// hostName checks the name of an Ingress, which is a name and no address.
// Source: kubernetes.io/docs/concepts/services-networking/ingress, hostname wildcards.
func hostName(value string) (string, error) {
	host := strings.ToLower(value)
	labels := strings.Split(host, ".")
	switch {
	case strings.Contains(value, "://"):
		return "", fmt.Errorf("%s is a URL: give the host name alone, such as aigw.example.com", quote(value))
	case len(host) > 253 || !subdomain.MatchString(host) || !strings.ContainsFunc(labels[len(labels)-1], isLetter):
		return "", fmt.Errorf("%s is no host name such as aigw.example.com", quote(value))
	}
	return host, nil
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' }

// chartRepository checks the address of a chart repository, or the place of charts
// in a registry. Its errors never repeat a URL, which could have a password in it.
func chartRepository(value string) (string, error) {
	if rest, ok := strings.CutPrefix(value, "oci://"); ok {
		host, path, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
		if !repositoryHost.MatchString(host) || path != "" && !repositoryPath.MatchString(path) {
			return "", errors.New("after oci:// there is no repository such as registry.example.com/charts, without a tag and without a user")
		}
		return "oci://" + strings.TrimRight(rest, "/"), nil
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("it is neither https://... nor oci://...; a chart in a directory or an archive is for kubernetes.chart.path")
	case u.User != nil:
		return "", errors.New("it has a user or a password in it: that belongs to kubernetes.chart.user and kubernetes.chart.password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(value, "#"):
		return "", errors.New("it has a query (?) or a fragment (#) in it: give the address of the repository alone")
	case !validHost(u.Hostname()):
		return "", errors.New("it has no valid host name in it")
	case !validPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return "", errors.New("its port is not from 1 to 65535")
	case strings.HasSuffix(u.Path, "/index.yaml"):
		return "", errors.New("it ends in /index.yaml: give the address of the repository alone")
	}
	return strings.TrimRight(value, "/"), nil
}

// pemFile refuses the content of a file in the place of its path: it would be shown,
// as the path of a file that is not there.
func pemFile(value string) (string, error) {
	if strings.Contains(value, "-----BEGIN") {
		return "", errors.New("it is a certificate or a key, and no path of one: give the variable the type File, not Variable, in GitLab")
	}
	return value, nil
}
