{{- define "ai-gateway.ingress.enabled" -}}
{{- if .Values.ingress.enabled -}}
yes
{{- end -}}
{{- end -}}

{{- define "ai-gateway.portName" -}}
http
{{- end -}}
