package rake

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := map[string]Way{
		"":                         {},
		"local":                    {Kind: Local},
		"docker:gitlab":            {Kind: Docker, Name: "gitlab"},
		"docker:gitlab-web_1.x":    {Kind: Docker, Name: "gitlab-web_1.x"},
		"kubernetes:gitlab":        {Kind: Kubernetes, Name: "gitlab"},
		"ssh:root@gitlab":          {Kind: SSH, User: "root", Host: "gitlab", Port: 22},
		"ssh:d.e-p_1@10.0.0.1:221": {Kind: SSH, User: "d.e-p_1", Host: "10.0.0.1", Port: 221},
		"ssh:ops@[2001:db8::1]:22": {Kind: SSH, User: "ops", Host: "2001:db8::1", Port: 22},
		"ssh:ops@[2001:DB8::1]":    {Kind: SSH, User: "ops", Host: "2001:db8::1", Port: 22},
	}
	for setting, want := range tests {
		got, err := Parse(setting)
		if got != want || err != nil {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", setting, got, err, want)
		}
		if again, err := Parse(got.String()); again != got || err != nil {
			t.Errorf("%q is written %q and read as %+v, %v", setting, got, again, err)
		}
	}
	for _, setting := range []string{
		" ", "Local", "local:", "local ", "docker", "docker:", "docker:a", "docker:-v", "docker:a b", "docker:a\n", "docker:a/b", "docker:" + strings.Repeat("a", 129),
		"kubernetes:", "kubernetes:Git", "kubernetes:a.b", "kubernetes:-a", "kubernetes:" + strings.Repeat("a", 64),
		"ssh:", "ssh:host", "ssh:@host", "ssh:a@", "ssh:-oProxyCommand=x@host", "ssh:a@-host", "ssh:a b@host", "ssh:a@ho st", "ssh:a@host;id", "ssh:a@$(id)",
		"ssh:a@host:", "ssh:a@host:0", "ssh:a@host:022", "ssh:a@host:+22", "ssh:a@host:65536", "ssh:a@host:x", "ssh:a@b@host", "ssh:a@[::1", "ssh:a@[1.2.3.4]", "ssh:a@[fe80::1%eth0]", "ssh:a@::1", "ssh:a@host/x",
		"ssh:deploy:hunter22@host", "ssh://deploy@host", "rsh:a@host", "https://gitlab.example.com", "local\x00",
	} {
		got, err := Parse(setting)
		if err == nil || !strings.Contains(err.Error(), "docker:NAME") || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("Parse(%q) = %+v, %v; want an error that lists the ways and repeats nothing", setting, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"local", "docker:gitlab", "kubernetes:gitlab", "ssh:ops@[2001:db8::1]:2222", "ssh:ops@gitlab.example.com:22"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(w.String()); again != w || err != nil {
			t.Errorf("%q is read as %+v, which is written %q and read as %+v, %v", s, w, w, again, err)
		}
		if strings.ContainsAny(w.String(), " \t\n'\"$`;|&<>(){}\\\x00") {
			t.Errorf("%q is accepted", s)
		}
	})
}

func TestCommand(t *testing.T) {
	plain := []string{"gitlab-rake", Task}
	tests := []struct {
		way  string
		user string
		root bool
		want []string
	}{
		{"local", "", true, plain},
		{"local", "", false, append([]string{"sudo", "-n"}, plain...)},
		{"docker:gitlab", "", false, plain},
		{"kubernetes:gitlab", "", false, plain},
		{"ssh:root@gitlab", "", false, plain},
		{"ssh:ops@gitlab", "", true, append([]string{"sudo", "-n"}, plain...)},
		{"docker:gitlab", "a.l-i_ce1", false, []string{"gitlab-rake", Task + "[a.l-i_ce1]"}},
	}
	for _, tt := range tests {
		way, err := Parse(tt.way)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := way.Command(tt.user, tt.root); !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%s, user %q, root %v: %q, %v; want %q", tt.way, tt.user, tt.root, got, err, tt.want)
		}
	}
	for _, user := range []string{"a b", "a,b", "a]", "[a", "$(id)", "`id`", "a;id", "a'b", `a"b`, "-x", "a\nb", "a\x00", "é", " ", strings.Repeat("a", 256)} {
		if got, err := (Way{Kind: Local}).Command(user, true); err == nil {
			t.Errorf("the user %q is accepted: %q", user, got)
		}
	}
}
