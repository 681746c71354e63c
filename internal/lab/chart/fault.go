package chart

import (
	"archive/tar"
	"bytes"
	"net/http"

	"aigw-ci/internal/lab/wire"
)

// These are the ways a repository fails, for SetFaults. Those of package wire fit too.

// EndlessIndex has no end of charts.
func EndlessIndex() wire.Fault {
	return wire.Endless("text/yaml", "apiVersion: v1\nentries:\n  "+Name+":\n  - description: ").On(http.MethodGet, "/index.yaml")
}

// LoginPage is a proxy, or a GitLab without a token, that answers 200 and means 401.
func LoginPage() wire.Fault {
	return wire.Answer("login-page", http.StatusOK, http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		"<!DOCTYPE html>\n<html><head><title>Sign in · GitLab</title></head><body>You need to sign in.</body></html>\n")
}

// NoArchive has charts in its index and none to give.
func NoArchive() wire.Fault {
	return wire.Answer("no-archive", http.StatusNotFound, http.Header{"Content-Type": {"application/json"}}, `{"message":"404 Package Not Found"}`).On(http.MethodGet, ".tgz")
}

// OtherDigest gives archives that are not the ones in the index: a comment of gzip's,
// which no chart notices, is in place of none.
func OtherDigest() wire.Fault {
	fault := wire.Fault{Name: "other-digest", Serve: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := wire.Capture(next, r)
			const flags, hasComment = 3, 1 << 4 // RFC 1952, section 2.3
			if len(a.Body) > 10 {
				a.Body = bytes.Join([][]byte{a.Body[:10], a.Body[10:]}, []byte("other\x00"))
				a.Body[flags] |= hasComment
			}
			a.WriteTo(w)
		})
	}}
	return fault.On(http.MethodGet, ".tgz")
}

// Hostile are entries that no chart has, for Repository.Add: what they are to do, and
// how they begin.
func Hostile() map[string]tar.Header {
	return map[string]tar.Header{
		"leaves the chart":      {Name: Name + "/../../escaped", Size: 1},
		"has an absolute path":  {Name: "/tmp/escaped", Size: 1},
		"is a symbolic link":    {Name: Name + "/templates/link.yaml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"is a hard link":        {Name: Name + "/templates/hard.yaml", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		"is of another chart":   {Name: "other/templates/all.yaml", Size: 1},
		"grows when unpacked":   {Name: Name + "/templates/large.yaml", Size: 120 << 20},
		"has a Windows's drive": {Name: `c:\escaped`, Size: 1},
	}
}
