// Package docker tests the built program as a whole: the real binary, a real Docker
// Engine, a real nginx and a real sshd, and the lab's GitLab and registry on loopback
// and on the engine's bridge, where containers reach them.
//
// Nothing of the program is imported. The engine is spoken to with plain requests and
// plain JSON, so that nothing here shares a mistake with the program's own client.
//
// The tests carry the build tag docker; `make test` installs what they need and runs
// them. What is missing is an error that says how to get it, never a skip.
package docker
