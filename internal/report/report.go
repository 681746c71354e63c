// Package report tells what a run found and did: to the person who reads the job
// log, to GitLab (JUnit, dotenv, annotations), to other programs (report.json), to
// a merge request (summary.md), and to whoever has to find out the next morning
// what happened (evidence).
//
// What it is given may come from a registry, a GitLab, an engine or a gateway's own
// log. So every text passes the redactor first, is bounded, and is escaped for
// where it goes. The verdict itself is made elsewhere; nothing here decides.
package report

import (
	"errors"
	"strings"
	"time"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// Report is what is reported.
type Report struct {
	Result     upgrade.Result
	GatewayURL string // setting gateway.url; empty when it is not set
	JobURL     string // CI_JOB_URL; empty outside GitLab CI
}

// maxText is more than any one text in a report needs, in bytes.
const maxText = 16 << 10

// clean is a copy of the report without secrets, without texts that have no end, and
// without what a terminal acts on: also report.json is looked at in one. It is made
// before anything is written in any format, because a secret that a format has escaped
// or broken into lines is harder to find.
func (r Report) clean(redact *secret.Redactor) Report {
	text := func(s string) string { return secret.Cut(plain(redact.String(s)), maxText) }
	r.GatewayURL, r.JobURL = text(r.GatewayURL), text(r.JobURL)
	r.Result = cleanResult(r.Result, text)
	return r
}

// said is what is left of an error: its text, and that it was the loss of the lock.
type said struct {
	text string
	lost bool
}

func (s said) Error() string        { return s.text }
func (s said) Is(target error) bool { return s.lost && target == upgrade.ErrLockLost }

func cleanResult(r upgrade.Result, text func(string) string) upgrade.Result {
	if r.Err != nil {
		r.Err = said{text(r.Err.Error()), errors.Is(r.Err, upgrade.ErrLockLost)}
	}
	r.Release.URL = text(r.Release.URL)
	i := &r.Image
	i.Repository, i.Tag, i.Reason = text(i.Repository), text(i.Tag), text(i.Reason)
	i.Digest, i.PlatformDigest, i.ConfigDigest, i.Platform = text(i.Digest), text(i.PlatformDigest), text(i.ConfigDigest), text(i.Platform)
	r.Place.Name = text(r.Place.Name)
	r.Before, r.After = cleanInstance(r.Before, text), cleanInstance(r.After, text)
	r.Changes = each(r.Changes, func(c *upgrade.Change) {
		c.Field, c.From, c.To = text(c.Field), text(c.From), text(c.To)
	})
	r.Phases = each(r.Phases, func(p *upgrade.Phase) { p.Name, p.Outcome = text(p.Name), text(p.Outcome) })
	r.Checks = each(r.Checks, func(c *upgrade.Check) {
		c.ID, c.Detail, c.Remedy, c.Diagnosis = text(c.ID), text(c.Detail), text(c.Remedy), text(c.Diagnosis)
	})
	r.Notes = each(r.Notes, func(n *string) { *n = text(*n) })
	return r
}

func cleanInstance(i *upgrade.Instance, text func(string) string) *upgrade.Instance {
	if i == nil {
		return nil
	}
	return &upgrade.Instance{
		ID: text(i.ID), Image: text(i.Image),
		Digests: each(i.Digests, func(d *string) { *d = text(*d) }),
	}
}

// each returns a copy of list with do done to every element; never nil.
func each[T any](list []T, do func(*T)) []T {
	list = append([]T{}, list...)
	for i := range list {
		do(&list[i])
	}
	return list
}

// digest is the one digest to name an instance by: the image's, when that is what
// it runs; what its own reference says; or the first its target knows.
func digest(i *upgrade.Instance, image upgrade.Image) string {
	switch _, pinned, ok := strings.Cut(i.Image, "@"); {
	case image.Is(i.Digests):
		return image.Digest
	case ok:
		return pinned
	case len(i.Digests) > 0:
		return i.Digests[0]
	}
	return ""
}

// seconds is a duration as reports have it, to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
