package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"aigw-ci/internal/secret"
)

// helper asks the credential helper of that name for the credential of a server. No
// credential is not an error.
type helper func(ctx context.Context, name, server string) (Credential, error)

// helperName is the end of a program's name, and never part of a path.
var helperName = regexp.MustCompile(`^[a-z0-9][a-zA-Z0-9._-]{0,62}$`)

const (
	helperTimeout = 30 * time.Second
	maxHelper     = 64 << 10 // bytes of its answer
)

// runHelper runs docker-credential-<name>, found in PATH, without a shell. Source:
// github.com/docker/docker-credential-helpers, "Development".
func runHelper(ctx context.Context, name, server string) (Credential, error) {
	if !helperName.MatchString(name) {
		return Credential{}, errors.New("that is not the name of a helper")
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	var out bounded
	cmd := exec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.Stdin = strings.NewReader(server)
	cmd.Stdout = &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	answer := out.buf.Bytes()
	if err != nil {
		if bytes.Contains(answer, []byte("credentials not found")) {
			return Credential{}, nil
		}
		return Credential{}, err // without its output: nobody knows what is in there
	}
	var got struct {
		Username string
		Secret   secret.Value
	}
	if out.full || json.Unmarshal(answer, &got) != nil || got.Secret == "" {
		return Credential{}, errors.New("its answer is not a credential")
	}
	if got.Username == "<token>" {
		return Credential{IdentityToken: got.Secret}, nil
	}
	return Credential{Username: got.Username, Password: got.Secret}, nil
}

// bounded keeps the first maxHelper bytes written to it.
type bounded struct {
	buf  bytes.Buffer
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), maxHelper-b.buf.Len())
	b.full = b.full || room < len(p)
	b.buf.Write(p[:room])
	return len(p), nil
}
