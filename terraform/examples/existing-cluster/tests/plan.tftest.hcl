mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  region             = "eu-central-1"
  cluster_name       = "apps"
  bucket             = "acme-inbox"
  enable_eventbridge = true
}

run "documents" {
  command = plan

  assert {
    condition = yamldecode(output.helm_values) == {
      namespace  = "bucketsum"
      region     = "eu-central-1"
      record     = "{key}.{alg}"
      algorithms = ["md5"]
      onDelete   = "remove"
      queue = {
        url    = "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/bucketsum?region=eu-central-1"
        sqsUrl = "https://sqs.eu-central-1.amazonaws.com/123456789012/bucketsum"
      }
      deadLetter = {
        url    = "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/bucketsum-dead-letters?region=eu-central-1"
        sqsUrl = "https://sqs.eu-central-1.amazonaws.com/123456789012/bucketsum-dead-letters"
      }
      buckets        = [{ name = "acme-inbox", url = "s3://acme-inbox?region=eu-central-1" }]
      serviceAccount = { name = "bucketsum", annotations = {} }
    }
    error_message = output.helm_values
  }
  assert {
    condition     = output.documents.event_patterns.objects.detail.bucket.name == ["acme-inbox"]
    error_message = jsonencode(output.documents.event_patterns)
  }
  assert {
    condition     = output.scaler_role_arn == null
    error_message = "KEDA has a role without keda = true"
  }
}

run "scaled_by_the_queue" {
  command = plan

  variables {
    keda = true
  }

  assert {
    condition     = output.scaler_role_arn != null && output.documents.trust_policies.scaler.Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == "keda-operator"
    error_message = "KEDA's operator has no role"
  }
  assert {
    condition     = [for s in output.documents.scaler_policy.Statement : s.Action] == [["sqs:GetQueueAttributes"]]
    error_message = "KEDA's operator may do more than read the queue's attributes"
  }
}

run "passes" {
  command = plan

  variables {
    reports_bucket = { name = "acme-audits" }
  }

  assert {
    condition     = yamldecode(output.helm_values).reports == "s3://acme-audits?region=eu-central-1" && yamldecode(output.helm_values).audit.enabled
    error_message = output.helm_values
  }
  assert {
    condition     = length(output.documents.names.created) == 0 && output.documents.trust_policies.audit != null
    error_message = jsonencode(output.documents)
  }
}

run "region" {
  command = plan
  variables {
    region = "Frankfurt"
  }
  expect_failures = [var.region]
}
