# For each layout: which keys are work and which are records.

mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  buckets      = { inbox = { name = "acme-inbox", enable_eventbridge = true } }
  pod_identity = { cluster_name = "apps" }
}

run "folder_of_records" {
  command = plan

  variables {
    record_layout = "checksums/{key}.{alg}"
    algorithms    = ["sha256", "md5"]
  }

  assert {
    condition = output.documents.event_patterns.inbox.detail.object.key[0]["anything-but"].wildcard == [
      "checksums/*.md5", "checksums/*.sha1", "checksums/*.sha256", "checksums/*.sha512",
      "checksums/*.crc32c", "checksums/*.crc64nvme", "checksums/*.blake3", "checksums/*.xxh3", ".bucketsum/*",
    ]
    error_message = jsonencode(output.documents.event_patterns)
  }
  assert {
    condition = output.documents.worker_policy.Statement[2].Resource == [
      "arn:aws:s3:::acme-inbox/checksums/*.md5", "arn:aws:s3:::acme-inbox/checksums/*.sha256",
    ]
    error_message = jsonencode(output.documents.worker_policy)
  }
}

run "folders_beside_objects" {
  command = plan

  variables {
    record_layout = "{dir}/.sums/{base}.{alg}"
  }

  assert {
    condition = alltrue([for key in [".sums/*.md5", "*/.sums/*.md5", ".sums/*.xxh3", "*/.sums/*.xxh3", ".bucketsum/*"] :
    contains(output.documents.event_patterns.inbox.detail.object.key[0]["anything-but"].wildcard, key)])
    error_message = jsonencode(output.documents.event_patterns)
  }
  assert {
    condition = output.documents.worker_policy.Statement[2].Resource == [
      "arn:aws:s3:::acme-inbox/.sums/*.md5", "arn:aws:s3:::acme-inbox/*/.sums/*.md5",
    ]
    error_message = jsonencode(output.documents.worker_policy)
  }
}

run "prefixes" {
  command = plan

  variables {
    buckets       = { inbox = { name = "acme-inbox", enable_eventbridge = true, prefixes = ["raw/", "in/2"] } }
    record_layout = "checksums/{key}.{alg}"
  }

  assert {
    condition     = output.documents.event_patterns.inbox.detail.object.key == [{ wildcard = "in/2*" }, { wildcard = "raw/*" }]
    error_message = jsonencode(output.documents.event_patterns)
  }
  assert {
    condition = [for s in output.documents.worker_policy.Statement : s.Resource if contains(["Objects", "Records"], s.Sid)] == [
      ["arn:aws:s3:::acme-inbox/in/2*", "arn:aws:s3:::acme-inbox/raw/*"],
      ["arn:aws:s3:::acme-inbox/checksums/in/2*.md5", "arn:aws:s3:::acme-inbox/checksums/raw/*.md5"],
    ]
    error_message = jsonencode(output.documents.worker_policy)
  }
}

run "suffixes_and_a_prefix_that_is_split" {
  command = plan

  variables {
    buckets       = { inbox = { name = "acme-inbox", enable_eventbridge = true, prefixes = ["in/2"], suffixes = [".jpg", ".tif"] } }
    record_layout = "{dir}/.sums/{base}.{alg}"
  }

  assert {
    condition     = output.documents.event_patterns.inbox.detail.object.key == [{ wildcard = "in/2*.jpg" }, { wildcard = "in/2*.tif" }]
    error_message = jsonencode(output.documents.event_patterns)
  }
  assert {
    # The record of in/2.jpg is in/.sums/2.jpg.md5, that of in/2025/a.jpg is in/2025/.sums/a.jpg.md5.
    condition = output.documents.worker_policy.Statement[2].Resource == [
      "arn:aws:s3:::acme-inbox/in/.sums/2*.jpg.md5", "arn:aws:s3:::acme-inbox/in/2*/.sums/*.jpg.md5",
      "arn:aws:s3:::acme-inbox/in/.sums/2*.tif.md5", "arn:aws:s3:::acme-inbox/in/2*/.sums/*.tif.md5",
    ]
    error_message = jsonencode(output.documents.worker_policy)
  }
}

run "two_buckets" {
  command = plan

  variables {
    buckets = {
      inbox  = { name = "acme-inbox", enable_eventbridge = false }
      photos = { name = "acme-photos", enable_eventbridge = true, suffixes = [".jpg"] }
    }
  }

  assert {
    condition = jsondecode(aws_sqs_queue_policy.this["work"].policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == [
      "arn:aws:events:eu-central-1:123456789012:rule/bucketsum-inbox", "arn:aws:events:eu-central-1:123456789012:rule/bucketsum-photos",
    ]
    error_message = aws_sqs_queue_policy.this["work"].policy
  }
  assert {
    condition     = keys(aws_s3_bucket_notification.eventbridge) == ["photos"]
    error_message = "notifications are replaced without permission"
  }
  assert {
    condition     = output.documents.worker_policy.Statement[2].Resource == ["arn:aws:s3:::acme-inbox/*.md5", "arn:aws:s3:::acme-photos/*.jpg.md5"]
    error_message = jsonencode(output.documents.worker_policy)
  }
}
