{{/* Checks that the schema cannot express. All faults are reported at once, each in a sentence. */}}
{{- define "bucketsum.validate" -}}
{{- $v := .Values }}
{{- $faults := list }}
{{- if and $v.namespace (ne $v.namespace .Release.Namespace) }}
{{- $faults = append $faults (printf "namespace is %s, which the IAM role trusts, but this installation goes into %s: use --namespace %s" $v.namespace .Release.Namespace $v.namespace) }}
{{- end }}
{{- if not (or $v.queue.url $v.queue.existingSecret.name) }}
{{- $faults = append $faults "queue.url is missing: the queue that events come from, or queue.existingSecret.name" }}
{{- end }}
{{- if not $v.buckets }}
{{- $faults = append $faults "buckets is empty: name at least one bucket, as buckets: [{url: s3://photos}]" }}
{{- end }}
{{- /* Credentials before the host: a user and a password, or a token. */}}
{{- $secret := "^([a-z-]+=|--[a-z-]+=)*[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*@" }}
{{- range $name, $place := dict "queue" $v.queue "deadLetter" $v.deadLetter "results" $v.results }}
{{- if and $place.url $place.existingSecret.name }}
{{- $faults = append $faults (printf "%s.url and %s.existingSecret are both set: give one of them" $name $name) }}
{{- end }}
{{- if regexMatch $secret $place.url }}
{{- $faults = append $faults (printf "%s.url has a user, a password or a token in it, readable by everyone who may read Deployments: put the URL into a Secret and name that in %s.existingSecret" $name $name) }}
{{- end }}
{{- end }}
{{- $urls := dict "recordBucket" $v.recordBucket "reports" $v.reports "audit.reports" $v.audit.reports "pass.reports" $v.pass.reports "otlp.endpoint" $v.otlp.endpoint
      "shardsTo" $v.shardsTo "redrive.from" $v.redrive.from "redrive.to" $v.redrive.to }}
{{- range $i, $bucket := $v.buckets }}
{{- $_ := set $urls (printf "buckets[%d].url" $i) $bucket.url }}
{{- end }}
{{- range $i, $arg := $v.extraArgs }}
{{- $_ := set $urls (printf "extraArgs[%d]" $i) $arg }}
{{- end }}
{{- range $i, $env := $v.extraEnv }}
{{- $_ := set $urls (printf "extraEnv[%d].value" $i) ($env.value | default "") }}
{{- end }}
{{- range $name, $url := $urls }}
{{- if regexMatch $secret $url }}
{{- $faults = append $faults (printf "%s has a user, a password or a token in it, readable by everyone who may read Deployments: take it from a Secret that extraEnvFrom names" $name) }}
{{- end }}
{{- end }}
{{- range $v.extraEnv }}
{{- /* The values of these variables are names and paths, not keys. */}}
{{- $path := regexMatch "^(BUCKETSUM_.*|GOOGLE_APPLICATION_CREDENTIALS|NATS_KEY|OTEL_EXPORTER_OTLP_([A-Z]+_)?CLIENT_KEY)$" .name }}
{{- if and (hasKey . "value") (not $path) (regexMatch "(?i)(KEY|SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIALS?|HEADERS|CONNECTION_STRING)$" .name) }}
{{- $faults = append $faults (printf "extraEnv has the value of %s, readable by everyone who may read Deployments: take it from a Secret with valueFrom.secretKeyRef, or with extraEnvFrom" .name) }}
{{- end }}
{{- end }}
{{- if and $v.tls.existingSecret.name $v.serviceMonitor.enabled (not $v.serviceMonitor.tlsConfig) }}
{{- $faults = append $faults "serviceMonitor.tlsConfig is empty: workers speak TLS, and Prometheus asks them by their address, which no certificate names. Give it the name and the CA, as {serverName: sums.example.com, ca: {secret: {name: sums-tls, key: ca.crt}}}" }}
{{- end }}
{{- if and $v.keda.enabled $v.hpa.enabled }}
{{- $faults = append $faults "keda and hpa are both enabled, and would fight over the number of workers: enable one of them" }}
{{- end }}
{{- if and (eq $v.kind "DaemonSet") (or $v.keda.enabled $v.hpa.enabled) }}
{{- $faults = append $faults "a DaemonSet has one worker on each node: with keda or hpa, kind must be Deployment" }}
{{- end }}
{{- if $v.keda.enabled }}
{{- if gt (int64 $v.keda.minReplicas) (int64 $v.keda.maxReplicas) }}
{{- $faults = append $faults "keda.minReplicas is more than keda.maxReplicas" }}
{{- end }}
{{- if not $v.keda.triggers }}
{{- if not (include "bucketsum.sqsUrl" .) }}
{{- $faults = append $faults "keda cannot tell where the queue is: give queue.sqsUrl, or keda.triggers for a queue other than SQS" }}
{{- else if not $v.region }}
{{- $faults = append $faults "region is missing: keda needs the AWS region of the queue" }}
{{- end }}
{{- if not (or $v.keda.authentication.create $v.keda.authenticationRef.name) }}
{{- $faults = append $faults "keda.authenticationRef.name is missing: with keda.authentication.create false, name an existing TriggerAuthentication" }}
{{- end }}
{{- if and $v.keda.authentication.roleArn $v.keda.authentication.identityOwner }}
{{- $faults = append $faults "keda.authentication has both roleArn and identityOwner: KEDA takes one of them" }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.hpa.enabled (gt (int64 $v.hpa.minReplicas) (int64 $v.hpa.maxReplicas)) }}
{{- $faults = append $faults "hpa.minReplicas is more than hpa.maxReplicas" }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) }}
{{- $faults = append $faults "ingress.hosts is empty: name at least one host, as hosts: [{host: sums.example.com}]" }}
{{- end }}
{{- $alerts := list }}
{{- range (.Files.Get "files/alerts.yaml" | fromYaml).groups }}
{{- range .rules }}
{{- $alerts = append $alerts .alert }}
{{- end }}
{{- end }}
{{- range $v.prometheusRule.disabled }}
{{- if not (has . $alerts) }}
{{- $faults = append $faults (printf "prometheusRule.disabled has %s, which is not an alert: %s" . (join ", " $alerts)) }}
{{- end }}
{{- end }}
{{- if not (or $v.serviceAccount.create $v.serviceAccount.name) }}
{{- $faults = append $faults "serviceAccount.name is missing: with serviceAccount.create false, name an existing account" }}
{{- end }}
{{- range $name := list "audit" "pass" }}
{{- $pass := get $v $name }}
{{- if $pass.enabled }}
{{- if not (or $pass.reports $v.reports) }}
{{- $faults = append $faults (printf "%s.reports is missing: the URL of the bucket, or folder in it, that keeps what a pass finds, so that a pod that was killed resumes it" $name) }}
{{- end }}
{{- if and $pass.results (not (or $v.results.url $v.results.existingSecret.name)) }}
{{- $faults = append $faults (printf "%s.results is true, but there is no place for results: give results.url or results.existingSecret.name" $name) }}
{{- end }}
{{- if not (or $pass.serviceAccount.create $pass.serviceAccount.name) }}
{{- $faults = append $faults (printf "%s.serviceAccount.name is missing: with %s.serviceAccount.create false, name an existing account" $name $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.audit.versions (or $v.audit.recordsOnly $v.audit.olderThan $v.audit.budget) }}
{{- $faults = append $faults "audit.versions reads versions that have no record, and audit.recordsOnly, audit.olderThan and audit.budget go by the records: leave them out" }}
{{- end }}
{{- if and $v.audit.recordsOnly (or $v.audit.budget $v.audit.rate) }}
{{- $faults = append $faults "audit.budget and audit.rate bound what is read, and audit.recordsOnly reads nothing: leave them out" }}
{{- end }}
{{- if $faults }}
{{- fail (printf "\n- %s" (join "\n- " $faults)) }}
{{- end }}
{{- end }}
