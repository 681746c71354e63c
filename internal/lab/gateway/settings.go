package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Variables that an image of the lab sets for its own gateway. The real image has
// none of them.
const (
	LineVariable        = "LAB_LINE"         // the release line, "18.4"; "" is a build that is not for self-hosting
	ModeVariable        = "LAB_MODE"         // a Mode
	AfterVariable       = "LAB_AFTER"        // for DiesAfter and DiesWithUsers: "8s"
	BootDelayVariable   = "LAB_BOOT_DELAY"   // from start to listening: "2s"
	AnswerDelayVariable = "LAB_ANSWER_DELAY" // how long every POST takes: "1s"
	ModelVariable       = "LAB_MODEL"        // a Model
	HostVariable        = "LAB_HOST"         // address to listen on, for a gateway that runs as a plain process
)

// Settings are a gateway's environment, read.
type Settings struct {
	Major, Minor int
	Mode         Mode
	Model        Model
	After        time.Duration
	BootDelay    time.Duration
	AnswerDelay  time.Duration

	API, Metrics, GRPC string // addresses to listen on
	NoAPI, NoGRPC      bool   // services that the environment turns off

	GitLabURL        string // where tokens are issued; "" when the environment does not say
	RequestsCABundle string // trusted by the library that reads GitLab's keys
	SSLCertFile      string // trusted by the library that talks to everything else

	Bypass           bool // no authentication
	BypassWithHeader bool // none for requests that say so
	LogText          bool

	Keys map[string]string // the signing and validation keys that were given, by variable
}

// keyVariables hold private keys in PEM.
// Source: docs.gitlab.com/install/install_ai_gateway.
func keyVariables() []string {
	return []string{
		"AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY",
		"DUO_WORKFLOW_SELF_SIGNED_JWT__SIGNING_KEY", "DUO_WORKFLOW_SELF_SIGNED_JWT__VALIDATION_KEY",
	}
}

// Read reads the environment. Like the real one it ignores what it does not know.
func Read(getenv func(string) string) (Settings, error) {
	var errs []error
	duration := func(name string) time.Duration {
		d, err := time.ParseDuration(cmp.Or(getenv(name), "0s"))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		return d
	}
	is := func(name string) bool { on, _ := strconv.ParseBool(getenv(name)); return on }
	host := getenv(HostVariable)
	address := func(hostName, portName, port string) string {
		return net.JoinHostPort(cmp.Or(host, getenv(hostName), "0.0.0.0"), cmp.Or(getenv(portName), port))
	}

	s := Settings{
		After: duration(AfterVariable), BootDelay: duration(BootDelayVariable), AnswerDelay: duration(AnswerDelayVariable),

		// 5000 is the default of the code; the self-hosted image sets 5052.
		API:     address("AIGW_FASTAPI__API_HOST", "AIGW_FASTAPI__API_PORT", "5000"),
		Metrics: address("AIGW_FASTAPI__METRICS_HOST", "AIGW_FASTAPI__METRICS_PORT", "8082"),
		GRPC:    address("", "PORT", "50052"),
		NoAPI:   is("DISABLE_AI_GATEWAY"),
		NoGRPC:  !is("ENABLE_DUO_WORKFLOW_SERVICE"),

		// The real default is https://gitlab.com. A stand-in does not call out.
		GitLabURL:        strings.TrimSuffix(getenv("AIGW_GITLAB_URL"), "/"),
		RequestsCABundle: getenv("REQUESTS_CA_BUNDLE"),
		SSLCertFile:      getenv("SSL_CERT_FILE"),
		Bypass:           is("AIGW_AUTH__BYPASS_EXTERNAL"),
		BypassWithHeader: is("AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER"),
		Keys:             make(map[string]string),
	}
	if json, err := strconv.ParseBool(getenv("AIGW_LOGGING__FORMAT_JSON")); err == nil {
		s.LogText = !json
	}
	for _, name := range keyVariables() {
		if value := getenv(name); value != "" {
			s.Keys[name] = value
		}
	}
	var err error
	if s.Mode, err = ParseMode(getenv(ModeVariable)); err != nil {
		errs = append(errs, err)
	}
	if s.Model, err = ParseModel(getenv(ModelVariable)); err != nil {
		errs = append(errs, err)
	}
	if line := getenv(LineVariable); line != "" {
		if _, err := fmt.Sscanf(line, "%d.%d", &s.Major, &s.Minor); err != nil {
			errs = append(errs, fmt.Errorf("%s=%q: want a line such as 18.4", LineVariable, line))
		}
	}
	s.Bypass = s.Bypass || s.Mode == Bypass
	return s, errors.Join(errs...)
}

// since reports whether the gateway is of a line or of a later one.
func (s Settings) since(major, minor int) bool {
	return s.Major > major || s.Major == major && s.Minor >= minor
}
