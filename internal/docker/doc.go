// Package docker keeps a gateway on a Docker Engine: it is the engine's side of
// upgrade.Target.
//
// An Engine is one connection to one engine, by unix socket, by TCP with or
// without TLS, or through SSH without any program on either side. Everything the
// package knows and changes goes through the Engine API, so it works the same
// from the engine's host, from a container with the socket mounted, and from far
// away. The API version is negotiated; the package asks for nothing newer than
// API 1.41 (Docker Engine 20.10) without looking first whether it is there.
//
// The package is the only one that imports the engine's client library. It keeps
// the library's client as it is instead of hiding it behind an interface: what an
// engine does is in its answers, not in the client's method set, so tests put a
// scripted engine on the other end of the wire.
//
// What the package leaves on an engine while it works carries the labels of
// labels.go, and each thing is removed by the ID under which it was made.
package docker
