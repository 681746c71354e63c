package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxDocument is the longest document GitLab reads, in characters
// (docs.gitlab.com/api/graphql, limits).
const maxDocument = 10_000

// denial is GitLab's one sentence for what is not there or may not be seen.
// Source: gitlab-org/gitlab lib/gitlab/graphql/authorize/authorize_resource.rb.
const denial = "The resource that you are attempting to access does not exist or you don't have permission to perform this action"

// graphQL answers the few queries and the one mutation that are about a gateway, and
// refuses what the instance's release does not know, as graphql-ruby does.
func (s *Server) graphQL(w http.ResponseWriter, r *http.Request) {
	known, ok := tokens()[presented(r)]
	readable := known.scope == "api" || known.scope == "read_api" || known.scope == "granular"
	if presented(r) != "" && (!ok || known.refusal != nil || !readable) {
		answer(w, http.StatusUnauthorized, map[string]any{"errors": []map[string]string{{"message": "Invalid token"}}})
		return
	}
	var asked struct {
		Query string `json:"query"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&asked) != nil || asked.Query == "" || len(asked.Query) > maxDocument {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"errors": []map[string]string{{"message": "Query is missing, or too large"}}})
		return
	}
	operation, err := parse(asked.Query)
	if err != nil {
		answer(w, http.StatusOK, map[string]any{"errors": []map[string]any{{"message": err.Error(), "locations": []any{}}}})
		return
	}
	if wrong := validate(operation, schemaOf(s.Version())); len(wrong) > 0 {
		answer(w, http.StatusOK, map[string]any{"errors": wrong})
		return
	}
	data, remarks := map[string]any{}, []map[string]any{}
	for _, f := range operation.fields {
		value, remark := s.resolve(r.Context(), operation, f, known)
		if remark != "" {
			value = nil
			remarks = append(remarks, map[string]any{
				"message": remark, "locations": []any{map[string]int{"line": 1, "column": f.column}}, "path": []string{f.name},
			})
		}
		data[f.name] = f.only(value)
	}
	said := map[string]any{"data": data, "correlationId": "lab"}
	if len(remarks) > 0 {
		said["errors"] = remarks
	}
	answer(w, http.StatusOK, said)
}

// resolve is the value of a field of the first level, or GitLab's remark on why
// there is none.
func (s *Server) resolve(ctx context.Context, o operation, f selection, t token) (value any, remark string) {
	s.mu.Lock()
	remark, gateway := s.duo.failing[f.name], s.duo.gatewayURL
	s.mu.Unlock()
	may := t.admin && s.on(Licence) // manage_self_hosted_models_settings
	if remark != "" {
		return nil, remark
	}
	switch f.name {
	case "duoSettings":
		return duoSettings(gateway, may), ""
	case "aiSelfHostedModels":
		if !may {
			return nil, ""
		}
		return map[string]any{"nodes": []any{}}, ""
	case "cloudConnectorStatus":
		if !t.admin {
			return nil, denial
		}
		return s.status(ctx), ""
	case "duoSettingsUpdate":
		return s.update(o, t, may)
	}
	return nil, ""
}

// duoSettings shows nothing, and says nothing of it, to who may not see it.
func duoSettings(gateway string, may bool) map[string]any {
	shown := map[string]any{
		"aiGatewayUrl": nil, "duoAgentPlatformServiceUrl": nil, "aiGatewayTimeoutSeconds": nil,
		"duoCoreFeaturesEnabled": nil, "updatedAt": time.Now().UTC().Format(time.RFC3339),
	}
	if may {
		shown["aiGatewayTimeoutSeconds"] = 60
		if gateway != "" {
			shown["aiGatewayUrl"] = gateway
		}
	}
	return shown
}

// update is the mutation duoSettingsUpdate.
// Source: gitlab-org/gitlab ee/app/graphql/mutations/ai/duo_settings/update.rb.
func (s *Server) update(o operation, t token, may bool) (any, string) {
	if t.scope == "read_api" {
		return nil, denial
	}
	url, given := o.input["aiGatewayUrl"]
	if given && !may {
		return nil, "You don't have permission to update the setting ai_gateway_url."
	}
	errs := []string{}
	switch wrong := badAddress(url); {
	case given && wrong != "":
		errs = append(errs, wrong)
	case given:
		s.SetGatewayURL(url)
	}
	return map[string]any{"errors": errs, "duoSettings": duoSettings(s.GatewayURL(), may)}, ""
}

// Probe is one result of the health check.
type Probe struct {
	Name    string
	Success bool
	Message string
}

// ProbeSecret is in the details of every probe, as the decoded token of a real one
// is. Nothing may show it.
const ProbeSecret = "lab-probe-details"

// status is GitLab's own health check, for a self-hosted gateway.
// Source: gitlab-org/gitlab ee/lib/gitlab/cloud_connector/status_checks.
func (s *Server) status(ctx context.Context) map[string]any {
	s.mu.Lock()
	probes, gateway := s.duo.probes, s.duo.gatewayURL
	s.mu.Unlock()
	if probes == nil {
		probes = s.look(ctx, gateway)
	}
	all, list := true, []any{}
	for _, p := range probes {
		all = all && p.Success
		list = append(list, map[string]any{
			"name": p.Name, "success": p.Success, "message": p.Message,
			"errors": []string{}, "details": map[string]string{"token": ProbeSecret},
		})
	}
	return map[string]any{"success": all, "probeResults": list}
}

// look makes the three probes. That of the host fails for no answer at all, and is
// content with every other.
func (s *Server) look(ctx context.Context, gateway string) []Probe {
	probes := []Probe{{"ai_gateway_url_presence_probe", gateway != "", "Self hosted AI Gateway URL is set to " + gateway + ". It can be changed in the Gitlab Duo configuration."}}
	if gateway == "" {
		probes[0].Message = "Self hosted AI Gateway URL is not set."
	}
	host := Probe{"host_probe", false, gateway + " connection failed."}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if request, err := http.NewRequestWithContext(ctx, http.MethodHead, gateway, nil); err == nil && gateway != "" {
		if response, err := s.gateway.RoundTrip(request); err == nil {
			_ = response.Body.Close()
			host.Success, host.Message = true, fmt.Sprintf("%s reachable.", request.URL.Hostname())
		}
	}
	licence := Probe{"code_suggestions_license_probe", s.on(Licence), "License includes access to Code Suggestions."}
	if !licence.Success {
		licence.Message = "License does not provide access to Code Suggestions."
	}
	return append(probes, host, licence)
}
