package docker

import (
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	tests := []struct {
		in   string
		tls  bool
		want string // as String writes it, or what the error says
		bad  bool
	}{
		{in: "", want: "unix:///var/run/docker.sock"},
		{in: "unix:///run/user/1000/docker.sock", want: "unix:///run/user/1000/docker.sock"},
		{in: "tcp://docker", want: "tcp://docker:2375"},
		{in: "tcp://docker", tls: true, want: "tcp://docker:2376"},
		{in: "tcp://[2001:db8::1]:2376/", want: "tcp://[2001:db8::1]:2376"},
		{in: "ssh://deploy@host.example.com", want: "ssh://deploy@host.example.com:22"},
		{in: "ssh://deploy@host.example.com:2222/run/user/1000/docker.sock", want: "ssh://deploy@host.example.com:2222/run/user/1000/docker.sock"},

		{in: "docker:2375", bad: true, want: "no scheme"},
		{in: "unix://docker.sock", bad: true, want: "no absolute path"},
		{in: "unix:///" + strings.Repeat("x", 200), bad: true, want: "longer than"},
		{in: "tcp://", bad: true, want: "names no host"},
		{in: "tcp://docker:99999", bad: true, want: "no valid port"},
		{in: "tcp://docker:0", bad: true, want: "no valid port"},
		{in: "tcp://docker:2375/engine", bad: true, want: "more than host and port"},
		{in: "tcp://docker:2375?a=b", bad: true, want: "query"},
		{in: "ssh://host.example.com", bad: true, want: "names no user"},
		{in: "ssh://deploy:hunter22@host.example.com", bad: true, want: "holds a password"},
		{in: "ssh://deploy:hunter22@host.exa mple.com", bad: true, want: "cannot be read"},
		{in: "npipe:////./pipe/docker_engine", bad: true, want: "unknown scheme"},
		{in: "tcp://" + strings.Repeat("x", 2000), bad: true, want: "longer than"},
	}
	for _, test := range tests {
		got, err := parseHost(test.in, test.tls)
		switch {
		case test.bad && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("parseHost(%q): error %v, want one with %q", test.in, err, test.want)
		case !test.bad && (err != nil || got.String() != test.want):
			t.Errorf("parseHost(%q) = %s, %v, want %s", test.in, got, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter22") {
			t.Errorf("parseHost(%q): the error holds the password: %v", test.in, err)
		}
	}
}

func FuzzParseHost(f *testing.F) {
	f.Add("unix:///var/run/docker.sock")
	f.Add("ssh://deploy@host.example.com:2222/run/docker.sock")
	f.Add("tcp://[::1]:2375")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHost(s, false)
		if err != nil {
			return
		}
		again, err := parseHost(h.String(), false)
		if err != nil || again != h {
			t.Errorf("%q is read as %+v, which is written %s and read as %+v, %v", s, h, h, again, err)
		}
	})
}
