# Prints faults in the chart's objects (an array) that the API server cannot see, one a
# line: references to missing names, and violated rules that hold for every set of values.
# $keda is KEDA's list of the keys that its triggers understand.
def the($kind): map(select(.kind == $kind))[];
def within($all): to_entries | all(. as $e | $all[$e.key] == $e.value);
def fault($ok; $text): if $ok then empty else $text end;

. as $objects
| [.[] | select(.kind == "Deployment" or .kind == "DaemonSet")] as $workloads
| [.[] | select(.kind == "Pod")] as $tests
| $workloads[0] as $workload
| $workload.spec.template as $template
| [.[] | select(.kind == "Job").spec.template, select(.kind == "CronJob").spec.jobTemplate.spec.template] as $passes
| [$template.spec.containers[].ports[]?] as $ports
| (
  fault($workloads | length == 1; "there is not one workload"),
  fault($tests | length == 1; "there is not one test"),

  # Ports.
  ($template.spec.containers[] | .name as $name | (.startupProbe, .readinessProbe, .livenessProbe)
    | fault(. != null; "container \($name) lacks a probe"),
      (select(.) | .httpGet.port as $port | fault($ports | any(.name == $port or .containerPort == $port); "a probe asks port \($port), which container \($name) has not"))),
  (the("Service") | .spec.ports[] | .targetPort as $port
    | fault($ports | any(.name == $port or .containerPort == $port); "the service leads to port \($port), which nothing has")),
  (the("ServiceMonitor") | .spec.endpoints[].port as $port
    | fault([$objects | the("Service") | .spec.ports[].name] | index([$port]); "the monitor asks port \($port), which the service has not")),
  (the("NetworkPolicy") | .spec.ingress[]?.ports[]? | .port as $port
    | fault($ports | any(.containerPort == $port); "the network policy admits port \($port), which nothing has")),
  (the("Ingress") | .spec.rules[].http.paths[].backend.service as $backend
    | fault([$objects | the("Service") | select(.metadata.name == $backend.name) | .spec.ports[].name] | index([$backend.port.name]); "the ingress leads to \($backend), which is not there")),

  # Selectors.
  ((the("Service") | .spec.selector), (the("PodDisruptionBudget") | .spec.selector.matchLabels), $workload.spec.selector.matchLabels
    | fault(within($template.metadata.labels); "a selector does not find workers: \(.)"),
      fault([within(($tests + $passes)[].metadata.labels)] | any | not; "a selector of workers finds the test, or a pass: \(.)")),
  (the("NetworkPolicy") | .spec.podSelector.matchLabels
    | fault([within(($template, ($tests + $passes)[]).metadata.labels)] | all; "the network policy does not bind all pods: \(.)")),
  (the("ServiceMonitor") | .spec.selector.matchLabels as $labels
    | fault([$objects | the("Service") | select(.metadata.labels as $all | $labels | within($all))] | length == 1; "the monitor does not find the service")),

  # Scaling.
  ((the("ScaledObject"), the("HorizontalPodAutoscaler")) | .spec.scaleTargetRef as $target
    | fault($target.kind == "Deployment" and $workload.kind == "Deployment" and $target.name == $workload.metadata.name; "\(.kind) scales \($target), which is not there")),
  fault([the("ScaledObject"), the("HorizontalPodAutoscaler")] | length <= 1; "two autoscalers scale one workload"),
  (the("ScaledObject") | .spec.triggers[] | . as $trigger
    | [$keda[0].scalers[] | select(.type == $trigger.type) | .parameters[] | select(.metadataVariableReadable)] as $known
    | fault($known | length > 0; "KEDA has no trigger \($trigger.type)"),
      ($trigger.metadata | keys[] | . as $key | fault($known | any(.name == $key); "KEDA's trigger \($trigger.type) knows no \($key)")),
      ($known[] | select((.optional or has("default")) | not) | .name as $name
        | fault($trigger.metadata[$name] // "" != ""; "KEDA's trigger \($trigger.type) needs \($name)")),
      (.authenticationRef | select(. and .kind != "ClusterTriggerAuthentication") | .name as $name
        | fault([$objects | the("TriggerAuthentication").metadata.name] | index([$name]); "there is no TriggerAuthentication \($name)"))),

  # Time for work in flight.
  ($template.spec | (.containers[0].args[] | capture("^--drain-timeout=(?<seconds>[0-9]+)s$") | .seconds | tonumber) as $drain
    | (.containers[0].lifecycle.preStop.sleep.seconds // 0) as $before
    | fault($before > 0; "pods drain while they are still sent requests"),
      fault(.terminationGracePeriodSeconds == $before + $drain + 15; "pods are killed after \(.terminationGracePeriodSeconds) s, with \($before) s before a drain of \($drain) s")),

  # Security beyond the restricted standard, which the server enforces.
  (($template, $tests[0], $passes[]).spec
    | fault(.automountServiceAccountToken == false; "a pod has a token of the API server"),
      fault(.enableServiceLinks == false; "services become variables, which are flags"),
      ((.containers + (.initContainers // []))[]
        | fault(.securityContext.readOnlyRootFilesystem == true; "the root file system of container \(.name) can be written"),
          fault(.resources.limits.memory and .resources.requests.memory and .resources.requests.cpu; "container \(.name) has no bounds"),
          fault([.args[] | select(test("://[^/?#]*@"))] == []; "there is a password among the arguments"))),
  (.[] | select(.kind | test("Role|Secret")) | "the chart makes a \(.kind)"),
  fault([the("NetworkPolicy")] | length == 1; "there is no network policy"),
  (.[] | fault(.metadata.namespace; "\(.kind) names no namespace")),

  # Monitoring.
  (the("ConfigMap") | .data[] | fault((try fromjson catch null) | .panels; "the dashboard is none")),
  (the("PrometheusRule") | .spec.groups[].rules[] | fault(.alert and .expr and .annotations.summary; "not an alert: \(.)"))
)
