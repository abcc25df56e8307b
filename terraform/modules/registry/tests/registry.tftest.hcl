mock_provider "aws" {
  override_during = plan
}

run "default" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "a tag can be moved to another image"
  }
  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "images are not scanned"
  }
  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "AES256"
    error_message = "images are not encrypted, or need a key"
  }
  assert {
    condition = { for r in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : r.selection.tagStatus => r.selection.countNumber } == {
      untagged = 7, tagged = 50
    }
    error_message = aws_ecr_lifecycle_policy.this.policy
  }
  assert {
    condition     = length(aws_ecr_repository_policy.pull) == 0
    error_message = "other accounts may pull"
  }
}

run "key_and_pullers" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
    puller_arns = ["arn:aws:iam::210987654321:root"]
  }

  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS" && aws_ecr_repository.this.encryption_configuration[0].kms_key == "arn:aws:kms:eu-central-1:123456789012:key/1"
    error_message = "images do not use the key"
  }
  assert {
    condition = jsondecode(aws_ecr_repository_policy.pull[0].policy).Statement == [{
      Sid       = "Pull"
      Effect    = "Allow"
      Principal = { AWS = ["arn:aws:iam::210987654321:root"] }
      Action    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    }]
    error_message = "other accounts may do more than pull, or may not pull"
  }
}

run "name" {
  command = plan
  variables {
    name = "Bucketsum"
  }
  expect_failures = [var.name]
}

run "no_way_back" {
  command = plan
  variables {
    kept_releases = 1
  }
  expect_failures = [var.kept_releases]
}

run "everybody_pulls" {
  command = plan
  variables {
    puller_arns = ["*"]
  }
  expect_failures = [var.puller_arns]
}

run "alias_of_a_key" {
  command = plan
  variables {
    kms_key_arn = "alias/images"
  }
  expect_failures = [var.kms_key_arn]
}
