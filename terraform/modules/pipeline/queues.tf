locals {
  # People look at dead letters and at undelivered events, and need time for it.
  retention = {
    work         = var.queue.retention
    dead_letters = var.queue.dead_letter_retention
    undelivered  = var.queue.dead_letter_retention
  }
  redrive_policy = {
    deadLetterTargetArn = local.queue_arns.dead_letters
    maxReceiveCount     = var.queue.max_receives
  }
  redrive_allow_policies = {
    work         = { redrivePermission = "denyAll" }
    dead_letters = { redrivePermission = "byQueue", sourceQueueArns = [local.queue_arns.work] }
    undelivered  = { redrivePermission = "denyAll" }
  }
  queue_policies = { for k, arn in local.queue_arns : k => jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      k == "dead_letters" ? [] : [{
        Sid       = "OnlyTheseRules"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = arn
        Condition = {
          ArnEquals    = { "aws:SourceArn" = values(local.rule_arns) }
          StringEquals = { "aws:SourceAccount" = local.account_id }
        }
      }],
      [{
        Sid       = "OnlyByTLS"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
    )
  }) }
}

# Three queues: the work, messages that workers cannot handle, and events that EventBridge cannot deliver.
resource "aws_sqs_queue" "this" {
  for_each = local.queue_names

  name                       = each.value
  visibility_timeout_seconds = var.queue.visibility_timeout
  receive_wait_time_seconds  = 20
  message_retention_seconds  = local.retention[each.key]

  sqs_managed_sse_enabled           = local.has_key ? null : true
  kms_master_key_id                 = local.key_arn
  kms_data_key_reuse_period_seconds = local.has_key ? 300 : null

  tags = var.tags
}

# The queues must exist before their policies name them.
resource "aws_sqs_queue_redrive_policy" "work" {
  queue_url      = aws_sqs_queue.this["work"].url
  redrive_policy = jsonencode(local.redrive_policy)

  depends_on = [aws_sqs_queue.this]
}

resource "aws_sqs_queue_redrive_allow_policy" "this" {
  for_each = local.queue_names

  queue_url            = aws_sqs_queue.this[each.key].url
  redrive_allow_policy = jsonencode(local.redrive_allow_policies[each.key])

  depends_on = [aws_sqs_queue.this]
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queue_names

  queue_url = aws_sqs_queue.this[each.key].url
  policy    = local.queue_policies[each.key]
}
