# What workers may do with the plans and reports of passes.

mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  buckets      = { inbox = { name = "acme-inbox", enable_eventbridge = true } }
  pod_identity = { cluster_name = "apps" }
}

run "none" {
  command = plan

  variables {
    audit = { reports_bucket = "acme-audits" }
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.worker.policy, "acme-audits") && !contains(keys(output.helm_values), "reports")
    error_message = "workers have the reports of audits: ${aws_iam_role_policy.worker.policy}"
  }
}

run "workers" {
  command = plan

  variables {
    reports_bucket = { name = "acme-passes" }
    record_tags    = { team = "archive" }
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.worker.policy).Statement : s if strcontains(jsonencode(s), "acme-passes")] == [
      { Sid = "ListReports", Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::acme-passes"] },
      { Sid = "Reports", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["arn:aws:s3:::acme-passes/.bucketsum/passes/*"] },
    ]
    error_message = aws_iam_role_policy.worker.policy
  }
  assert {
    condition     = output.helm_values.reports == "s3://acme-passes?region=eu-central-1"
    error_message = jsonencode(output.helm_values)
  }
}

run "key" {
  command = plan

  variables {
    reports_bucket = { name = "acme-passes", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/66666666-2222-3333-4444-555555555555" }
    audit          = { reports_bucket = "acme-audits" }
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.worker.policy).Statement : s if startswith(s.Sid, "KeyOf")] == [{
      Sid      = "KeyOfReportsBucket"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = ["arn:aws:kms:eu-central-1:123456789012:key/66666666-2222-3333-4444-555555555555"]
      Condition = {
        StringEquals = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" }
        StringLike   = { "kms:EncryptionContext:aws:s3:arn" = ["arn:aws:s3:::acme-passes", "arn:aws:s3:::acme-passes/*"] }
      }
    }]
    error_message = aws_iam_role_policy.worker.policy
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.audit[0].policy, "acme-passes") && !strcontains(aws_iam_role_policy.audit[0].policy, "kms:")
    error_message = "audits have the reports of workers: ${aws_iam_role_policy.audit[0].policy}"
  }
  assert {
    condition     = output.documents.keys["arn:aws:s3:::acme-passes"] == "arn:aws:kms:eu-central-1:123456789012:key/66666666-2222-3333-4444-555555555555"
    error_message = jsonencode(output.documents.keys)
  }
}

run "shared_with_audits" {
  command = plan

  variables {
    reports_bucket = { name = "acme-audits", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/66666666-2222-3333-4444-555555555555" }
    audit          = { reports_bucket = "acme-audits" }
  }

  assert {
    condition = alltrue([for policy in [aws_iam_role_policy.worker.policy, aws_iam_role_policy.audit[0].policy] :
    [for s in jsondecode(policy).Statement : s.Sid if strcontains(jsonencode(s), "acme-audits")] == ["ListReports", "Reports", "KeyOfReportsBucket"]])
    error_message = "${aws_iam_role_policy.worker.policy} ${aws_iam_role_policy.audit[0].policy}"
  }
}

run "made" {
  command = plan

  variables {
    buckets        = { inbox = { name = "acme-inbox", create = true } }
    reports_bucket = { name = "acme-audits", create = true }
    create_kms_key = true
    audit          = { reports_bucket = "acme-audits" }
  }

  assert {
    condition = (aws_s3_bucket_versioning.this["reports_bucket"].bucket == "acme-audits" && aws_s3_bucket_public_access_block.this["reports_bucket"].restrict_public_buckets &&
    one(aws_s3_bucket_server_side_encryption_configuration.this["reports_bucket"].rule).apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.this[0].arn)
    error_message = "the bucket of reports is not as the others"
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this["reports_bucket"].policy).Statement[0].Resource == ["arn:aws:s3:::acme-audits", "arn:aws:s3:::acme-audits/*"]
    error_message = aws_s3_bucket_policy.this["reports_bucket"].policy
  }
  assert {
    condition = ([for r in aws_s3_bucket_lifecycle_configuration.this["reports_bucket"].rule : r.id] == ["abort-incomplete-uploads"] &&
    [for r in aws_s3_bucket_lifecycle_configuration.this["inbox"].rule : r.id] == ["abort-incomplete-uploads", "forget-checkpoints"])
    error_message = "reports are forgotten, or checkpoints are not"
  }
  assert {
    condition     = keys(aws_s3_bucket_notification.eventbridge) == ["inbox"]
    error_message = "reports cause events"
  }
  assert {
    condition = alltrue([for policy in [aws_iam_role_policy.worker.policy, aws_iam_role_policy.audit[0].policy] :
    [for s in jsondecode(policy).Statement : s.Resource if s.Sid == "KeyOfReportsBucket"] == [[aws_kms_key.this[0].arn]]])
    error_message = "${aws_iam_role_policy.worker.policy} ${aws_iam_role_policy.audit[0].policy}"
  }
}

run "made_twice" {
  command = plan

  variables {
    buckets        = { inbox = { name = "acme-inbox", create = true } }
    reports_bucket = { name = "acme-inbox", create = true }
  }

  expect_failures = [var.reports_bucket]
}
