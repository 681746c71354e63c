//go:build docker

package engine_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aigw-ci/internal/lab/engine"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"
)

// TestLikeDocker makes the same calls of a real engine and of the stand-in, and
// wants the same answers: status, the fields of the body, and for errors its
// text. That is promised for Docker 20.10; on any other engine the differences
// are logged and fail nothing.
func TestLikeDocker(t *testing.T) {
	docker, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	version, err := docker.ServerVersion(t.Context(), client.ServerVersionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	differs := t.Errorf
	if !strings.HasPrefix(version.Version, "20.10.") {
		differs = t.Logf
		t.Logf("the engine here is %s, not 20.10", version.Version)
	}
	suffix := strings.ToLower(rand.Text()[:10])
	lab := newLab(t, engine.Options{})
	real, standIn := newSide(t, docker, suffix), newSide(t, lab.Client, suffix)
	defer real.cleanUp()

	changes := `changes=ENTRYPOINT+["/bin/program"]&changes=EXPOSE+8080&changes=ENV+K=V&changes=VOLUME+/data&changes=LABEL+a=b`
	image, err := io.ReadAll(archive(t, executable()))
	if err != nil {
		t.Fatal(err)
	}
	tar, err := io.ReadAll(archive(t, regular("x", "1")))
	if err != nil {
		t.Fatal(err)
	}
	const j = "application/json"
	for _, step := range []struct{ method, path, contentType, body string }{
		{"POST", "/images/create?fromSrc=-&repo=IMG_&tag=1&" + strings.NewReplacer("[", "%5B", "]", "%5D", `"`, "%22").Replace(changes), "application/x-tar", string(image)},
		{"POST", "/images/create?fromSrc=-&repo=BAD&tag=1", "application/x-tar", string(tar)},
		{"GET", "/images/IMG_:1/json", "", ""},
		{"GET", "/images/IMG_:2/json", "", ""},
		{"POST", "/images/IMG_:1/tag?repo=IMG_&tag=2", "", ""},
		{"POST", "/images/IMG_:9/tag?repo=IMG_&tag=2", "", ""},
		{"DELETE", "/images/IMG_:2", "", ""},
		{"DELETE", "/images/IMG_:2", "", ""},
		{"POST", "/networks/create", j, `{"Name":"NET_","CheckDuplicate":true,"IPAM":{"Config":[{"Subnet":"10.213.77.0/24"}]},"Labels":{"a":"b"}}`},
		{"POST", "/networks/create", j, `{"Name":"NET_","CheckDuplicate":true}`},
		{"GET", "/networks/NET_", "", ""},
		{"GET", "/networks/NOSUCH_", "", ""},
		{"DELETE", "/networks/bridge", "", ""},
		{"POST", "/volumes/create", j, `{"Name":"VOL_","Labels":{"a":"b"}}`},
		{"GET", "/volumes/VOL_", "", ""},
		{"GET", "/volumes/NOSUCH_", "", ""},
		{"POST", "/containers/create?name=ONE_", j, `{"Image":"IMG_:1","Env":["B=c"],"HostConfig":{"NetworkMode":"NET_","Binds":["VOL_:/v","/tmp:/host:ro"],"PortBindings":{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"0"}]}},"NetworkingConfig":{"EndpointsConfig":{"NET_":{"Aliases":["gw"]}}}}`},
		{"POST", "/containers/create?name=ONE_", j, `{"Image":"IMG_:1"}`},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:9"}`},
		{"POST", "/containers/create?name=_", j, `{"Image":"IMG_:1"}`},
		{"POST", "/containers/create?name=TWO_", "text/plain", `{"Image":"IMG_:1"}`},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":""}`},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","Entrypoint":[]}`},
		{"POST", "/containers/create?name=TWO_&platform=linux/s390x", j, `{"Image":"IMG_:1"}`},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","HostConfig":{"RestartPolicy":{"Name":"bogus"}}}`},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}}`},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","NetworkingConfig":{"EndpointsConfig":{"NET_":{},"bridge":{}}}}`},
		{"GET", "/containers/ONE_/json", "", ""},
		{"GET", "/containers/NOSUCH_/json", "", ""},
		{"GET", "/containers/ONE_/logs", "", ""},
		{"POST", "/containers/ONE_/kill", "", ""},
		{"POST", "/containers/NOSUCH_/kill", "", ""},
		{"POST", "/containers/ONE_/stop", "", ""},
		{"PUT", "/containers/ONE_/archive?path=/", "application/x-tar", string(tar)},
		{"PUT", "/containers/ONE_/archive?path=/v", "application/x-tar", string(tar)},
		{"PUT", "/containers/ONE_/archive?path=/host", "application/x-tar", string(tar)},
		{"PUT", "/containers/ONE_/archive?path=/nosuch", "application/x-tar", string(tar)},
		{"PUT", "/containers/ONE_/archive?path=/bin/program", "application/x-tar", string(tar)},
		{"GET", "/containers/ONE_/archive?path=/nosuch", "", ""},
		{"GET", "/containers/ONE_/archive?path=", "", ""},
		{"POST", "/containers/ONE_/start", "", ""},
		{"POST", "/containers/ONE_/start", "", ""},
		{"GET", "/containers/ONE_/json", "", ""},
		{"GET", "/containers/json?filters=%7B%22name%22:%5B%22ONE%22%5D%7D", "", ""},
		{"GET", "/containers/json?filters=%7B%22bogus%22:%5B%22x%22%5D%7D", "", ""},
		{"DELETE", "/containers/ONE_", "", ""},
		{"DELETE", "/images/IMG_:1", "", ""},
		{"DELETE", "/networks/NET_", "", ""},
		{"DELETE", "/volumes/VOL_", "", ""},
		{"GET", "/networks/NET_", "", ""},
		{"POST", "/networks/bridge/connect", j, `{"Container":"ONE_"}`},
		{"POST", "/networks/bridge/connect", j, `{"Container":"ONE_"}`},
		{"POST", "/networks/bridge/connect", j, `{"Container":"NOSUCH_"}`},
		{"GET", "/containers/ONE_/json", "", ""},
		{"POST", "/networks/NET_/disconnect", j, `{"Container":"ONE_"}`},
		{"POST", "/networks/NET_/disconnect", j, `{"Container":"ONE_"}`},
		{"POST", "/networks/NET_/connect", j, `{"Container":"ONE_","EndpointConfig":{"Aliases":["z"],"IPAMConfig":{"IPv4Address":"10.213.77.9"}}}`},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","HostConfig":{"NetworkMode":"NET_"},"NetworkingConfig":{"EndpointsConfig":{"NET_":{"IPAMConfig":{"IPv4Address":"10.213.77.9"}}}}}`},
		{"POST", "/containers/TWO_/start", "", ""},
		{"DELETE", "/containers/TWO_?v=1", "", ""},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","NetworkingConfig":{"EndpointsConfig":{"bridge":{"Aliases":["z"]}}}}`},
		{"POST", "/containers/TWO_/start", "", ""},
		{"DELETE", "/containers/TWO_?v=1", "", ""},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","HostConfig":{"NetworkMode":"NOSUCH_"}}`},
		{"POST", "/containers/TWO_/start", "", ""},
		{"DELETE", "/containers/TWO_?v=1", "", ""},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","HostConfig":{"ReadonlyRootfs":true,"NetworkMode":"host"}}`},
		{"PUT", "/containers/TWO_/archive?path=/", "application/x-tar", string(tar)},
		{"PUT", "/containers/TWO_/archive?path=/data", "application/x-tar", string(tar)},
		{"GET", "/containers/TWO_/json", "", ""},
		{"POST", "/networks/NET_/connect", j, `{"Container":"TWO_"}`},
		{"DELETE", "/containers/TWO_?v=1", "", ""},
		{"POST", "/containers/create?name=TWO_", j, `{"Image":"IMG_:1","Entrypoint":["/no/such"]}`},
		{"POST", "/containers/TWO_/start", "", ""},
		{"GET", "/containers/TWO_/json", "", ""},
		{"POST", "/containers/TWO_/exec", j, `{"Cmd":["x"]}`},
		{"POST", "/containers/TWO_/rename?name=ONE_", "", ""},
		{"POST", "/containers/TWO_/rename?name=TWO_", "", ""},
		{"POST", "/containers/TWO_/rename?name=", "", ""},
		{"POST", "/containers/TWO_/update", j, `{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}}`},
		{"POST", "/containers/TWO_/update", j, `{"RestartPolicy":{"Name":"bogus"}}`},
		{"POST", "/containers/TWO_/update", j, `{"RestartPolicy":{"Name":"always","MaximumRetryCount":3}}`},
		{"DELETE", "/containers/TWO_?v=1", "", ""},
		{"POST", "/containers/ONE_/kill?signal=BOGUS", "", ""},
		{"POST", "/containers/ONE_/stop", "", ""},
		{"POST", "/containers/ONE_/stop", "", ""},
		{"GET", "/containers/ONE_/json", "", ""},
		{"POST", "/containers/ONE_/wait", "", ""},
		{"DELETE", "/containers/ONE_?v=1", "", ""},
		{"DELETE", "/containers/ONE_?v=1", "", ""},
		{"DELETE", "/volumes/VOL_", "", ""},
		{"DELETE", "/volumes/VOL_", "", ""},
		{"DELETE", "/networks/NET_", "", ""},
		{"DELETE", "/networks/NET_", "", ""},
		{"DELETE", "/images/IMG_:1", "", ""},
		{"GET", "/nosuch", "", ""},
		{"GET", "/v1.42/version", "", ""},
	} {
		want := real.call(step.method, step.path, step.contentType, step.body)
		got := standIn.call(step.method, step.path, step.contentType, step.body)
		if diff := cmp.Diff(want, got); diff != "" {
			differs("%s %s (-docker +stand-in):\n%s", step.method, step.path, diff)
		}
	}
}

// side is one of the two engines that are compared.
type side struct {
	t      *testing.T
	http   *http.Client
	suffix string
}

func newSide(t *testing.T, c *client.Client, suffix string) *side {
	return &side{t, &http.Client{Transport: overDialer(t, c), Timeout: time.Minute}, suffix}
}

// answer is what has to be alike.
type answer struct {
	Status  int
	Message string
	Fields  []string // paths of the body's fields, with the kinds of their values
}

func (s *side) named(text string) string {
	return strings.NewReplacer("IMG_", "aigw-like-"+s.suffix, "NET_", "aigw-net-"+s.suffix, "VOL_", "aigw-vol-"+s.suffix,
		"ONE_", "aigw-one-"+s.suffix, "TWO_", "aigw-two-"+s.suffix, "NOSUCH_", "aigw-nosuch-"+s.suffix).Replace(text)
}

// inOrder sorts the networks that an engine lists in the order of a Go map.
func inOrder(message string) string {
	before, names, found := strings.Cut(message, "network endpoints: ")
	if !found {
		return message
	}
	list := strings.Split(names, ", ")
	slices.Sort(list)
	return before + "network endpoints: " + strings.Join(list, ", ")
}

func (s *side) call(method, path, contentType, body string) answer {
	s.t.Helper()
	if contentType == "application/json" || body == "" {
		body = s.named(body)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://engine"+s.named(path), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out := answer{Status: resp.StatusCode}
	var v any
	if json.Unmarshal(b, &v) != nil {
		return out
	}
	if m, ok := v.(map[string]any); ok && resp.StatusCode >= 400 {
		out.Message = inOrder(hexes.ReplaceAllString(fmt.Sprint(m["message"]), "<id>"))
		return out
	}
	out.Fields = fields("", v)
	return out
}

var hexes = regexp.MustCompile(`\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b`)

// open are fields whose names are data, or in which engines differ from each other.
var open = regexp.MustCompile(`^\.(GraphDriver\.Data|ContainerConfig|DockerVersion|HostConfig\.OomKillDisable|HostConfig\.MemorySwappiness|HostConfig\.CgroupnsMode)\b`)

// fields lists the paths of a JSON value with the kinds of what is there.
func fields(at string, v any) []string {
	if open.MatchString(at) {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		out := []string{at + " {}"}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, fields(at+"."+hexes.ReplaceAllString(k, "<id>"), v[k])...)
		}
		return out
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, fields(at+"[]", x)...)
		}
		slices.Sort(out)
		return append([]string{at + " []"}, slices.Compact(out)...)
	case string:
		if v == "" {
			return []string{at + ` ""`}
		}
		return []string{at + " string"}
	}
	return []string{fmt.Sprintf("%s %T", at, v)}
}

// cleanUp removes what a test that failed may have left.
func (s *side) cleanUp() {
	for _, path := range []string{"/containers/ONE_?v=1&force=1", "/containers/TWO_?v=1&force=1", "/volumes/VOL_", "/networks/NET_", "/images/IMG_:1", "/images/IMG_:2"} {
		s.call(http.MethodDelete, path, "", "")
	}
}
