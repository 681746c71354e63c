// Package gateway is what is known about GitLab's self-hosted AI Gateway: what
// each of its releases needs, what its log means, which images are one.
//
// The facts are data files beside the code, each entry with its source, so that a
// new GitLab release is a change of data.
package gateway

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"aigw-ci/internal/version"
)

// Needs is what a gateway of one minor release needs to run, and what it offers.
type Needs struct {
	HTTPPort       int        // 5052
	GRPCPort       int        // 50052; 0 before 18.4, which serves no gRPC
	ModelsEndpoint bool       // ModelsPath answers without a token, from 18.4
	Memory         int64      // the least it starts with, in bytes
	CPUs           int        // the least GitLab asks for; 0 before 18.4, which runs one service
	User           string     // its image's: "root" up to 17.5, then "aigateway"
	Command        string     // its image's, from its working directory: "./scripts/run.sh"
	Variables      []Variable // to set at a first install
	Keys           []string   // variables that hold RSA private keys in PEM; see GenerateKey
}

// ModelsPath is the address of the model definitions, see Needs.ModelsEndpoint.
func ModelsPath() string { return facts.ModelsEndpoint.Path }

// Variable is an environment variable of the gateway.
type Variable struct {
	Name     string `json:"name"`
	Template string `json:"value"`

	// Without is what happens when it is not set; empty when the gateway's own
	// default will do.
	Without string `json:"without"`
}

// Value is the variable's value at a first install, for the GitLab at url.
func (v Variable) Value(url string) string {
	return strings.ReplaceAll(v.Template, "{gitlab}", strings.TrimRight(url, "/"))
}

// For returns what the gateways of line need. The oldest self-hosted gateway is
// 17.4; what it needs is also the answer for older lines. The answer for lines
// that are not released yet is what the newest known one needs.
func For(line version.Line) Needs {
	line = atLeast(line)
	n := Needs{
		Memory:         facts.Memory.Mebibytes << 20,
		ModelsEndpoint: facts.ModelsEndpoint.holds(line),
	}
	if facts.CPUs.holds(line) {
		n.CPUs = facts.CPUs.Count
	}
	for _, u := range facts.Users {
		if u.holds(line) {
			n.User = u.Name
		}
	}
	for _, c := range facts.Commands {
		if c.holds(line) {
			n.Command = c.Path
		}
	}
	for _, p := range facts.Ports {
		switch {
		case !p.holds(line):
		case p.Name == "http":
			n.HTTPPort = p.Port
		case p.Name == "grpc":
			n.GRPCPort = p.Port
		}
	}
	for _, v := range facts.Variables {
		if v.holds(line) {
			n.Variables = append(n.Variables, v.Variable)
		}
	}
	for _, k := range facts.Keys {
		if k.holds(line) {
			n.Keys = append(n.Keys, k.Name)
		}
	}
	return n
}

// atLeast is the line whose needs are the answer for l.
func atLeast(l version.Line) version.Line {
	if l.Compare(oldest) < 0 {
		return oldest
	}
	return l
}

//go:embed requirements.json
var requirementsJSON []byte

// facts is requirements.json; never changed.
var facts = decode[requirements]("requirements.json", requirementsJSON)

type requirements struct {
	Ports []struct {
		Name string `json:"name"`
		Port int    `json:"port"`
		span
	} `json:"ports"`
	ModelsEndpoint struct {
		Path string `json:"path"`
		span
	} `json:"models_endpoint"`
	Memory struct {
		Mebibytes int64 `json:"mebibytes"`
		span
	} `json:"memory"`
	CPUs struct {
		Count int `json:"count"`
		span
	} `json:"cpus"`
	Users []struct {
		Name string `json:"name"`
		span
	} `json:"users"`
	Commands []struct {
		Path string `json:"path"`
		span
	} `json:"commands"`
	Variables []struct {
		Variable
		span
	} `json:"variables"`
	Keys []struct {
		Name string `json:"name"`
		span
	} `json:"keys"`
}

// span is from which line on an entry holds, up to which (the zero line: no end),
// and where that is written.
type span struct {
	Since  line   `json:"since"`
	Until  line   `json:"until"`
	Source string `json:"source"`
}

func (s span) holds(l version.Line) bool {
	return l.Compare(version.Line(s.Since)) >= 0 && (s.Until == line{} || l.Compare(version.Line(s.Until)) <= 0)
}

// line is a version.Line as the data files write it: "18.4".
type line version.Line

var oldest = version.Line{Major: 17, Minor: 4}

func (l *line) UnmarshalText(text []byte) error {
	major, minor, found := strings.Cut(string(text), ".")
	var errMajor, errMinor error
	l.Major, errMajor = strconv.Atoi(major)
	l.Minor, errMinor = strconv.Atoi(minor)
	if !found || errMajor != nil || errMinor != nil {
		return fmt.Errorf("%q is no release line such as 18.4", text)
	}
	return nil
}

// decode reads a data file that is part of the program; a mistake in it is a
// mistake in the program.
func decode[T any](name string, data []byte) T {
	var v T
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		panic("gateway: " + name + ": " + err.Error())
	}
	return v
}
