locals {
  # The list of a field holds alternatives, so two exclusions in it would exclude
  # nothing. There is one exclusion with all patterns. Included keys contain no
  # records (see the validation of buckets).
  key_patterns = { for label, b in var.buckets : label => concat(
    [for all in [length(b.prefixes) + length(b.suffixes) == 0] : { "anything-but" = { wildcard = local.excluded_keys } } if all],
    [for key in local.object_keys[label] : { wildcard = key } if key != "*"],
  ) }

  s3_patterns = { for label, b in var.buckets : label => {
    source = ["aws.s3"]
    detail-type = concat(
      ["Object Created"],
      var.on_delete == "remove" ? ["Object Deleted"] : [],
      ["Object Restore Completed"],
    )
    detail = {
      bucket = { name = [b.name] }
      object = { key = local.key_patterns[label] }
    }
  } }

  cloudtrail_patterns = { for label, b in var.buckets : label => {
    source      = ["aws.s3"]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource = ["s3.amazonaws.com"]
      eventName = concat(
        ["PutObject", "CompleteMultipartUpload", "CopyObject"],
        var.on_delete == "remove" ? ["DeleteObject"] : [],
      )
      # CloudTrail records failed calls, too.
      errorCode         = [{ exists = false }]
      requestParameters = { bucketName = [b.name], key = local.key_patterns[label] }
    }
  } }

  event_patterns = { for label in keys(var.buckets) : label => var.event_source == "s3" ?
    jsonencode(local.s3_patterns[label]) : jsonencode(local.cloudtrail_patterns[label])
  }
}

# One rule for each bucket, because their filters differ.
resource "aws_cloudwatch_event_rule" "objects" {
  for_each = var.buckets

  name          = local.rule_names[each.key]
  description   = "Objects of ${each.value.name} that get records; the records themselves are excluded"
  event_pattern = local.event_patterns[each.key]
  tags          = var.tags

  lifecycle {
    precondition {
      condition     = length(local.event_patterns[each.key]) <= 2048
      error_message = "The event pattern of ${each.key} would be longer than EventBridge's 2048 characters: give fewer prefixes and suffixes."
    }
  }
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each = var.buckets

  rule      = aws_cloudwatch_event_rule.objects[each.key].name
  target_id = "queue"
  arn       = local.queue_arns.work

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
  dead_letter_config {
    arn = local.queue_arns.undelivered
  }

  # The queue refuses events that arrive before its policy.
  depends_on = [aws_sqs_queue_policy.this]
}
