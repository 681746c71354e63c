package docker

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const secretInspect = `{
  "Id": "1", "Name": "/gitlab-aigw", "Image": "sha256:1",
  "Args": ["--key", "sk-inline-88"],
  "Config": {
    "Env": ["AIGW_GITLAB_URL=https://gitlab.example.com", "ANTHROPIC_API_KEY=sk-env-1234", "INLINE=sk-inline-88",
            "HOME=/home/aigateway", "CUSTOM_HOME=/srv/custom", "MODEL_PROXY=http://me:proxypw9@proxy.example.com", "EMPTY=", "BARE"],
    "Labels": {"com.docker.compose.project": "gitlab", "traefik.http.middlewares.a.basicauth.users": "me:$apr1$hash"}
  },
  "HostConfig": {
    "LogConfig": {"Type": "splunk", "Config": {"splunk-token": "splunk-tok-77", "max-size": "10m"}},
    "Mounts": [{"VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"o": "username=me,password=cifspw"}}}}],
    "Binds": ["/srv/ca.pem:/ca.pem:ro"]
  },
  "State": {"Status": "exited", "ExitCode": 1}
}`

const secretImage = `{"Id": "sha256:1", "Config": {"Env": ["HOME=/home/aigateway", "CUSTOM_HOME=/srv/custom"]}}`

func TestEvidence(t *testing.T) {
	t.Parallel()
	s := newStub()
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/containers/1/json":
			_, _ = w.Write([]byte(secretInspect))
		case strings.HasPrefix(r.URL.Path, "/images/"):
			_, _ = w.Write([]byte(secretImage))
		case r.URL.Path == "/containers/1/logs":
			_, _ = w.Write([]byte(frame(2, "Error in /srv/custom/app.py: key sk-env-1234 is invalid, proxypw9 too\n")))
		default:
			return false
		}
		return true
	}
	files, err := s.engine(t, nil).gateway("1", "gitlab-aigw", true).Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := make(map[string]string)
	for _, f := range files {
		text[f.Name] = string(f.Data)
		for _, s := range []string{"sk-env-1234", "sk-inline-88", "proxypw9", "apr1", "splunk-tok-77", "cifspw"} {
			if strings.Contains(string(f.Data), s) {
				t.Errorf("%s holds the secret %q:\n%s", f.Name, s, f.Data)
			}
		}
	}
	for name, wants := range map[string][]string{
		"inspect.json": {"AIGW_GITLAB_URL=https://gitlab.example.com", "ANTHROPIC_API_KEY=[redacted]", `"com.docker.compose.project": "gitlab"`, `"max-size": "10m"`, "/srv/ca.pem:/ca.pem:ro", `"BARE"`, `"EMPTY="`},
		"image.json":   {`"Id": "sha256:1"`},
		// A path that the image brought along is nobody's secret.
		"logs.txt": {"Error in /srv/custom/app.py: key [redacted] is invalid"},
	} {
		for _, want := range wants {
			if !strings.Contains(text[name], want) {
				t.Errorf("%s lacks %s:\n%s", name, want, text[name])
			}
		}
	}
	if !json.Valid([]byte(text["inspect.json"])) {
		t.Error("inspect.json is no JSON")
	}
}

// What could be read is kept, and what could not is said.
func TestEvidenceInPart(t *testing.T) {
	t.Parallel()
	s := newStub()
	s.fail = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/containers/1/json" {
			_, _ = w.Write([]byte(secretInspect))
			return true
		}
		refuse(w, http.StatusInternalServerError, "out of order")
		return !strings.HasPrefix(r.URL.Path, "/_ping")
	}
	files, err := s.engine(t, nil).gateway("1", "gitlab-aigw", true).Evidence(t.Context())
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if err == nil || !strings.Contains(err.Error(), "logs of gitlab-aigw: out of order") || !slices.Equal(names, []string{"inspect.json"}) {
		t.Errorf("files %q, error %v", names, err)
	}
	if _, err := newStub().engine(t, nil).gateway("1", "gitlab-aigw", true).Evidence(t.Context()); err == nil {
		t.Error("a gateway that is gone: no error")
	}
}
