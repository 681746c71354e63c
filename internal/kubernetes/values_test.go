package kubernetes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"aigw-ci/internal/secret"
	"aigw-ci/internal/upgrade"
)

// written are values as a person writes them and Helm keeps them.
func written(t testing.TB, text string) values {
	t.Helper()
	v := values{}
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string][3]string{
		"maps are merged":        {"a: {b: 1, c: 2}", "a: {b: 3}", "a: {b: 3, c: 2}"},
		"lists are replaced":     {"ingress: {hosts: [1, 2]}", "ingress: {hosts: [3]}", "ingress: {hosts: [3]}"},
		"null stays":             {"a: {b: 1}", "a: null", "a: null"},
		"map over text":          {"a: 1", "a: {b: 1}", "a: {b: 1}"},
		"text over map":          {"a: {b: 1}", "a: 1", "a: 1"},
		"variables by name":      {"extraEnvironmentVariables: [{name: A, value: '1'}, {name: B, value: '2'}]", "extraEnvironmentVariables: [{name: A, value: '3'}]", "extraEnvironmentVariables: [{name: B, value: '2'}, {name: A, value: '3'}]"},
		"mounts by place":        {"volumeMounts: [{name: x, mountPath: /a}]", "volumeMounts: [{name: x, mountPath: /b}]", "volumeMounts: [{name: x, mountPath: /a}, {name: x, mountPath: /b}]"},
		"nameless items remain":  {"volumes: [text]", "volumes: [{name: x}]", "volumes: [text, {name: x}]"},
		"variables of others":    {"x: {volumes: [{name: a}]}", "x: {volumes: [{name: b}]}", "x: {volumes: [{name: b}]}"},
		"null takes a list away": {"volumes: [{name: a}]", "volumes: null", "volumes: null"},
	} {
		base, top := written(t, test[0]), written(t, test[1])
		if diff := cmp.Diff(written(t, test[2]), over(base, top)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if cmp.Diff(written(t, test[0]), base)+cmp.Diff(written(t, test[1]), top) != "" {
			t.Errorf("%s: an argument was changed", name)
		}
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string][3]string{
		"what is ours":            {"a: {b: 1, c: 2}", "a: {b: 1}", "a: {c: 2}"},
		"what was changed since":  {"a: {b: 5}", "a: {b: 1}", "a: {b: 5}"},
		"a map that is all ours":  {"a: {b: 1}", "a: {b: 1}", "{}"},
		"a list as one":           {"l: [1, 2]", "l: [1]", "l: [1, 2]"},
		"our variables":           {"extraEnvironmentVariables: [{name: MINE}, {name: OURS}]", "extraEnvironmentVariables: [{name: OURS}]", "extraEnvironmentVariables: [{name: MINE}]"},
		"our variable, changed":   {"extraEnvironmentVariables: [{name: A, value: x}]", "extraEnvironmentVariables: [{name: A, value: y}]", "extraEnvironmentVariables: [{name: A, value: x}]"},
		"variables that are ours": {"extraEnvironmentVariables: [{name: A}]", "extraEnvironmentVariables: [{name: A}, {name: GONE}]", "{}"},
		"a null":                  {"a: null, b: null", "a: null", "b: null"},
		"another type":            {"a: text", "a: {b: 1}", "a: text"},
	} {
		if name == "a null" {
			test[0] = "{a: null, b: null}"
		}
		if diff := cmp.Diff(written(t, test[2]), without(written(t, test[0]), written(t, test[1]))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestNothingOfTheUsersIsLost tries many values at random: what settings have put
// over a user's values is taken off again, and every value of the user's that the
// settings have not replaced is still there.
func TestNothingOfTheUsersIsLost(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		user, applied := anyValues(random, 3), anyValues(random, 3)
		back := without(over(user, applied), applied)
		for path, value := range leaves("", user) {
			if _, replaced := covering(applied, path); !replaced && back2(back, path) != value {
				t.Fatalf("%s is lost\nuser    %v\napplied %v\nback    %v", path, text(user), text(applied), text(back))
			}
		}
		for path, value := range leaves("", back) {
			if leaves("", user)[path] != value {
				t.Fatalf("%s = %s is not the user's\nuser    %v\napplied %v\nback    %v", path, value, text(user), text(applied), text(back))
			}
		}
	}
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func back2(v values, path string) string { return leaves("", v)[path] }

// leaves are all values but maps, by path; of the lists that are merged, each item.
func leaves(path string, v values) map[string]string {
	all := make(map[string]string)
	for key, value := range v {
		at := join(path, key)
		list, isList := value.([]any)
		switch m, isMap := value.(values); {
		case isMap:
			for p, l := range leaves(at, m) {
				all[p] = l
			}
		case isList && itemKey(at) != "":
			for _, item := range list {
				name, _ := itemName(itemKey(at), item)
				all[at+"."+name] = text(item)
			}
		default:
			all[at] = text(value)
		}
	}
	return all
}

// covering tells whether applied says something at a path, above it or below it.
func covering(applied values, path string) (string, bool) {
	for p := range leaves("", applied) {
		if p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(path, p+".") {
			return p, true
		}
	}
	return "", false
}

// anyValues are few keys and few values, so that two of them often meet.
func anyValues(random *rand.Rand, depth int) values {
	v := values{}
	for range 1 + random.IntN(3) {
		key := string(rune('a' + random.IntN(4)))
		switch n := random.IntN(6); {
		case n == 0 && depth > 0:
			v[key] = anyValues(random, depth-1)
		case n == 1:
			v[key] = []any{float64(random.IntN(2))}
		case n == 2 && depth == 3:
			var list []any
			for i := range 1 + random.IntN(3) {
				list = append(list, values{"name": string(rune('A' + i)), "value": fmt.Sprint(random.IntN(2))})
			}
			v["extraEnvironmentVariables"] = list
		case n == 3:
			v[key] = nil
		default:
			v[key] = float64(random.IntN(3))
		}
	}
	return v
}

func TestParseDocument(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"empty":               {"", ""},
		"only a comment":      {"# nothing\n", ""},
		"null":                {"null", ""},
		"anchors":             {"a: &x {b: 1}\nc: {<<: *x}\n", ""},
		"two documents":       {"a: 1\n---\nb: 2\n", "more than one document"},
		"a list":              {"- a\n", "not a map"},
		"text":                {"open-sesame", "not a map"},
		"broken":              {"a: 1\nb: [open-sesame\nc: 2\n", "is not YAML, see line"},
		"twice":               {"password: open-sesame\npassword: open-sesame\n", "same key twice, the second time in line 2"},
		"twice, deep":         {"a:\n  b: 1\n  b: 2\n", "line 3"},
		"large":               {strings.Repeat("#", maxDocument+1), "larger than 1024 KiB"},
		"bomb":                {"a: &a \"" + strings.Repeat("x", 1<<16) + "\"\nb: [" + strings.Repeat("*a,", 1000) + "]", "grows beyond"},
		"many small ones":     {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]", "grows beyond"},
		"an anchor in itself": {"a: &a [*a]", "grows beyond"},
		"deep":                {strings.Repeat("{a: ", 200) + strings.Repeat("}", 200), "nested deeper"},
		"a list for a key":    {"? [a]\n: 1\n", "a key that is no text"},
	} {
		v, err := Document{Source: "kubernetes.values", Text: []byte(test.text)}.parse()
		switch {
		case test.want == "" && (err != nil || v == nil):
			t.Errorf("%s: %v, %v", name, v, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "kubernetes.values ")):
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		case err != nil && strings.Contains(err.Error(), "sesame"):
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte("a: &x {b: open}\nc: *x\n"))
	f.Add([]byte("a: [1, ~, yes, 0x1]\n---\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Document{Source: "f", Text: text}.parse()
		if err != nil {
			return
		}
		back, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("Helm could not store it: %v", err)
		}
		again := values{}
		if err := json.Unmarshal(back, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, again); diff != "" {
			t.Errorf("it changes when it is stored:\n%s", diff)
		}
		if diff := cmp.Diff(v, over(values{}, v)); diff != "" {
			t.Errorf("it changes when it is laid over nothing:\n%s", diff)
		}
		if left := without(v, v); len(left) > 0 {
			t.Errorf("something is left without itself: %v", left)
		}
	})
}

var testImage = upgrade.Image{Repository: "registry.example.com/gateway", Tag: "self-hosted-v18.2.8-ee", Digest: "sha256:" + strings.Repeat("a", 64)}

// TestComposeOverTheYears follows a release that was installed by hand: it is taken
// over, its settings change, one is taken back, and an administrator sets a value in
// between.
func TestComposeOverTheYears(t *testing.T) {
	t.Parallel()
	release := written(t, `
image: {tag: self-hosted-v18.1.0-ee, pullPolicy: IfNotPresent}
gitlab: {url: https://old.example.com}
resources: {limits: {memory: 2Gi}}
extraEnvironmentVariables: [{name: HF_HOME, value: /cache}, {name: AWS_REGION, value: eu-west-1}]
`)
	var applied values
	run := func(d Declared) (all values, notes []string) {
		t.Helper()
		m, err := d.material("ai-gateway", "ns", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		all, applied, notes, err = d.compose("ai-gateway", m, without(release, applied), testImage)
		if err != nil {
			t.Fatal(err)
		}
		stored, _ := json.Marshal(all) // as Helm and the record keep it
		release = values{}
		_ = json.Unmarshal(stored, &release)
		stored, _ = json.Marshal(applied)
		applied = values{}
		_ = json.Unmarshal(stored, &applied)
		return release, notes
	}

	all, notes := run(Declared{
		GitLabURL:   "https://gitlab.example.com/",
		Environment: map[string]secret.Value{"AWS_REGION": "eu-central-1"},
		Values:      []Document{{"a.yaml", []byte("replicaCount: 2")}, {"kubernetes.values", []byte("replicaCount: 3\nservice: {port: 8080}")}},
	})
	const own = "resources: {limits: {memory: 2Gi}}\n"
	const image = "image: {repository: registry.example.com/gateway, tag: 'self-hosted-v18.2.8-ee@sha256:" + "%s" + "', pullPolicy: IfNotPresent}\n"
	want := written(t, own+fmt.Sprintf(image, strings.Repeat("a", 64))+`
gitlab: {url: https://old.example.com, apiUrl: https://gitlab.example.com/api/v4/}
replicaCount: 3
service: {port: 8080}
extraEnvironmentVariables: [{name: HF_HOME, value: /cache}, {name: AWS_REGION, value: eu-central-1}]
`)
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("taken over (-want +got):\n%s", diff)
	}
	if !strings.Contains(strings.Join(notes, "\n"), "gitlab.url") {
		t.Errorf("nobody says that gitlab.url is the release's own: %q", notes)
	}

	release["replicaCount"] = 7.0 // by hand
	all, _ = run(Declared{GitLabURL: "https://gitlab.example.com", Environment: map[string]secret.Value{"HF_HOME": "/other", "LITELLM_KEY": "open-sesame"}})
	want = written(t, own+fmt.Sprintf(image, strings.Repeat("a", 64))+`
gitlab: {url: https://old.example.com, apiUrl: https://gitlab.example.com/api/v4/}
replicaCount: 7
extraEnvironmentVariables:
- {name: HF_HOME, value: /other}
- {name: LITELLM_KEY, valueFrom: {secretKeyRef: {name: ai-gateway-env-`+envHash(t, "LITELLM_KEY", "open-sesame")+`, key: LITELLM_KEY}}}
`)
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}

	all, _ = run(Declared{})
	want = written(t, own+fmt.Sprintf(image, strings.Repeat("a", 64))+"gitlab: {url: https://old.example.com}\nreplicaCount: 7\n")
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("taken back (-want +got):\n%s", diff)
	}
}

func envHash(t *testing.T, name, value string) string {
	t.Helper()
	return hash8("Opaque", map[string][]byte{name: []byte(value)})
}

func TestComposeAnInstallation(t *testing.T) {
	t.Parallel()
	d := Declared{GitLabURL: "https://gitlab.example.com", Host: "gateway.example.com", Values: []Document{{"kubernetes.values", []byte("ingress: {className: nginx}")}}}
	all, applied, notes, err := d.compose("ai-gateway", material{tls: "ai-gateway-tls-12345678", ca: "ai-gateway-ca-12345678"}, values{}, testImage)
	if err != nil {
		t.Fatal(err)
	}
	want := written(t, `
gitlab: {url: https://gitlab.example.com, apiUrl: https://gitlab.example.com/api/v4/}
ingress:
  enabled: true
  gitlabIngressEnabled: false
  className: nginx
  hosts: [{host: gateway.example.com, paths: [{path: /, pathType: ImplementationSpecific}]}]
  tls: [{secretName: ai-gateway-tls-12345678, hosts: [gateway.example.com]}]
image: {repository: registry.example.com/gateway, tag: "self-hosted-v18.2.8-ee@sha256:`+strings.Repeat("a", 64)+`"}
extraEnvironmentVariables: [{name: SSL_CERT_FILE, value: /etc/aigw-ci/ca-bundle.pem}, {name: REQUESTS_CA_BUNDLE, value: /etc/aigw-ci/ca-bundle.pem}]
volumes: [{name: aigw-ci-ca, configMap: {name: ai-gateway-ca-12345678}}]
volumeMounts: [{name: aigw-ci-ca, mountPath: /etc/aigw-ci, readOnly: true}]
`)
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, applied); diff != "" || len(notes) > 0 {
		t.Errorf("all of it is ours (-want +got), notes %q:\n%s", notes, diff)
	}
}

func TestComposeRefuses(t *testing.T) {
	t.Parallel()
	env := Declared{Environment: map[string]secret.Value{"AWS_REGION": "eu"}}
	for name, test := range map[string]struct {
		declared Declared
		values   string
		own      string
		want     string
	}{
		"declared twice":         {env, "extraEnvironmentVariables: [{name: AWS_REGION, value: us}]", "", "declared twice"},
		"a list of text":         {env, "", "extraEnvironmentVariables: [AWS_REGION=us]", "not a list of items that each have a name"},
		"a map":                  {env, "", "extraEnvironmentVariables: {AWS_REGION: us}", "not a list of items that each have a name"},
		"a mount over the place": {Declared{}, "", "volumeMounts: [{name: etc, mountPath: /etc/}]", "mount at /etc"},
		"a mount in the place":   {Declared{}, "volumeMounts: [{name: x, mountPath: /etc/aigw-ci}]", "", "mount at /etc/aigw-ci"},
	} {
		d := test.declared
		d.Values = []Document{{"kubernetes.values", []byte(test.values)}}
		m, err := d.material("ai-gateway", "ns", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(name, "place") {
			m.ca = "ai-gateway-ca-12345678"
		}
		_, _, _, err = d.compose("ai-gateway", m, written(t, test.own), testImage)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func TestImageValues(t *testing.T) {
	t.Parallel()
	untagged := testImage
	untagged.Tag = ""
	for _, image := range []upgrade.Image{testImage, untagged} {
		v := imageValues(image)["image"].(values)
		if got := fmt.Sprint(v["repository"], ":", v["tag"]); got != image.Reference() {
			t.Errorf("the chart would run %s, want %s", got, image.Reference())
		}
	}
	if notes := misleading(written(t, "{image: {digest: x}, global: {imageRegistry: y}}")); len(notes) != 2 {
		t.Errorf("notes %q, want two", notes)
	}
}
