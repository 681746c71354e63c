package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"aigw-ci/internal/secret"
)

// prefix starts every variable of ours. AIGW_ alone belongs to the gateway.
const prefix = "AIGW_CI_"

// Type is the kind of value a setting takes.
type Type string

const (
	Text     Type = "text"
	Boolean  Type = "boolean"  // true or false
	Number   Type = "number"   // whole
	Duration Type = "duration" // as Go writes it: 90s, 5m
	Size     Type = "size"     // bytes, or with k, m or g
	List     Type = "list"     // comma or line break between values; a list in the file
	Map      Type = "map"      // one NAME=value per line; a map in the file
	YAML     Type = "yaml"     // a YAML document with a mapping in it; a map in the file
)

// Setting describes a setting: its spellings and its meaning.
type Setting struct {
	Name      string // "gitlab.url"; in the file "gitlab: {url: }"
	Flag      string // "gitlab-url"; empty for a secret, which has no flag
	Variable  string // "AIGW_CI_GITLAB_URL"
	Type      Type
	Secret    bool
	Default   string // "" when there is none; "$NAME" is the value of that variable
	Otherwise string // what happens without a value, in words; set when Default is not
	Summary   string
	Example   string
}

// Catalogue lists all settings in the order of the struct Settings.
func Catalogue() []Setting { return slices.Clone(catalogue) }

// catalogue is what the tags of Settings say; never changed.
var catalogue = settingsOf(reflect.TypeFor[Settings](), "", "")

// settingsOf lists what a struct has below a section: "kubernetes.chart.", whose
// variables start with "KUBERNETES_CHART_".
func settingsOf(t reflect.Type, section, variables string) []Setting {
	var all []Setting
	for field := range t.Fields() {
		tag, tagged := field.Tag.Lookup("env")
		if !tagged {
			continue
		}
		key, options, _ := strings.Cut(tag, ",")
		if _, inner, ok := strings.Cut(options, "prefix="); ok {
			name := strings.ToLower(strings.TrimSuffix(inner, "_"))
			all = append(all, settingsOf(field.Type, section+name+".", variables+inner)...)
			continue
		}
		_, byDefault, _ := strings.Cut(options, "default=")
		name := section + strings.ToLower(key)
		s := Setting{
			Name:      name,
			Flag:      strings.NewReplacer(".", "-", "_", "-").Replace(name),
			Variable:  prefix + variables + key,
			Type:      typeOf(field.Type),
			Secret:    field.Type == reflect.TypeFor[secret.Value](),
			Default:   byDefault,
			Otherwise: field.Tag.Get("otherwise"),
			Summary:   field.Tag.Get("help"),
			Example:   field.Tag.Get("example"),
		}
		if s.Secret {
			s.Flag = ""
		}
		all = append(all, s)
	}
	return all
}

func typeOf(t reflect.Type) Type {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return Duration
	case reflect.TypeFor[Bytes]():
		return Size
	case reflect.TypeFor[Environment]():
		return Map
	case reflect.TypeFor[Mapping]():
		return YAML
	case reflect.TypeFor[[]string]():
		return List
	case reflect.TypeFor[bool]():
		return Boolean
	case reflect.TypeFor[int]():
		return Number
	}
	return Text
}

// find returns the setting for which is holds.
func find(is func(Setting) bool) (Setting, bool) {
	if i := slices.IndexFunc(catalogue, is); i >= 0 {
		return catalogue[i], true
	}
	return Setting{}, false
}

func named(name string) (Setting, bool) {
	return find(func(s Setting) bool { return s.Name == name })
}

// isSection reports whether name stands above settings in the file.
func isSection(name string) bool {
	_, ok := find(func(s Setting) bool { return strings.HasPrefix(s.Name, name+".") })
	return ok
}

// Reference is the table of all settings in Markdown, for the README.
func Reference() string {
	var b strings.Builder
	b.WriteString("| setting | environment variable | flag | default | meaning |\n|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", "<br>")
	for _, s := range catalogue {
		flag, def := "none: secret", s.Otherwise
		if s.Flag != "" {
			flag = "`--" + s.Flag + "`"
		}
		if s.Default != "" {
			def = "`" + strings.ReplaceAll(s.Default, "\n", "`<br>`") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s; e.g. `%s` |\n",
			s.Name, s.Variable, flag, cell.Replace(def), cell.Replace(s.Summary), cell.Replace(s.Example))
	}
	return b.String()
}
