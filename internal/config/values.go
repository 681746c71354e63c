package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aigw-ci/internal/version"
)

const (
	longestText   = 4096 // bytes; the longest path on Linux
	longestSecret = 8192 // bytes; tokens have some dozen, JSON web tokens a few thousand
)

// checkValue reports why a setting cannot have a value; values of lists are
// checked one by one. It returns the value in the form in which it is used.
func checkValue(s Setting, value string) (string, error) {
	if s.Type == YAML {
		return value, yamlValue(value)
	}
	longest := longestText
	if s.Secret {
		longest = longestSecret
	}
	switch {
	case len(value) > longest:
		return "", fmt.Errorf("it has %d bytes, more than %d", len(value), longest)
	case !utf8.ValidString(value):
		return "", errors.New("it is not UTF-8 text")
	case strings.ContainsFunc(value, unicode.IsControl):
		return "", errors.New("it has line breaks or other control characters in it")
	}
	if check := checks[s.Name]; check != nil {
		return check(value)
	}
	if s.Type == Boolean {
		if _, err := strconv.ParseBool(value); err != nil {
			return "", fmt.Errorf("%s is neither true nor false", quote(value))
		}
	}
	return value, nil
}

// checks are the checks of single settings; of a list, each value is checked.
var checks = map[string]func(string) (string, error){
	"gitlab.url":        address,
	"gitlab.token":      token,
	"gitlab.version":    gitlabVersion,
	"image.repository":  repository,
	"image.tag":         tag,
	"image.platform":    matching(`linux/[a-z0-9_]{1,20}(/[a-z0-9.]{1,10})?`, "a platform such as linux/amd64"),
	"registry.user":     account,
	"registry.password": token,
	"target":            oneOf("docker", "kubernetes"),
	"gateway.url":       gatewayAddress,
	"docker.container":  containerName,
	"docker.ports":      port,
	"docker.network":    network,
	"docker.restart":    matching(`no|always|unless-stopped|on-failure(:[1-9][0-9]{0,3})?`, "one of no, always, unless-stopped, on-failure, on-failure:5"),
	"docker.memory":     memory,
	"docker.mounts":     mount,
	"docker.reload":     containerName,
	"verify.timeout":    duration(time.Second, 6*time.Hour),
	"verify.hold":       duration(0, 6*time.Hour),

	"kubernetes.namespace":        matching(label, "a name of a namespace: at most 63 small letters, digits and -"),
	"kubernetes.release":          release,
	"kubernetes.chart.repository": chartRepository,
	"kubernetes.chart.name":       matching(`[a-z0-9][a-z0-9._-]{0,127}`, "the name of a chart, such as ai-gateway"),
	"kubernetes.chart.version":    matching(`v?(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){2}(-[0-9A-Za-z.-]{1,64})?(\+[0-9A-Za-z.-]{1,64})?`, "a version of a chart, such as 0.15.1"),
	"kubernetes.chart.user":       account,
	"kubernetes.chart.password":   token,
	"kubernetes.host":             hostName,
	"kubernetes.tls_cert":         pemFile,
	"kubernetes.tls_key":          pemFile,

	"verify.successes": number(1, 100),
	"verify.gitlab":    oneOf("auto", "required", "off"),
	"verify.rake":      rake,
	// Source: docs.gitlab.com/user/reserved_names, usernames.
	"verify.rake_user": matching(`[A-Za-z0-9_.][A-Za-z0-9_.-]{0,254}`, "the name of a GitLab user"),

	"log.level":  oneOf("debug", "info", "warn", "error"),
	"log.format": oneOf("text", "json"),
}

// yamlValue reports why a text is not what a setting of type YAML takes.
func yamlValue(text string) error {
	if len(text) > largestFile {
		return fmt.Errorf("it has %d bytes, more than %d", len(text), largestFile)
	}
	if wrong := mapping([]byte(text)); wrong != nil {
		return wrong
	}
	return nil
}

func oneOf(words ...string) func(string) (string, error) {
	return func(value string) (string, error) {
		for _, w := range words {
			if value == w {
				return w, nil
			}
		}
		return "", fmt.Errorf("%s is not known: it is one of %s", quote(value), strings.Join(words, ", "))
	}
}

func matching(pattern, what string) func(string) (string, error) {
	re := regexp.MustCompile(`^(?:` + pattern + `)$`)
	return func(value string) (string, error) {
		if !re.MatchString(value) {
			return "", fmt.Errorf("%s is not %s", quote(value), what)
		}
		return value, nil
	}
}

func duration(least, most time.Duration) func(string) (string, error) {
	return func(value string) (string, error) {
		d, err := time.ParseDuration(value)
		if _, bare := strconv.Atoi(value); bare == nil && value != "0" {
			return "", fmt.Errorf("%s has no unit: write %ss for seconds", quote(value), value)
		}
		if err != nil {
			return "", fmt.Errorf("%s is no duration such as 90s or 5m", quote(value))
		}
		if d < least || d > most {
			return "", fmt.Errorf("%s is not between %s and %s", quote(value), least, most)
		}
		return value, nil
	}
}

func number(least, most int) func(string) (string, error) {
	return func(value string) (string, error) {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			return "", fmt.Errorf("%s is no whole number from %d to %d", quote(value), least, most)
		}
		return strconv.Itoa(n), nil
	}
}

// token checks what is sent in a header. Its errors never have the value in them.
func token(value string) (string, error) {
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("it has blanks or special characters in it, which no token has")
	case strings.HasPrefix(value, "/") && strings.Contains(value, prefix):
		return "", errors.New("it is the path of a file: give the variable the type Variable, not File, in GitLab")
	case strings.HasPrefix(value, "$"):
		return "", errors.New("it is the name of a variable, which GitLab did not replace: is that variable set, and not for protected branches only?")
	}
	return value, nil
}

// account does not quote what it refuses: that may be "user:password".
func account(value string) (string, error) {
	if len(value) > 255 || strings.ContainsFunc(value, func(r rune) bool { return r == ':' || unicode.IsSpace(r) }) {
		return "", errors.New("it is not the name of an account, which has no : and no blanks")
	}
	return value, nil
}

func gitlabVersion(value string) (string, error) {
	v, err := version.ParseGitLab(value)
	if err != nil {
		return "", fmt.Errorf("%s is not a GitLab version: expected one such as 18.2.1-ee", quote(value))
	}
	return v.String(), nil
}
