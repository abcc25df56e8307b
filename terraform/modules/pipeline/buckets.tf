locals {
  # The labels of buckets have no underscore.
  kept = merge(
    { for label, b in var.buckets : label => { name = b.name, create = b.create, kms_key_arn = b.kms_key_arn } },
    { for r in var.reports_bucket == null ? [] : [var.reports_bucket] : "reports_bucket" => r },
  )
  created = { for label, b in local.kept : label => b if b.create }
  # Null: S3's own key.
  bucket_key_arns = { for label, b in local.kept : label => b.create && b.kms_key_arn == null ? local.key_arn : b.kms_key_arn }
  bucket_has_key  = { for label, b in local.kept : label => b.kms_key_arn != null || (b.create && local.has_key) }
}

# Fails if a bucket is missing. S3 sends events in the bucket's own region only.
data "aws_s3_bucket" "existing" {
  for_each = { for label, b in var.buckets : label => b if !b.create }

  bucket = each.value.name

  lifecycle {
    postcondition {
      condition     = self.bucket_region == local.region
      error_message = "Bucket ${each.value.name} is in ${self.bucket_region}, not in ${local.region}: S3 sends its events there."
    }
  }
}

resource "aws_s3_bucket" "this" {
  for_each = local.created

  bucket = each.value.name
  tags   = var.tags
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.created

  bucket = aws_s3_bucket.this[each.key].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.created

  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    bucket_key_enabled = local.bucket_has_key[each.key] ? true : null

    apply_server_side_encryption_by_default {
      sse_algorithm     = local.bucket_has_key[each.key] ? "aws:kms" : "AES256"
      kms_master_key_id = local.bucket_key_arns[each.key]
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.created

  bucket                  = aws_s3_bucket.this[each.key].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.created

  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.created

  bucket = aws_s3_bucket.this[each.key].bucket
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyByTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [for of in ["", "/*"] : "arn:${local.partition}:s3:::${each.value.name}${of}"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  # S3 accepts one change of a bucket's policies at a time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.created

  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Workers overwrite and delete checkpoints. Without this rule a versioned bucket
  # keeps every one as an old version. Reports are written once, and an old version of
  # one is one that should be there.
  dynamic "rule" {
    for_each = each.key == "reports_bucket" ? [] : ["forget-checkpoints"]

    content {
      id     = rule.value
      status = "Enabled"

      filter {
        prefix = ".bucketsum/"
      }

      noncurrent_version_expiration {
        noncurrent_days = 1
      }

      expiration {
        expired_object_delete_marker = true
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_notification" "eventbridge" {
  for_each = { for label, b in var.buckets : label => b if var.event_source == "s3" && coalesce(b.enable_eventbridge, b.create) }

  bucket      = each.value.create ? aws_s3_bucket.this[each.key].bucket : data.aws_s3_bucket.existing[each.key].bucket
  eventbridge = true
}
