# Values that must be refused, and the variable that refuses them.

mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  buckets      = { inbox = { name = "acme-inbox", create = true } }
  pod_identity = { cluster_name = "apps" }
}

run "name" {
  command = plan

  variables {
    name = "Sums"
  }

  expect_failures = [var.name]
}

run "no_bucket" {
  command = plan

  variables {
    buckets = {}
  }

  expect_failures = [var.buckets]
}

run "label" {
  command = plan

  variables {
    buckets = { "In Box" = { name = "acme-inbox", create = true } }
  }

  expect_failures = [var.buckets]
}

run "bucket_name" {
  command = plan

  variables {
    buckets = { inbox = { name = "ACME", create = true } }
  }

  expect_failures = [var.buckets]
}

run "bucket_twice" {
  command = plan

  variables {
    buckets = { a = { name = "acme-inbox", create = true }, b = { name = "acme-inbox", create = true } }
  }

  expect_failures = [var.buckets]
}

run "notifications_replaced_unasked" {
  command = plan

  variables {
    buckets = { inbox = { name = "acme-inbox" } }
  }

  expect_failures = [var.buckets]
}

run "wildcard_in_a_prefix" {
  command = plan

  variables {
    buckets       = { inbox = { name = "acme-inbox", create = true, prefixes = ["a*/"] } }
    record_layout = "checksums/{key}.{alg}"
  }

  expect_failures = [var.buckets]
}

run "alias_of_a_key" {
  command = plan

  variables {
    buckets = { inbox = { name = "acme-inbox", create = true, kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/inbox" } }
  }

  expect_failures = [var.buckets]
}

run "records_among_the_included_by_prefix" {
  command = plan

  variables {
    buckets = { inbox = { name = "acme-inbox", create = true, prefixes = ["in/"] } }
  }

  expect_failures = [var.buckets]
}

run "records_under_a_prefix" {
  command = plan

  variables {
    buckets       = { inbox = { name = "acme-inbox", create = true, prefixes = ["check"] } }
    record_layout = "checksums/{key}.{alg}"
  }

  expect_failures = [var.buckets]
}

run "prefix_among_the_records" {
  command = plan

  variables {
    buckets       = { inbox = { name = "acme-inbox", create = true, prefixes = ["checksums/a/"] } }
    record_layout = "checksums/{key}.{alg}"
  }

  expect_failures = [var.buckets]
}

run "records_among_the_included_by_suffix" {
  command = plan

  variables {
    buckets = { inbox = { name = "acme-inbox", create = true, suffixes = [".md5"] } }
  }

  expect_failures = [var.buckets]
}

run "layout_without_algorithm" {
  command = plan

  variables {
    record_layout = "{key}.sum"
  }

  expect_failures = [var.record_layout]
}

run "layout_without_key" {
  command = plan

  variables {
    record_layout = "{base}.{alg}"
  }

  expect_failures = [var.record_layout]
}

run "layout_with_a_wildcard" {
  command = plan

  variables {
    record_layout = "*/{key}.{alg}"
  }

  expect_failures = [var.record_layout]
}

run "layout_in_hidden_folder" {
  command = plan

  variables {
    record_layout = ".bucketsum/{key}.{alg}"
  }

  expect_failures = [var.record_layout]
}

run "layout_with_neighbours" {
  command = plan

  variables {
    record_layout = "{key}{alg}"
  }

  expect_failures = [var.record_layout]
}

run "algorithm" {
  command = plan

  variables {
    algorithms = ["md4"]
  }

  expect_failures = [var.algorithms]
}

run "on_delete" {
  command = plan

  variables {
    on_delete = "archive"
  }

  expect_failures = [var.on_delete]
}

run "event_source" {
  command = plan

  variables {
    event_source = "sns"
  }

  expect_failures = [var.event_source]
}

run "visibility" {
  command = plan

  variables {
    queue = { visibility_timeout = 5 }
  }

  expect_failures = [var.queue]
}

run "one_receive" {
  command = plan

  variables {
    queue = { max_receives = 1 }
  }

  expect_failures = [var.queue]
}

run "dead_letters_expire_first" {
  command = plan

  variables {
    queue = { retention = 1209600 }
  }

  expect_failures = [var.queue]
}

run "short_retention" {
  command = plan

  variables {
    queue = { retention = 60 }
  }

  expect_failures = [var.queue]
}

run "alias_of_the_queues_key" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/queues"
  }

  expect_failures = [var.kms_key_arn]
}

run "two_keys" {
  command = plan

  variables {
    create_kms_key = true
    kms_key_arn    = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  expect_failures = [var.kms_key_arn]
}

run "service_account" {
  command = plan

  variables {
    service_account = { name = "Worker_1" }
  }

  expect_failures = [var.service_account]
}

run "cluster_by_its_arn" {
  command = plan

  variables {
    pod_identity = { cluster_name = "arn:aws:eks:eu-central-1:123456789012:cluster/apps" }
  }

  expect_failures = [var.pod_identity]
}

run "no_identity" {
  command = plan

  variables {
    pod_identity = null
  }

  expect_failures = [var.pod_identity]
}

run "two_identities" {
  command = plan

  variables {
    irsa = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/A" }
  }

  expect_failures = [var.pod_identity]
}

run "oidc_provider" {
  command = plan

  variables {
    pod_identity = null
    irsa         = { oidc_provider_arn = "oidc.example.com/id/A" }
  }

  expect_failures = [var.irsa]
}

run "scaler" {
  command = plan

  variables {
    scaler_service_account = { name = "KEDA" }
  }

  expect_failures = [var.scaler_service_account]
}

run "boundary" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "alarm_age" {
  command = plan

  variables {
    alarms = { oldest_message_age = 1 }
  }

  expect_failures = [var.alarms]
}

run "alarm_action" {
  command = plan

  variables {
    alarms = { actions = ["pager"] }
  }

  expect_failures = [var.alarms]
}

run "bucket_in_another_region" {
  command = plan

  variables {
    buckets = { inbox = { name = "acme-inbox", enable_eventbridge = true } }
  }

  override_data {
    target = data.aws_s3_bucket.existing
    values = { bucket_region = "us-east-1" }
  }

  expect_failures = [data.aws_s3_bucket.existing]
}

run "pattern_too_long" {
  command = plan

  variables {
    buckets       = { inbox = { name = "acme-inbox", create = true, prefixes = [for i in range(100) : "a-rather-long-folder-name-${i}/"] } }
    record_layout = "checksums/{key}.{alg}"
  }

  expect_failures = [aws_cloudwatch_event_rule.objects]
}

run "former_algorithm_in_use" {
  command = plan

  variables {
    former_algorithms = ["md5"]
  }

  expect_failures = [var.former_algorithms]
}

run "no_form_of_record" {
  command = plan

  variables {
    record_to = []
  }

  expect_failures = [var.record_to]
}

run "records_among_the_objects" {
  command = plan

  variables {
    record_bucket = { name = "acme-inbox" }
  }

  expect_failures = [var.buckets]
}

run "record_bucket_for_tags" {
  command = plan

  variables {
    record_to     = ["tags"]
    record_bucket = { name = "acme-sums" }
  }

  expect_failures = [var.record_bucket]
}

run "alias_of_the_key_of_records" {
  command = plan

  variables {
    record_bucket = { name = "acme-sums", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/sums" }
  }

  expect_failures = [var.record_bucket]
}

run "tag_with_a_space" {
  command = plan

  variables {
    record_tags = { team = "data platform" }
  }

  expect_failures = [var.record_tags]
}

run "native_checks" {
  command = plan

  variables {
    native_checks = "yes"
  }

  expect_failures = [var.native_checks]
}

run "results_by_url" {
  command = plan

  variables {
    results_queue = { arn = "https://sqs.eu-central-1.amazonaws.com/123456789012/results" }
  }

  expect_failures = [var.results_queue]
}

run "reports_bucket_name" {
  command = plan

  variables {
    reports_bucket = { name = "ACME" }
  }

  expect_failures = [var.reports_bucket]
}

run "reports_bucket_key_alias" {
  command = plan

  variables {
    reports_bucket = { name = "acme-passes", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:alias/passes" }
  }

  expect_failures = [var.reports_bucket]
}
