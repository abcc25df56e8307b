{{/* The spec of a pod, from a dict: root, account (its service account), args (as YAML), places (see
     bucketsum.env), env (more variables, as YAML), worker (whether it has the port and probes), grace (seconds until it
     is killed). */}}
{{- define "bucketsum.pod" -}}
{{- $v := .root.Values }}
serviceAccountName: {{ .account }}
# No pod talks to the API server. The tokens of IRSA and Pod Identity are mounted regardless.
automountServiceAccountToken: false
# A service named bucketsum would set BUCKETSUM_… variables, which the program takes for flags.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
securityContext:
  runAsNonRoot: true
  {{- range $key := list "runAsUser" "runAsGroup" "fsGroup" }}
  {{- if not (kindIs "invalid" (index $v.podSecurityContext $key)) }}
  {{ $key }}: {{ index $v.podSecurityContext $key | int64 }}
  {{- end }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with $v.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $v.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: bucketsum
    image: {{ include "bucketsum.image" .root | quote }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    args: {{- .args | trim | nindent 6 }}
    {{- with printf "%s\n%s" (include "bucketsum.env" . | trim) (.env | default "") | trim }}
    env: {{- . | nindent 6 }}
    {{- end }}
    {{- with $v.extraEnvFrom }}
    envFrom: {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- if .worker }}
    lifecycle:
      # Waits until no more requests are routed here, because a draining worker may end sooner.
      preStop:
        sleep:
          seconds: 5
    ports:
      - name: http
        containerPort: 5000
    {{- range $probe, $path := dict "startup" "/livez" "readiness" "/readyz" "liveness" "/livez" }}
    {{ $probe }}Probe:
      httpGet:
        path: {{ $path }}
        port: http
        {{- if $v.tls.existingSecret.name }}
        scheme: HTTPS
        {{- end }}
      {{- range $key := list "periodSeconds" "timeoutSeconds" "failureThreshold" }}
      {{ $key }}: {{ get (get $v.probes $probe) $key | int64 }}
      {{- end }}
    {{- end }}
    {{- end }}
    resources: {{- toYaml $v.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    {{- $secrets := list }}
    {{- with $v.sseCustomerKey.existingSecret }}
    {{- if .name }}
    {{- $secrets = append $secrets (dict "name" "sse-c" "secret" .name "keys" (dict .key "key") "folder" (include "bucketsum.sseFolder" $.root)) }}
    {{- end }}
    {{- end }}
    {{- if contains "--token-file=" .args }}
    {{- with $v.token.existingSecret }}
    {{- $secrets = append $secrets (dict "name" "token" "secret" .name "keys" (dict .key "token") "folder" (include "bucketsum.tokenFolder" $.root)) }}
    {{- end }}
    {{- end }}
    {{- if contains "--tls-cert=" .args }}
    {{- $secrets = append $secrets (dict "name" "tls" "secret" $v.tls.existingSecret.name "keys" (dict "tls.crt" "tls.crt" "tls.key" "tls.key") "folder" (include "bucketsum.tlsFolder" .root)) }}
    {{- end }}
    {{- if or $secrets $v.extraVolumeMounts }}
    volumeMounts:
      {{- range $secrets }}
      - name: {{ .name }}
        mountPath: {{ .folder }}
        readOnly: true
      {{- end }}
      {{- with $v.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
{{- if or $secrets $v.extraVolumes }}
volumes:
  {{- range $secrets }}
  - name: {{ .name }}
    secret:
      secretName: {{ .secret | quote }}
      defaultMode: 0440
      items:
        {{- range $key, $path := .keys }}
        - key: {{ $key | quote }}
          path: {{ $path }}
        {{- end }}
  {{- end }}
  {{- with $v.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}
