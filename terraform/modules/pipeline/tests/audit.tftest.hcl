# The role of audits: it reads objects, and writes only records and reports.

mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  name    = "sums"
  buckets = { inbox = { name = "acme-inbox", enable_eventbridge = true } }
  irsa    = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/1" }
}

run "none" {
  command = plan

  assert {
    condition     = length(aws_iam_role_policy.audit) == 0 && !contains(keys(output.helm_values), "audit")
    error_message = "there is a role of audits without being asked for"
  }
}

run "audit" {
  command = plan

  variables {
    audit = { reports_bucket = "acme-audits" }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.audit[0].policy) == {
      Version = "2012-10-17"
      Statement = [
        { Sid = "Buckets", Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::acme-inbox"] },
        {
          Sid      = "Objects"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"]
          Resource = ["arn:aws:s3:::acme-inbox/*"]
        },
        { Sid = "LookForRecords", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::acme-inbox/*.*"] },
        { Sid = "Records", Effect = "Allow", Action = ["s3:PutObject"], Resource = ["arn:aws:s3:::acme-inbox/*.md5"] },
        { Sid = "ListReports", Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::acme-audits"] },
        { Sid = "Reports", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = ["arn:aws:s3:::acme-audits/.bucketsum/passes/*"] },
      ]
    }
    error_message = "policy of audits: ${aws_iam_role_policy.audit[0].policy}"
  }
  assert {
    condition     = jsondecode(aws_iam_role.this["audit"].assume_role_policy).Statement[0].Condition.StringEquals["oidc.example.com/id/1:sub"] == "system:serviceaccount:bucketsum:bucketsum-audit"
    error_message = "trust policy: ${aws_iam_role.this["audit"].assume_role_policy}"
  }
  assert {
    condition = jsonencode(output.helm_values.audit) == jsonencode({
      enabled = true
      reports = "s3://acme-audits?region=eu-central-1"
      serviceAccount = {
        name        = "bucketsum-audit"
        annotations = { "eks.amazonaws.com/role-arn" = "arn:aws:iam::123456789012:role/sums-audit-eu-central-1" }
      }
    })
    error_message = jsonencode(output.helm_values.audit)
  }
}

run "versions" {
  command = plan

  variables {
    audit = { reports_bucket = "acme-audits", versions = true }
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.audit[0].policy).Statement : s if s.Sid == "Versions"] == [
      { Sid = "Versions", Effect = "Allow", Action = ["s3:ListBucketVersions"], Resource = ["arn:aws:s3:::acme-inbox"] },
    ]
    error_message = "policy of audits: ${aws_iam_role_policy.audit[0].policy}"
  }
  assert {
    condition     = output.helm_values.audit.versions
    error_message = jsonencode(output.helm_values.audit)
  }
}

run "results" {
  command = plan

  variables {
    audit         = { reports_bucket = "acme-audits", results = true }
    results_queue = { arn = "arn:aws:sqs:eu-central-1:123456789012:results", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/77777777-2222-3333-4444-555555555555" }
    # The key of the queue of work is not theirs.
    create_kms_key = true
  }

  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.audit[0].policy).Statement : s if strcontains(jsonencode(s), "sqs")] == [
      { Sid = "Results", Effect = "Allow", Action = ["sqs:SendMessage", "sqs:GetQueueAttributes"], Resource = ["arn:aws:sqs:eu-central-1:123456789012:results"] },
      {
        Sid       = "KeyOfResults"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = ["arn:aws:kms:eu-central-1:123456789012:key/77777777-2222-3333-4444-555555555555"]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.eu-central-1.amazonaws.com" } }
      },
    ]
    error_message = aws_iam_role_policy.audit[0].policy
  }
  assert {
    condition     = output.helm_values.audit.results && output.helm_values.results.url != ""
    error_message = jsonencode(output.helm_values)
  }
}

run "results_only_of_workers" {
  command = plan

  variables {
    audit         = { reports_bucket = "acme-audits" }
    results_queue = { arn = "arn:aws:sqs:eu-central-1:123456789012:results", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/77777777-2222-3333-4444-555555555555" }
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.audit[0].policy, "sqs") && !contains(keys(output.helm_values.audit), "results")
    error_message = "audits may send without being asked to: ${aws_iam_role_policy.audit[0].policy}"
  }
}

run "results_without_a_queue" {
  command = plan

  variables {
    audit = { reports_bucket = "acme-audits", results = true }
  }

  expect_failures = [var.audit]
}

run "the_workers_account" {
  command = plan

  variables {
    audit = { reports_bucket = "acme-audits", service_account = "bucketsum" }
  }

  expect_failures = [var.audit]
}
