{{/* Not "ingress.enabled" alone: without a plain false the GitLab chart has its own. */}}
{{- define "ai-gateway.ingress.enabled" -}}
{{- if and .Values.ingress.enabled (eq (toString .Values.ingress.gitlabIngressEnabled) "false") -}}
yes
{{- end -}}
{{- end -}}

{{- define "ai-gateway.portName" -}}
{{- ternary "https" "http" (ne .Values.tls.secretName "") -}}
{{- end -}}

{{/* A variable with a private key: from the secret that the values name, or ours. */}}
{{- define "ai-gateway.key" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ default (printf "%s-jwt-keys" (include "ai-gateway.fullname" .root)) .from.secret }}
      key: {{ default .variable .from.key }}
{{- end -}}
