mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  region          = "eu-central-1"
  bucket          = "acme-inbox"
  admin_role_arns = ["arn:aws:iam::123456789012:role/platform"]
  image_tag       = "v1.2.3"
}

run "pod_identity" {
  command = plan

  assert {
    condition     = yamldecode(output.helm_values).image == { repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/bucketsum", tag = "v1.2.3" }
    error_message = output.helm_values
  }
  assert {
    condition     = yamldecode(output.helm_values).serviceAccount.annotations == {} && yamldecode(output.helm_values).buckets[0].name == "acme-inbox"
    error_message = output.helm_values
  }
  assert {
    condition = (yamldecode(output.helm_values).reports == "s3://acme-inbox-reports?region=eu-central-1" && yamldecode(output.helm_values).audit == {
      enabled        = true
      reports        = "s3://acme-inbox-reports?region=eu-central-1"
      serviceAccount = { name = "bucketsum-audit", annotations = {} }
    } && yamldecode(output.helm_values).pass == { serviceAccount = { create = false, name = "bucketsum" } })
    error_message = output.helm_values
  }
  assert {
    condition = (contains(output.documents.names.created, "acme-inbox-reports") &&
    output.documents.trust_policies.audit.Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == "bucketsum-audit")
    error_message = jsonencode(output.documents)
  }
  assert {
    condition     = output.documents.trust_policies.worker.Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:eks:eu-central-1:123456789012:cluster/bucketsum"
    error_message = jsonencode(output.documents.trust_policies)
  }
  assert {
    condition     = output.backend == null && output.scaler_role_arn != null
    error_message = "a state bucket is made by default, or KEDA has no role"
  }
}

run "irsa_auto_and_state" {
  command = plan

  variables {
    identity     = "irsa"
    compute      = "auto"
    keda         = false
    state_bucket = "acme-terraform"

    reports_bucket = "acme-audits"
  }

  assert {
    condition     = yamldecode(output.helm_values).audit.serviceAccount.annotations == { "eks.amazonaws.com/role-arn" = "arn:aws:iam::123456789012:role/bucketsum-audit-eu-central-1" } && yamldecode(output.helm_values).reports == "s3://acme-audits?region=eu-central-1"
    error_message = output.helm_values
  }

  assert {
    condition     = yamldecode(output.helm_values).serviceAccount.annotations == { "eks.amazonaws.com/role-arn" = "arn:aws:iam::123456789012:role/bucketsum-worker-eu-central-1" }
    error_message = output.helm_values
  }
  assert {
    condition     = output.backend.bucket == "acme-terraform" && output.backend.use_lockfile
    error_message = jsonencode(output.backend)
  }
  assert {
    condition     = output.scaler_role_arn == null
    error_message = "KEDA has a role without keda = true"
  }
}

run "identity" {
  command = plan
  variables {
    identity = "keys"
  }
  expect_failures = [var.identity]
}

run "moving_tag" {
  command = plan
  variables {
    image_tag = "latest"
  }
  expect_failures = [var.image_tag]
}

run "no_admin" {
  command = plan
  variables {
    admin_role_arns = []
  }
  expect_failures = [var.admin_role_arns]
}

run "region" {
  command = plan
  variables {
    region = "Frankfurt"
  }
  expect_failures = [var.region]
}
