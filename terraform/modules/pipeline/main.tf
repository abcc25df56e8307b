data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix
  region     = data.aws_region.current.region
  account_id = data.aws_caller_identity.current.account_id

  # ARNs and URLs are built from the names, so a plan knows them before anything
  # exists, and queues, rules and keys can refer to each other.
  queue_names = {
    work         = var.name
    dead_letters = "${var.name}-dead-letters"
    undelivered  = "${var.name}-undelivered"
  }
  queue_arns = { for k, name in local.queue_names : k => "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${name}" }
  queue_urls = { for k, name in local.queue_names : k => "https://sqs.${local.region}.${local.dns_suffix}/${local.account_id}/${name}" }

  rule_names = { for label in keys(var.buckets) : label => "${var.name}-${label}" }
  rule_arns  = { for label, name in local.rule_names : label => "arn:${local.partition}:events:${local.region}:${local.account_id}:rule/${name}" }

  bucket_arns       = { for label, b in var.buckets : label => "arn:${local.partition}:s3:::${b.name}" }
  record_bucket_arn = var.record_bucket == null ? null : "arn:${local.partition}:s3:::${var.record_bucket.name}"

  # Where plans and reports of passes are, by the role.
  reports_buckets = merge(
    { for r in var.reports_bucket == null ? [] : [var.reports_bucket] : "worker" => r.name },
    { for a in var.audit == null ? [] : [var.audit] : "audit" => a.reports_bucket },
  )
  reports_urls = { for who, name in local.reports_buckets : who => "s3://${name}?region=${local.region}" }
}
