{{- define "bucketsum.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 52 characters leave room for the suffixes of KEDA and Kubernetes. */}}
{{- define "bucketsum.fullname" -}}
{{- $name := include "bucketsum.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "bucketsum.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "bucketsum.fullname" .) }}
{{- end }}

{{/* The names of what passes have, from a dict: root, pass (audit or pass). */}}
{{- define "bucketsum.passName" -}}
{{- printf "%s-%s" (include "bucketsum.fullname" .root | trunc 46 | trimSuffix "-") .pass }}
{{- end }}

{{- define "bucketsum.passAccount" -}}
{{- (get .root.Values .pass).serviceAccount.name | default (include "bucketsum.passName" .) }}
{{- end }}

{{/* Labels of all pods of this release; selectors of workers add a component. */}}
{{- define "bucketsum.selectorLabels" -}}
app.kubernetes.io/name: {{ include "bucketsum.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bucketsum.workerLabels" -}}
{{ include "bucketsum.selectorLabels" . }}
app.kubernetes.io/component: worker
{{- end }}

{{- define "bucketsum.labels" -}}
{{- $own := include "bucketsum.selectorLabels" . | fromYaml }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service }}
{{- merge $own .Values.commonLabels | toYaml }}
{{- end }}

{{- define "bucketsum.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The URL of the queue in SQS's own form; empty for another kind of queue. */}}
{{- define "bucketsum.sqsUrl" -}}
{{- if .Values.queue.sqsUrl }}
{{- .Values.queue.sqsUrl }}
{{- else if regexMatch "^(aws)?sqs://" .Values.queue.url }}
{{- regexReplaceAll "^(aws)?sqs://([^?]*).*$" .Values.queue.url "https://${2}" }}
{{- end }}
{{- end }}
