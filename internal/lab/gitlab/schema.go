package gitlab

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// schema is types and their fields; a field's own type is "" for a plain value.
type schema map[string]map[string]string

// schemaOf is the part of a release's schema that is about a gateway.
// Source: docs.gitlab.com/api/graphql/reference, "Introduced in".
func schemaOf(version string) schema {
	s := schema{"Query": {"currentUser": "CurrentUser"}, "Mutation": {}, "CurrentUser": {"id": "", "username": ""}}
	at := line(version)
	if !enterprise(version) {
		return s
	}
	if !at.before(17, 1) {
		s["Query"]["aiSelfHostedModels"] = "AiSelfHostedModelConnection"
		s["AiSelfHostedModelConnection"] = map[string]string{"nodes": "AiSelfHostedModel"}
		s["AiSelfHostedModel"] = map[string]string{"id": "", "name": "", "model": "", "endpoint": "", "hasApiToken": ""}
	}
	if !at.before(17, 3) {
		s["Query"]["cloudConnectorStatus"] = "CloudConnectorStatus"
		s["CloudConnectorStatus"] = map[string]string{"success": "", "probeResults": "CloudConnectorProbeResult"}
		s["CloudConnectorProbeResult"] = map[string]string{"name": "", "success": "", "message": "", "errors": "", "details": ""}
	}
	if !at.before(17, 9) {
		s["Query"]["duoSettings"] = "DuoSettings"
		s["Mutation"]["duoSettingsUpdate"] = "DuoSettingsUpdatePayload"
		s["DuoSettingsUpdatePayload"] = map[string]string{"errors": "", "duoSettings": "DuoSettings"}
		s["DuoSettings"] = map[string]string{"aiGatewayUrl": "", "updatedAt": ""}
	}
	if !at.before(18, 0) {
		s["DuoSettings"]["duoCoreFeaturesEnabled"] = ""
	}
	if !at.before(18, 4) {
		s["DuoSettings"]["duoAgentPlatformServiceUrl"] = ""
	}
	if !at.before(18, 7) {
		s["DuoSettings"]["aiGatewayTimeoutSeconds"] = ""
	}
	return s
}

// validate returns an error for every field that is not in the schema, in the form
// that graphql-ruby gives it. One is enough for nothing to be executed.
func validate(o operation, s schema) (wrong []map[string]any) {
	root := strings.ToUpper(o.kind[:1]) + o.kind[1:]
	var walk func(typ string, fields []selection, path []string)
	walk = func(typ string, fields []selection, path []string) {
		for _, f := range fields {
			of, known := s[typ][f.name]
			here := append(slices.Clone(path), f.name)
			fail := func(message, code string) {
				wrong = append(wrong, map[string]any{
					"message": message, "locations": []any{map[string]int{"line": 1, "column": f.column}}, "path": here,
					"extensions": map[string]string{"code": code, "typeName": typ, "fieldName": f.name},
				})
			}
			switch {
			case !known:
				fail(fmt.Sprintf("Field '%s' doesn't exist on type '%s'", f.name, typ), "undefinedField")
			case of != "" && len(f.of) == 0:
				fail(fmt.Sprintf("Field must have selections (field '%[1]s' returns %[2]s but has no selections. Did you mean '%[1]s { ... }'?)", f.name, of), "selectionMismatch")
			case of == "" && len(f.of) > 0:
				fail(fmt.Sprintf("Selections can't be made on scalars (field '%s' returns String but has selections)", f.name), "selectionMismatch")
			default:
				walk(of, f.of, here)
			}
		}
	}
	walk(root, o.fields, []string{o.kind})
	return wrong
}

// badAddress is what GitLab has against an address for its gateway.
// Source: gitlab-org/gitlab ee/app/models/ai/setting.rb.
func badAddress(address string) string {
	if address == "" {
		return ""
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return "Ai gateway url is blocked: URI is invalid"
	case u.Scheme != "http" && u.Scheme != "https":
		return "Ai gateway url is blocked: Only allowed schemes are http, https"
	case u.Hostname() == "localhost":
		return "Ai gateway url is blocked: Requests to localhost are not allowed"
	case len(address) > 2048:
		return "Ai gateway url is too long (maximum is 2048 characters)"
	}
	return ""
}
