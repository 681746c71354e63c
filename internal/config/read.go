package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"aigw-ci/internal/gateway"
	"aigw-ci/internal/secret"
	"aigw-ci/internal/version"
)

const (
	mostItems     = 100     // values of a list, warnings of one kind
	mostVariables = 1000    // variables for the gateway
	largestValue  = 1 << 17 // bytes of one variable. Source: Linux, MAX_ARG_STRLEN
	largestBundle = 4 << 20 // bytes of a certificate file; Debian's whole bundle has 0.2 MiB
)

// readFiles reads the files that settings name.
func (l *loader) readFiles(s *Settings) {
	for _, path := range s.CAFiles {
		if bundle := l.certificates("ca_file", path); bundle != nil {
			s.CAs = append(s.CAs, bundle)
		}
	}
	// GitLab Runner sets this when its own connection to GitLab needs it. Source:
	// docs.gitlab.com/ci/variables/predefined_variables.
	if path := l.environ["CI_SERVER_TLS_CA_FILE"]; path != "" {
		if bundle, err := readBundle(l.open, path); err != nil {
			l.warn("CI_SERVER_TLS_CA_FILE is ignored: %s", reason(err))
		} else {
			s.CAs = append(s.CAs, bundle)
		}
	}
	if s.Gateway.CAFile != "" {
		s.Gateway.CABundle = l.certificates("gateway.ca_bundle", s.Gateway.CAFile)
	}
	s.Gateway.Environment = l.variables(s)
	l.readPair(&s.Kubernetes)
	l.readValues(&s.Kubernetes)
}

func (l *loader) certificates(setting, path string) []byte {
	bundle, err := readBundle(l.open, path)
	if err != nil {
		l.wrong(setting, "%s", reason(err))
	}
	return bundle
}

// readPair reads the certificate of the Ingress and its key, which must belong
// together. Whether it is good for the host, and still is, the target says.
func (l *loader) readPair(k *Kubernetes) {
	readPEM := func(setting, path string) []byte {
		if path == "" {
			return nil
		}
		data, err := read(l.open, path, largestBundle)
		if err != nil {
			l.wrong(setting, "%s", reason(err))
		}
		return data
	}
	cert, key := readPEM("kubernetes.tls_cert", k.TLSCertFile), readPEM("kubernetes.tls_key", k.TLSKeyFile)
	if cert == nil || key == nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		l.wrong("kubernetes.tls_key", "%s and %s make no pair: %s", k.TLSCertFile, k.TLSKeyFile, strings.TrimPrefix(err.Error(), "tls: "))
		return
	}
	k.TLSCert, k.TLSKey = cert, secret.Value(key)
}

// readValues reads the values for the chart, in the order in which they count.
func (l *loader) readValues(k *Kubernetes) {
	const setting = "kubernetes.values_files"
	for _, path := range k.ValuesFiles {
		text, err := read(l.open, path, largestFile)
		if err != nil {
			l.wrong(setting, "%s", reason(err))
			continue
		}
		if wrong := mapping(text); wrong != nil {
			from, _ := l.origin(setting)
			l.report(origin{from.setting, wrong.at(path, 0)}.problem("%s", wrong.message))
			continue
		}
		k.Values = append(k.Values, Document{Source: path, Text: text})
	}
	if k.Inline != "" {
		from, _ := l.origin("kubernetes.values")
		k.Values = append(k.Values, Document{Source: from.setting, Text: []byte(k.Inline)})
	}
}

// variables are gateway.environment and the files of gateway.environment_from
// together. A variable that comes from two places is a mistake, not a question of
// which wins.
func (l *loader) variables(s *Settings) Environment {
	inline, _ := named("gateway.environment")
	e, _ := l.entry(inline.Variable)
	all, where := make(Environment), make(map[string]origin)
	add := func(name, value string, from origin) {
		if first, twice := where[name]; twice {
			l.report(from.problem("%s is already set by %s (%s)", name, first.setting, first.source))
			return
		}
		where[name] = from
		if err := checkVariable(name, value); err != nil {
			l.report(from.problem("%v", err))
			return
		}
		all[name] = secret.Value(value)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Gateway.Environment)) {
		add(name, s.Gateway.Environment[name].Reveal(), e.keys[name])
	}
	from, _ := l.origin("gateway.environment_from")
	for _, item := range s.Gateway.EnvironmentFrom {
		l.variablesFrom(item, from, add)
	}
	if len(all) > mostVariables {
		l.report(from.problem("there are %d variables for the gateway, more than %d", len(all), mostVariables))
	}
	return all
}

// variablesFrom reads one value of gateway.environment_from: "NAME=path", where
// the file is the variable's value (as GitLab's variables of type file are), or
// the path of an env file. A path that has a = after what could be a name is
// written with ./ before it.
func (l *loader) variablesFrom(item string, from origin, add func(name, value string, from origin)) {
	name, path, single := strings.Cut(item, "=")
	if single = single && variableName.MatchString(name); !single {
		path = item
	}
	data, err := read(l.open, path, largestFile)
	if err != nil {
		l.report(from.problem("%s", reason(err)))
		return
	}
	if single {
		// Line breaks at the end are dropped, as $(cat file) does on GitLab's page.
		add(name, strings.TrimRight(string(data), "\r\n"), origin{setting: from.setting, source: path})
		return
	}
	variables, wrong := parseEnvFile(string(data))
	for _, w := range wrong {
		l.report(Problem{Setting: from.setting, Source: fmt.Sprintf("%s:%d", path, w.line), Message: w.message})
	}
	for _, v := range variables {
		add(v.name, v.value, origin{setting: from.setting, source: fmt.Sprintf("%s:%d", path, v.line)})
	}
}

// checkVariable reports why a variable cannot be given to a gateway. The error has
// no part of the value in it.
func checkVariable(name, value string) error {
	switch {
	case !variableName.MatchString(name):
		return fmt.Errorf("%s is no name for a variable: it has letters, digits and _", quote(name))
	case len(value) > largestValue:
		return fmt.Errorf("the value of %s has %d bytes, more than the system can pass on (%d)", name, len(value), largestValue)
	case strings.ContainsRune(value, 0):
		return fmt.Errorf("the value of %s has a zero byte in it", name)
	case strings.HasPrefix(name, prefix):
		return fmt.Errorf("%s is a setting of this program, not a variable of the gateway", name)
	case slices.Contains(keys, name):
		if err := gateway.CheckKey(value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// keys are the variables that hold keys, in any release.
var keys = gateway.For(version.Line{Major: math.MaxInt}).Keys

// readBundle reads a file of certificates in PEM, with at least one in it.
func readBundle(open func(string) (fs.File, error), path string) ([]byte, error) {
	data, err := read(open, path, largestBundle)
	if err != nil {
		return nil, err
	}
	found := 0
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil, fmt.Errorf("%s holds a private key: give the certificates of the authority alone", path)
		case block.Type != "CERTIFICATE":
			continue
		}
		found++
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("certificate %d in %s cannot be read: %w", found, path, err)
		}
	}
	if found == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM format (-----BEGIN CERTIFICATE-----)", path)
	}
	return data, nil
}

// read reads a whole file that must not be larger than most.
func read(open func(string) (fs.File, error), path string, most int64) (data []byte, err error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, most>>10)
	}
	return data, nil
}

// reason is why a file cannot be used, in words.
func reason(err error) string {
	path := ""
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		path = e.Path
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no file " + path
	case errors.Is(err, fs.ErrPermission):
		return "the file " + path + " cannot be read by this user"
	}
	return err.Error()
}
