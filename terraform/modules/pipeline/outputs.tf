locals {
  # An ARN has the form arn:PARTITION:sqs:REGION:ACCOUNT:NAME.
  results    = var.results_queue == null ? [] : [split(":", var.results_queue.arn)]
  result_url = [for a in local.results : "${endswith(a[5], ".fifo") ? "sqs" : "awssqs"}://sqs.${a[3]}.${local.dns_suffix}/${a[4]}/${a[5]}?region=${a[3]}"]
}

output "helm_values" {
  description = "Values of the chart for this pipeline."
  value = merge({
    namespace  = var.service_account.namespace
    region     = local.region
    record     = var.record_layout
    algorithms = sort(var.algorithms)
    onDelete   = var.on_delete
    queue = {
      url    = "${replace(local.queue_urls.work, "https://", "awssqs://")}?region=${local.region}"
      sqsUrl = local.queue_urls.work
    }
    deadLetter = {
      url    = "${replace(local.queue_urls.dead_letters, "https://", "awssqs://")}?region=${local.region}"
      sqsUrl = local.queue_urls.dead_letters
    }
    buckets = [for b in values(var.buckets) : { name = b.name, url = "s3://${b.name}?region=${local.region}" }]
    serviceAccount = {
      name        = var.service_account.name
      annotations = { for k, arn in { "eks.amazonaws.com/role-arn" = local.role_arns.worker } : k => arn if var.irsa != null }
    }
    },
    # Values that differ from the chart's defaults.
    { for to in [sort(var.record_to)] : "recordTo" => to if to != tolist(["sidecar"]) },
    { for b in var.record_bucket == null ? [] : [var.record_bucket.name] : "recordBucket" => "s3://${b}?region=${local.region}" },
    { for tags in [var.record_tags] : "recordTags" => tags if length(tags) > 0 },
    { for checks in [var.native_checks] : "nativeChecks" => false if checks == "off" },
    { for url in local.result_url : "results" => { url = url } },
    { for who, url in local.reports_urls : "reports" => url if who == "worker" },
    # A pass of the chart does what workers do, with their role.
    { for r in var.reports_bucket == null ? [] : [var.reports_bucket] : "pass" => { serviceAccount = { create = false, name = var.service_account.name } } },
    { for a in var.audit == null ? [] : [var.audit] : "audit" => merge({
      enabled = true
      reports = local.reports_urls.audit
      serviceAccount = {
        name        = a.service_account
        annotations = { for k, arn in { "eks.amazonaws.com/role-arn" = local.role_arns.audit } : k => arn if var.irsa != null }
      }
    }, { for name, yes in { results = a.results, versions = a.versions } : name => true if yes }) },
  )

  # A worker fails if it starts before its queue or its permissions exist.
  depends_on = [
    aws_cloudwatch_event_target.queue,
    aws_eks_pod_identity_association.this,
    aws_iam_role_policy.worker,
    aws_sqs_queue_policy.this,
  ]
}

output "queue_urls" {
  description = "URLs of the queues: work, dead_letters, undelivered."
  value       = { for k, q in aws_sqs_queue.this : k => q.url }
}

output "queue_arns" {
  description = "ARNs of the queues: work, dead_letters, undelivered."
  value       = { for k, q in aws_sqs_queue.this : k => q.arn }
}

output "rule_arns" {
  description = "ARNs of the EventBridge rules, by the buckets' labels."
  value       = { for label, r in aws_cloudwatch_event_rule.objects : label => r.arn }
}

output "role_arns" {
  description = "ARNs of the roles of the worker, and of the scaler and audits, if there are any."
  value       = { for who, r in aws_iam_role.this : who => r.arn }
}

output "kms_key_arn" {
  description = "ARN of the key of the queues; null with SQS's own key."
  value       = local.key_arn
}

output "documents" {
  description = "The patterns and policies as sent to AWS, for reviews and tests."
  value = {
    names = {
      queues  = local.queue_names
      rules   = local.rule_names
      buckets = { for label, b in var.buckets : label => b.name }
      created = [for b in values(local.created) : b.name]
    }
    # The keys of queues and buckets that do not use AWS's own.
    keys = merge(
      { for arn in values(local.queue_arns) : arn => local.key_arn if local.has_key },
      { for label, arn in local.bucket_arns : arn => local.bucket_key_arns[label] if local.bucket_has_key[label] },
      { for b in var.record_bucket == null ? [] : [var.record_bucket] : local.record_bucket_arn => b.kms_key_arn if b.kms_key_arn != null },
      { for r in var.reports_bucket == null ? [] : [var.reports_bucket] : "arn:${local.partition}:s3:::${r.name}" => lookup(local.bucket_key_arns, "reports_bucket", null) if lookup(local.bucket_has_key, "reports_bucket", false) },
      { for q in var.results_queue == null ? [] : [var.results_queue] : q.arn => q.kms_key_arn if q.kms_key_arn != null },
    )
    event_patterns         = { for label, pattern in local.event_patterns : label => jsondecode(pattern) }
    queue_policies         = { for k, policy in local.queue_policies : k => jsondecode(policy) }
    redrive_policy         = local.redrive_policy
    redrive_allow_policies = local.redrive_allow_policies
    worker_policy          = jsondecode(jsonencode(local.worker_policy))
    audit_policy           = var.audit == null ? null : jsondecode(jsonencode(local.audit_policy))
    scaler_policy          = local.scaler_policy
    trust_policies         = { for who, policy in local.trust_policies : who => jsondecode(policy) }
    worker_actions         = sort(distinct(flatten([for s in local.worker_policy.Statement : s.Action])))
  }
}
