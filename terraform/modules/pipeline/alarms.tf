# SQS counts messages in work, so one object that takes longer than this also raises
# the alarm.
resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  alarm_name          = "${var.name}-oldest-message"
  alarm_description   = "Objects of ${var.name} have waited for their checksum for more than ${var.alarms.oldest_message_age} s: workers are down, too few, stuck, or working on an object that takes this long."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.this["work"].name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarms.oldest_message_age
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = {
    dead_letters = "Messages of ${var.name} could not be handled: read them, fix the cause, redrive them. See deploy/RUNBOOK.md."
    undelivered  = "EventBridge could not deliver events of ${var.name}: check the policies of the queue and its key, then handle these events. See deploy/RUNBOOK.md."
  }

  alarm_name          = local.queue_names[each.key]
  alarm_description   = each.value
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.this[each.key].name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "lost_events" {
  for_each = var.buckets

  alarm_name          = "${local.rule_names[each.key]}-lost-events"
  alarm_description   = "EventBridge lost events of ${each.value.name}: neither the queue nor the queue of undelivered events accepted them. Backfill the bucket."
  namespace           = "AWS/Events"
  metric_name         = "InvocationsFailedToBeSentToDlq"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.objects[each.key].name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.actions
  ok_actions          = var.alarms.actions
  tags                = var.tags
}
