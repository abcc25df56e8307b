# The documents of pipelines that between them use every option. Copies are in
# testenv/e2e/aws/testdata/terraform, where a test runs the worker over them.

mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  pod_identity = { cluster_name = "apps" }
}

run "defaults" {
  command = plan

  variables {
    name    = "defaults"
    buckets = { inbox = { name = "defaults-inbox", enable_eventbridge = true }, versions = { name = "defaults-versions", create = true } }
  }

  assert {
    condition     = length(setintersection(keys(output.helm_values), ["recordTo", "recordBucket", "recordTags", "nativeChecks", "results"])) == 0
    error_message = "values repeat the chart's defaults: ${jsonencode(output.helm_values)}"
  }
}

run "prefixes" {
  command = plan

  variables {
    name = "prefixes"
    buckets = {
      inbox    = { name = "prefixes-inbox", enable_eventbridge = true, prefixes = ["in/"] }
      versions = { name = "prefixes-versions", create = true, prefixes = ["in/"] }
    }
    record_layout     = "checksums/{key}.{alg}"
    algorithms        = ["md5", "sha256"]
    former_algorithms = ["sha1"]
    record_tags       = { team = "archive", kind = "checksum" }
    create_kms_key    = true
    results_queue     = { arn = "arn:aws:sqs:eu-central-1:123456789012:results", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/77777777-2222-3333-4444-555555555555" }
  }

  assert {
    condition = [for s in output.documents.worker_policy.Statement : s if contains(["Records", "LookForRecords", "FormerRecords", "Results"], s.Sid)] == [
      {
        Sid    = "Records"
        Effect = "Allow"
        Action = ["s3:PutObject", "s3:PutObjectTagging", "s3:DeleteObject"]
        Resource = [
          "arn:aws:s3:::prefixes-inbox/checksums/in/*.md5", "arn:aws:s3:::prefixes-inbox/checksums/in/*.sha256",
          "arn:aws:s3:::prefixes-versions/checksums/in/*.md5", "arn:aws:s3:::prefixes-versions/checksums/in/*.sha256",
        ]
      },
      { Sid = "LookForRecords", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::prefixes-inbox/checksums/in/*.*", "arn:aws:s3:::prefixes-versions/checksums/in/*.*"] },
      { Sid = "FormerRecords", Effect = "Allow", Action = ["s3:DeleteObject"], Resource = ["arn:aws:s3:::prefixes-inbox/checksums/in/*.sha1", "arn:aws:s3:::prefixes-versions/checksums/in/*.sha1"] },
      { Sid = "Results", Effect = "Allow", Action = ["sqs:SendMessage", "sqs:GetQueueAttributes"], Resource = ["arn:aws:sqs:eu-central-1:123456789012:results"] },
    ]
    error_message = jsonencode(output.documents.worker_policy)
  }
  assert {
    condition = (output.helm_values.recordTags == tomap({ team = "archive", kind = "checksum" }) &&
    output.helm_values.results.url == "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/results?region=eu-central-1")
    error_message = jsonencode(output.helm_values)
  }
}

run "record_bucket" {
  command = plan

  variables {
    name = "elsewhere"
    buckets = {
      inbox    = { name = "elsewhere-inbox", enable_eventbridge = true, prefixes = ["in/"], kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/88888888-2222-3333-4444-555555555555" }
      versions = { name = "elsewhere-versions", create = true }
    }
    record_bucket = { name = "elsewhere-sums", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555" }
  }

  assert {
    condition     = output.documents.event_patterns.inbox.detail.object.key == [{ wildcard = "in/*" }]
    error_message = jsonencode(output.documents.event_patterns)
  }
  assert {
    condition = alltrue([for s in output.documents.worker_policy.Statement : alltrue([for r in s.Resource : strcontains(r, ":elsewhere-sums/")])
    if length(setintersection(s.Action, ["s3:PutObject", "s3:DeleteObject"])) > 0])
    error_message = "the worker may write to the objects' bucket: ${jsonencode(output.documents.worker_policy)}"
  }
  assert {
    condition = [for s in output.documents.worker_policy.Statement : "${s.Sid} ${join(" ", s.Action)}" if startswith(s.Sid, "KeyOf")] == [
      "KeyOfBucketInbox kms:Decrypt", "KeyOfRecordBucket kms:Decrypt kms:GenerateDataKey",
    ]
    error_message = jsonencode(output.documents.worker_policy)
  }
  assert {
    condition     = output.helm_values.recordBucket == "s3://elsewhere-sums?region=eu-central-1"
    error_message = jsonencode(output.helm_values)
  }
}

run "tags" {
  command = plan

  variables {
    name          = "tags"
    buckets       = { inbox = { name = "tags-inbox", enable_eventbridge = true }, versions = { name = "tags-versions", create = true } }
    record_to     = ["tags"]
    native_checks = "off"
  }

  assert {
    condition     = output.documents.event_patterns.inbox.detail.object.key == [{ "anything-but" = { wildcard = [".bucketsum/*"] } }]
    error_message = jsonencode(output.documents.event_patterns)
  }
  assert {
    condition = [for s in output.documents.worker_policy.Statement : s.Sid if contains(s.Action, "s3:PutObject")] == ["Checkpoints"] && [
      for s in output.documents.worker_policy.Statement : s.Action if s.Sid == "Objects"
    ] == [["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"]]
    error_message = jsonencode(output.documents.worker_policy)
  }
  assert {
    condition     = output.helm_values.recordTo == tolist(["tags"]) && !output.helm_values.nativeChecks
    error_message = jsonencode(output.helm_values)
  }
}

run "cloudtrail" {
  command = plan

  variables {
    name         = "trail"
    buckets      = { inbox = { name = "trail-inbox", enable_eventbridge = false }, versions = { name = "trail-versions", create = true } }
    event_source = "cloudtrail"
    on_delete    = "keep"
  }

  assert {
    condition     = [for s in output.documents.worker_policy.Statement : s.Sid if contains(s.Action, "s3:DeleteObject")] == ["Checkpoints"]
    error_message = jsonencode(output.documents.worker_policy)
  }
}

run "passes" {
  command = plan

  variables {
    name           = "passes"
    buckets        = { inbox = { name = "passes-inbox", enable_eventbridge = true }, versions = { name = "passes-versions", create = true } }
    create_kms_key = true
    results_queue  = { arn = "arn:aws:sqs:eu-central-1:123456789012:passes-results", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/77777777-2222-3333-4444-555555555555" }
    reports_bucket = { name = "passes-reports", create = true }
    audit          = { reports_bucket = "passes-reports", results = true }
  }

  assert {
    condition     = contains(output.documents.names.created, "passes-reports") && output.documents.keys["arn:aws:s3:::passes-reports"] == output.kms_key_arn
    error_message = jsonencode(output.documents)
  }
  assert {
    condition     = output.helm_values.pass.serviceAccount == { create = false, name = "bucketsum" }
    error_message = jsonencode(output.helm_values)
  }
}
