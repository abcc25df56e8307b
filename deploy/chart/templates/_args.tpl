{{/* The arguments of the program: a list of strings. All settings are arguments, because
     an environment variable cannot carry several values that contain spaces. */}}
{{- define "bucketsum.args" -}}
{{- $v := .Values }}
{{- $args := list "serve" "--listen=:5000" }}
{{- range $flag, $value := dict "queue" $v.queue.url "dead-letter" $v.deadLetter.url "results" $v.results.url
      "record" $v.record "record-bucket" $v.recordBucket "record-kms-key" $v.recordKmsKey
      "record-storage-class" $v.recordStorageClass "on-delete" $v.onDelete "on-missing" $v.onMissing "on-mismatch" $v.onMismatch
      "concurrency" $v.concurrency "memory" $v.memory "checkpoint-above" $v.checkpointAbove
      "checkpoint-every" $v.checkpointEvery "slice" $v.slice "log-level" $v.logLevel "log-format" $v.logFormat
      "pprof" $v.pprof "reports" $v.reports "shards-to" $v.shardsTo }}
{{- if ne (toString $value) "" }}
{{- $args = append $args (printf "--%s=%v" $flag $value) }}
{{- end }}
{{- end }}
{{- range $v.buckets }}
{{- $args = append $args (ternary (printf "--bucket=%s=%s" .name .url) (printf "--bucket=%s" .url) (not (empty .name))) }}
{{- end }}
{{- range $flag, $values := dict "include" $v.include "exclude" $v.exclude "sns-topic" $v.snsTopics }}
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
{{- $args = append $args (printf "--drain-timeout=%ds" (int64 $v.drainTimeoutSeconds)) }}
{{- $args = append $args (printf "--max-upload=%d" (int64 $v.maxUpload)) }}
{{- /* Else Kubernetes expands $(NAME). */}}
{{- range concat $args $v.extraArgs }}
- {{ . | replace "$(" "$$(" | quote }}
{{- end }}
{{- end }}

{{- define "bucketsum.sseFolder" -}}
/run/secrets/bucketsum.io/sse-c
{{- end }}

{{/* The environment: settings that hold secrets, the region, the collector. */}}
{{- define "bucketsum.env" -}}
{{- range $name, $place := dict "BUCKETSUM_QUEUE" .Values.queue "BUCKETSUM_DEAD_LETTER" .Values.deadLetter "BUCKETSUM_RESULTS" .Values.results }}
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
{{- with .Values.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.otlp.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
