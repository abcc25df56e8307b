{{/* The arguments of the program: a list of strings. All settings are arguments, because
     an environment variable cannot carry several values that contain spaces. */}}
{{- define "bucketsum.args" -}}
{{- $v := .Values }}
{{- $args := list "serve" "--listen=:5000" }}
{{- range $flag, $value := dict "queue" $v.queue.url "dead-letter" $v.deadLetter.url "results" $v.results.url
      "on-delete" $v.onDelete "on-missing" $v.onMissing "on-mismatch" $v.onMismatch "checkpoint-above" $v.checkpointAbove
      "checkpoint-every" $v.checkpointEvery "slice" $v.slice "pprof" $v.pprof "reports" $v.reports "shards-to" $v.shardsTo
      "redrive-from" $v.redrive.from "redrive-to" $v.redrive.to }}
{{- if ne (toString $value) "" }}
{{- $args = append $args (printf "--%s=%v" $flag $value) }}
{{- end }}
{{- end }}
{{- range $v.buckets }}
{{- $args = append $args (printf "--bucket=%s" (include "bucketsum.bucket" .)) }}
{{- end }}
{{- range $v.snsTopics }}
{{- $args = append $args (printf "--sns-topic=%s" .) }}
{{- end }}
{{- $args = concat $args (include "bucketsum.sharedArgs" . | fromJsonArray) }}
{{- $args = append $args (printf "--max-upload=%d" (int64 $v.maxUpload)) }}
{{- if $v.tls.existingSecret.name }}
{{- range $flag, $file := dict "tls-cert" "tls.crt" "tls-key" "tls.key" }}
{{- $args = append $args (printf "--%s=%s/%s" $flag (include "bucketsum.tlsFolder" $) $file) }}
{{- end }}
{{- end }}
{{- if $v.token.existingSecret.name }}
{{- $args = append $args (printf "--token-file=%s/token" (include "bucketsum.tokenFolder" .)) }}
{{- end }}
{{- include "bucketsum.words" (concat $args $v.extraArgs) }}
{{- end }}

{{/* The arguments of a pass, from a dict: root, command, flags (a dict), results (whether to publish), extra. */}}
{{- define "bucketsum.passArgs" -}}
{{- $v := .root.Values }}
{{- $args := list .command }}
{{- range $flag, $value := .flags }}
{{- if kindIs "bool" $value }}
{{- if $value }}
{{- $args = append $args (printf "--%s" $flag) }}
{{- end }}
{{- else if ne (toString $value) "" }}
{{- $args = append $args (printf "--%s=%v" $flag $value) }}
{{- end }}
{{- end }}
{{- if and .results $v.results.url }}
{{- $args = append $args (printf "--results=%s" $v.results.url) }}
{{- end }}
{{- $args = concat $args (include "bucketsum.sharedArgs" .root | fromJsonArray) .extra }}
{{- range $v.buckets }}
{{- $args = append $args (include "bucketsum.bucket" .) }}
{{- end }}
{{- include "bucketsum.words" $args }}
{{- end }}

{{/* What workers and passes have in common, as JSON: records, objects, memory, logs. */}}
{{- define "bucketsum.sharedArgs" -}}
{{- $v := .Values }}
{{- $args := list }}
{{- range $flag, $value := dict "record" $v.record "record-bucket" $v.recordBucket "record-kms-key" $v.recordKmsKey
      "record-storage-class" $v.recordStorageClass "concurrency" $v.concurrency "memory" $v.memory
      "log-level" $v.logLevel "log-format" $v.logFormat }}
{{- if ne (toString $value) "" }}
{{- $args = append $args (printf "--%s=%v" $flag $value) }}
{{- end }}
{{- end }}
{{- range $flag, $values := dict "include" $v.include "exclude" $v.exclude }}
{{- range $values }}
{{- $args = append $args (printf "--%s=%s" $flag .) }}
{{- end }}
{{- end }}
{{- range $name, $value := $v.recordTags }}
{{- $args = append $args (printf "--record-tag=%s=%s" $name $value) }}
{{- end }}
{{- with $v.algorithms }}
{{- $args = append $args (printf "--algorithms=%s" (join "," .)) }}
{{- end }}
{{- with $v.recordTo }}
{{- $args = append $args (printf "--record-to=%s" (join "," .)) }}
{{- end }}
{{- if not $v.nativeChecks }}
{{- $args = append $args "--native-checks=off" }}
{{- end }}
{{- if $v.requesterPays }}
{{- $args = append $args "--requester-pays" }}
{{- end }}
{{- if $v.sseCustomerKey.existingSecret.name }}
{{- $args = append $args (printf "--sse-c-key-file=%s/key" (include "bucketsum.sseFolder" .)) }}
{{- end }}
{{- append $args (printf "--drain-timeout=%ds" (int64 $v.drainTimeoutSeconds)) | toJson }}
{{- end }}

{{- define "bucketsum.bucket" -}}
{{- ternary (printf "%s=%s" .name .url) .url (not (empty .name)) }}
{{- end }}

{{/* Arguments as YAML. Kubernetes would expand $(NAME). */}}
{{- define "bucketsum.words" -}}
{{- range . }}
- {{ . | replace "$(" "$$(" | quote }}
{{- end }}
{{- end }}

{{- define "bucketsum.sseFolder" -}}
/run/secrets/bucketsum.io/sse-c
{{- end }}

{{- define "bucketsum.tlsFolder" -}}
/run/secrets/bucketsum.io/tls
{{- end }}

{{- define "bucketsum.tokenFolder" -}}
/run/secrets/bucketsum.io/token
{{- end }}

{{/* The URLs of a worker that may be in Secrets, by their variable. */}}
{{- define "bucketsum.places" -}}
{{- dict "BUCKETSUM_QUEUE" .Values.queue "BUCKETSUM_DEAD_LETTER" .Values.deadLetter "BUCKETSUM_RESULTS" .Values.results | toYaml }}
{{- end }}

{{/* The environment, from a dict: root, places (of URLs that may be in Secrets, by their variable). */}}
{{- define "bucketsum.env" -}}
{{- $v := .root.Values }}
{{- range $name, $place := .places }}
{{- with $place.existingSecret }}
{{- if .name }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ .name | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with $v.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with $v.otlp.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.root.Release.Namespace }},k8s.pod.name=$(POD_NAME)
{{- end }}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
