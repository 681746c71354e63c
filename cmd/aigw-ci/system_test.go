package main

import (
	"slices"
	"testing"
)

// The key of an SSH engine comes as GitLab's file variables. A variable that is no
// file holds the key itself, which is nothing to open.
func TestSSHFileVariables(t *testing.T) {
	t.Parallel()
	o := system{environ: []string{"SSH_KNOWN_HOSTS=/builds/x.tmp/SSH_KNOWN_HOSTS", "SSH_PRIVATE_KEY=/builds/x.tmp/SSH_PRIVATE_KEY"}}.engine()
	if !slices.Contains(o.KnownHosts, "/builds/x.tmp/SSH_KNOWN_HOSTS") || !slices.Contains(o.SSHKeys, "/builds/x.tmp/SSH_PRIVATE_KEY") {
		t.Errorf("known hosts %q, keys %q", o.KnownHosts, o.SSHKeys)
	}
	o = system{environ: []string{"SSH_KNOWN_HOSTS=gateway.example.com ssh-ed25519 AAAA", "SSH_PRIVATE_KEY=-----BEGIN"}}.engine()
	if slices.Contains(o.KnownHosts, "gateway.example.com ssh-ed25519 AAAA") || len(o.SSHKeys) > 0 {
		t.Errorf("known hosts %q, keys %q", o.KnownHosts, o.SSHKeys)
	}
}
