{{/* The template of a pass's pods, from a dict: root, pass (audit or pass), command, flags (a dict), env (as YAML). */}}
{{- define "bucketsum.passTemplate" -}}
{{- $v := .root.Values }}
{{- $pass := get $v .pass }}
{{- $labels := merge (include "bucketsum.selectorLabels" .root | fromYaml) (dict "app.kubernetes.io/component" .pass) $v.commonLabels $v.podLabels }}
{{- $flags := merge .flags (dict "reports" ($pass.reports | default $v.reports)) }}
{{- $args := include "bucketsum.passArgs" (dict "root" .root "command" .command "flags" $flags "results" $pass.results "extra" $pass.extraArgs) }}
{{- $places := ternary (dict "BUCKETSUM_RESULTS" $v.results) dict $pass.results }}
metadata:
  labels: {{- toYaml $labels | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: bucketsum
    {{- with $v.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  # Only the Job starts a pod again, and only as its policy says.
  restartPolicy: Never
  {{- include "bucketsum.pod" (dict "root" .root "account" (include "bucketsum.passAccount" .) "args" $args "places" $places "env" .env "worker" false "grace" (add $v.drainTimeoutSeconds 15)) | trim | nindent 2 }}
{{- end }}

{{/* What happens when a pod of a pass ends with a failure, from a dict: command, fail (FailJob or FailIndex). A pod
     that was evicted does not count. What verify found (1) is not different the second time. Everything else is tried
     again, up to the limit: the pass resumes from its reports and reads nothing twice. */}}
{{- define "bucketsum.passFailures" -}}
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
    {{- if eq .command "verify" }}
    - action: {{ .fail }}
      onExitCodes:
        containerName: bucketsum
        operator: In
        values: [1]
    {{- end }}
{{- end }}
