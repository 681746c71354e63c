package report

import (
	"bytes"
	"encoding/json"
	"time"

	"aigw-ci/internal/upgrade"
)

// document is report.json, schema 1. Names and types are a contract with other
// programs: what is added needs no new schema number, what changes does. Lists are
// never null; durations are seconds; times are RFC 3339 in UTC.
type document struct {
	Schema   int             `json:"schema"`
	Command  string          `json:"command"`
	ExitCode int             `json:"exit_code"`
	Outcome  upgrade.Outcome `json:"outcome"`
	Error    string          `json:"error"` // empty on success
	GitLab   struct {
		URL        string `json:"url"`
		Version    string `json:"version"` // empty when it was not learnt
		Source     string `json:"source"`
		Enterprise *bool  `json:"enterprise"` // null: not known
	} `json:"gitlab"`
	Image struct {
		Repository   string `json:"repository"`
		Tag          string `json:"tag"`
		Digest       string `json:"digest"`
		ConfigDigest string `json:"config_digest"`
		Platform     string `json:"platform"`
		Reason       string `json:"reason"`
	} `json:"image"`
	Target struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"target"`
	Before   *instance `json:"before"` // null: there was none, or it was not looked for
	After    *instance `json:"after"`  // null: there is none, or it is not known
	Changes  []change  `json:"changes"`
	Phases   []phase   `json:"phases"`
	Checks   []check   `json:"checks"`
	Registry struct {
		Requests int `json:"requests"`
	} `json:"registry"`
	OutageSeconds *float64 `json:"outage_seconds"` // null: not measured
}

type instance struct {
	Image  string `json:"image"`
	Digest string `json:"digest"`
	ID     string `json:"id"`
}

type change struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

type phase struct {
	Name    string    `json:"name"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Outcome string    `json:"outcome"`
}

type check struct {
	ID      string          `json:"id"`
	Stage   upgrade.Stage   `json:"stage"`
	Verdict upgrade.Verdict `json:"verdict"`
	Detail  string          `json:"detail"`
	Remedy  string          `json:"remedy"`
	Seconds float64         `json:"seconds"`
}

// renderJSON renders a result that has been cleaned.
func renderJSON(r upgrade.Result) []byte {
	d := document{
		Schema: 1, Command: r.Command, ExitCode: r.ExitCode(), Outcome: r.Outcome,
		Before: describe(r.Before, r.Image), After: describe(r.After, r.Image),
		Changes: []change{}, Phases: []phase{}, Checks: []check{},
	}
	if r.Err != nil {
		d.Error = r.Err.Error()
	}
	d.GitLab.URL, d.GitLab.Version = r.Release.URL, gitlabVersion(r.Release)
	d.GitLab.Source, d.GitLab.Enterprise = r.Release.Source, r.Release.Enterprise
	d.Image.Repository, d.Image.Tag, d.Image.Digest = r.Image.Repository, r.Image.Tag, r.Image.Digest
	d.Image.ConfigDigest, d.Image.Platform, d.Image.Reason = r.Image.ConfigDigest, r.Image.Platform, r.Image.Reason
	d.Target.Kind, d.Target.Name = r.Place.Kind, r.Place.Name
	d.Registry.Requests = r.RegistryRequests
	if r.Outage != nil {
		outage := seconds(*r.Outage)
		d.OutageSeconds = &outage
	}
	for _, c := range r.Changes {
		d.Changes = append(d.Changes, change(c))
	}
	for _, p := range r.Phases {
		d.Phases = append(d.Phases, phase{p.Name, p.Started.UTC().Truncate(time.Millisecond), seconds(p.Took), p.Outcome})
	}
	for _, c := range r.Checks {
		d.Checks = append(d.Checks, check{c.ID, c.Stage, c.Verdict, c.Detail, c.Remedy, seconds(c.Took)})
	}
	return encode(d)
}

func describe(i *upgrade.Instance, image upgrade.Image) *instance {
	if i == nil {
		return nil
	}
	return &instance{Image: i.Image, Digest: digest(i, image), ID: i.ID}
}

// gitlabVersion is empty for a release that nobody learnt, whose version is 0.0.0.
func gitlabVersion(r upgrade.Release) string {
	if r.Source == "" {
		return ""
	}
	return r.Version.String()
}

// encode renders v for people and programs. Only types of this package come here,
// and they always encode.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}
