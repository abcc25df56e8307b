mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  buckets      = { inbox = { name = "acme-inbox", create = true } }
  pod_identity = { cluster_name = "apps" }
}

run "bucket_without_a_key_of_its_own" {
  command = plan

  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this["inbox"].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "the bucket does not use SSE-S3"
  }
  assert {
    condition     = aws_s3_bucket_versioning.this["inbox"].versioning_configuration[0].status == "Enabled"
    error_message = "the bucket is not versioned"
  }
  assert {
    condition = alltrue([for b in [aws_s3_bucket_public_access_block.this["inbox"]] :
    b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets])
    error_message = "the bucket can be made public"
  }
  assert {
    condition = jsondecode(aws_s3_bucket_policy.this["inbox"].policy).Statement == [{
      Sid       = "OnlyByTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::acme-inbox", "arn:aws:s3:::acme-inbox/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = aws_s3_bucket_policy.this["inbox"].policy
  }
  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this["inbox"].rule :
      [rule.filter[0].prefix, rule.noncurrent_version_expiration[0].noncurrent_days, rule.expiration[0].expired_object_delete_marker]
      if rule.status == "Enabled" && length(rule.noncurrent_version_expiration) > 0
    ] == [[".bucketsum/", 1, true]]
    error_message = "old checkpoints stay without limit, or old versions of other objects expire: ${jsonencode(aws_s3_bucket_lifecycle_configuration.this["inbox"].rule)}"
  }
  assert {
    condition     = aws_s3_bucket_notification.eventbridge["inbox"].eventbridge
    error_message = "EventBridge notifications are off"
  }
  assert {
    condition     = !anytrue([for a in output.documents.worker_actions : startswith(a, "kms:")])
    error_message = "the worker may use keys that do not exist"
  }
}

run "one_key_for_all" {
  command = plan

  variables {
    create_kms_key = true
  }

  assert {
    condition     = alltrue([for q in aws_sqs_queue.this : q.kms_master_key_id == aws_kms_key.this[0].arn])
    error_message = "a queue has another key"
  }
  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation
    error_message = "the key is not rotated"
  }
  assert {
    condition = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.this["inbox"].rule :
      rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" &&
    rule.apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.this[0].arn])
    error_message = "the bucket has another key"
  }
  assert {
    condition = jsondecode(aws_kms_key.this[0].policy).Statement[1] == {
      Sid       = "EventsOfTheseRules"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = "*"
      Condition = {
        ArnEquals    = { "aws:SourceArn" = ["arn:aws:events:eu-central-1:123456789012:rule/bucketsum-inbox"] }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }
    error_message = "EventBridge cannot encrypt: ${aws_kms_key.this[0].policy}"
  }
  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.worker.policy).Statement : s if startswith(s.Sid, "KeyOf")] == [
      {
        Sid       = "KeyOfTheQueues"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = ["arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.eu-central-1.amazonaws.com" } }
      },
      {
        Sid      = "KeyOfBucketInbox"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = ["arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"]
        Condition = {
          StringEquals = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = ["arn:aws:s3:::acme-inbox", "arn:aws:s3:::acme-inbox/*"] }
        }
      },
    ]
    error_message = aws_iam_role_policy.worker.policy
  }
}

run "existing_bucket_with_its_key" {
  command = plan

  variables {
    buckets = { inbox = {
      name               = "acme-inbox"
      enable_eventbridge = true
      kms_key_arn        = "arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555"
    } }
  }

  assert {
    condition     = alltrue([for q in aws_sqs_queue.this : q.sqs_managed_sse_enabled && q.kms_master_key_id == null])
    error_message = "the queues use the bucket's key"
  }
  assert {
    condition = [for s in output.documents.worker_policy.Statement : "${s.Sid} ${s.Resource[0]}" if startswith(s.Sid, "KeyOf")] == [
      "KeyOfBucketInbox arn:aws:kms:eu-central-1:123456789012:key/99999999-2222-3333-4444-555555555555",
    ]
    error_message = jsonencode(output.documents.worker_policy)
  }
}
