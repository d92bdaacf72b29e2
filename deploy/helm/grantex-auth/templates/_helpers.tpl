{{- define "grantex-auth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 50 characters, so that the suffixes of the chart's resources fit into the 63 of a label. */}}
{{- define "grantex-auth.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "grantex-auth.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "grantex-auth.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selects the pods that serve; never changes, and never matches those of the migrations. */}}
{{- define "grantex-auth.selectorLabels" -}}
app.kubernetes.io/name: {{ include "grantex-auth.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{/* Of every resource; the component is added by each. */}}
{{- define "grantex-auth.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: grantex-auth
{{- end }}

{{- define "grantex-auth.labels" -}}
{{ include "grantex-auth.selectorLabels" . }}
{{ include "grantex-auth.commonLabels" . }}
{{- end }}

{{/* The scrape job, which tells releases on one Prometheus apart. */}}
{{- define "grantex-auth.job" -}}
{{- .Values.metrics.job | default (include "grantex-auth.fullname" .) }}
{{- end }}

{{- define "grantex-auth.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "grantex-auth.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "grantex-auth.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* Variables from Secrets: a list of entries of a container's `env`. */}}
{{- define "grantex-auth.secretEnv" -}}
{{- range $variable, $source := . }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef: { name: {{ $source.name | quote }}, key: {{ $source.key | quote }} }
{{- end }}
{{- end }}
