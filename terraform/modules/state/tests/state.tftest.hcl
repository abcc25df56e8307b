mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  bucket = "acme-terraform"
}

run "default" {
  command = plan

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "old versions of the state are lost"
  }
  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "states are destroyed with the bucket"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "the state is not encrypted"
  }
  assert {
    condition = alltrue([for b in [aws_s3_bucket_public_access_block.this] :
    b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets])
    error_message = "the bucket can be made public"
  }
  assert {
    condition = jsondecode(aws_s3_bucket_policy.this.policy).Statement == [{
      Sid       = "OnlyByTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::acme-terraform", "arn:aws:s3:::acme-terraform/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = aws_s3_bucket_policy.this.policy
  }
  assert {
    condition     = output.backend.use_lockfile && output.backend.encrypt && output.backend.bucket == "acme-terraform" && output.backend.region == "eu-central-1"
    error_message = "the backend does not lock or encrypt"
  }
}

run "key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  assert {
    condition = alltrue([for r in aws_s3_bucket_server_side_encryption_configuration.this.rule :
    r.bucket_key_enabled && r.apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:eu-central-1:123456789012:key/1"])
    error_message = "the state does not use the key"
  }
}

run "bucket" {
  command = plan
  variables {
    bucket = "Acme"
  }
  expect_failures = [var.bucket]
}

run "alias_of_a_key" {
  command = plan
  variables {
    kms_key_arn = "alias/state"
  }
  expect_failures = [var.kms_key_arn]
}

run "no_time_to_look" {
  command = plan
  variables {
    old_version_days = 1
  }
  expect_failures = [var.old_version_days]
}
