# The complete patterns and policies of an existing bucket: they grant nothing else.

mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  name         = "sums"
  buckets      = { inbox = { name = "acme-inbox", enable_eventbridge = true } }
  pod_identity = { cluster_name = "apps" }
}

run "existing_bucket" {
  command = plan

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.objects["inbox"].event_pattern) == {
      source      = ["aws.s3"]
      detail-type = ["Object Created", "Object Deleted", "Object Restore Completed"]
      detail = {
        bucket = { name = ["acme-inbox"] }
        object = { key = [{ "anything-but" = { wildcard = [
          "*.md5", "*.sha1", "*.sha256", "*.sha512", "*.crc32c", "*.crc64nvme", "*.blake3", "*.xxh3", ".bucketsum/*",
        ] } }] }
      }
    }
    error_message = "event pattern: ${aws_cloudwatch_event_rule.objects["inbox"].event_pattern}"
  }
  assert {
    condition = (aws_cloudwatch_event_target.queue["inbox"].arn == "arn:aws:sqs:eu-central-1:123456789012:sums" &&
    aws_cloudwatch_event_target.queue["inbox"].dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:123456789012:sums-undelivered")
    error_message = "wrong target of the rule, or wrong queue of undelivered events"
  }

  assert {
    condition = jsondecode(aws_sqs_queue_policy.this["work"].policy) == {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "OnlyTheseRules"
          Effect    = "Allow"
          Principal = { Service = "events.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = "arn:aws:sqs:eu-central-1:123456789012:sums"
          Condition = {
            ArnEquals    = { "aws:SourceArn" = ["arn:aws:events:eu-central-1:123456789012:rule/sums-inbox"] }
            StringEquals = { "aws:SourceAccount" = "123456789012" }
          }
        },
        {
          Sid       = "OnlyByTLS"
          Effect    = "Deny"
          Principal = "*"
          Action    = "sqs:*"
          Resource  = "arn:aws:sqs:eu-central-1:123456789012:sums"
          Condition = { Bool = { "aws:SecureTransport" = "false" } }
        },
      ]
    }
    error_message = "policy of the queue: ${aws_sqs_queue_policy.this["work"].policy}"
  }
  assert {
    condition = [for s in jsondecode(aws_sqs_queue_policy.this["undelivered"].policy).Statement : "${s.Sid} ${s.Resource}"] == [
      "OnlyTheseRules arn:aws:sqs:eu-central-1:123456789012:sums-undelivered",
      "OnlyByTLS arn:aws:sqs:eu-central-1:123456789012:sums-undelivered",
    ]
    error_message = "policy of the queue of undelivered events: ${aws_sqs_queue_policy.this["undelivered"].policy}"
  }
  assert {
    condition     = [for s in jsondecode(aws_sqs_queue_policy.this["dead_letters"].policy).Statement : s.Sid] == ["OnlyByTLS"]
    error_message = "EventBridge may send dead letters: ${aws_sqs_queue_policy.this["dead_letters"].policy}"
  }

  assert {
    condition = jsondecode(aws_sqs_queue_redrive_policy.work.redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:eu-central-1:123456789012:sums-dead-letters"
      maxReceiveCount     = 100
    }
    error_message = "redrive policy: ${aws_sqs_queue_redrive_policy.work.redrive_policy}"
  }
  assert {
    condition = { for k, p in aws_sqs_queue_redrive_allow_policy.this : k => jsondecode(p.redrive_allow_policy) } == {
      work         = { redrivePermission = "denyAll" }
      dead_letters = { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-central-1:123456789012:sums"] }
      undelivered  = { redrivePermission = "denyAll" }
    }
    error_message = "a queue takes dead letters of others, or the queue of dead letters does not take the worker's"
  }

  assert {
    condition     = alltrue([for q in aws_sqs_queue.this : q.sqs_managed_sse_enabled && q.receive_wait_time_seconds == 20])
    error_message = "a queue is not encrypted, or has no long polling"
  }
  assert {
    condition     = aws_sqs_queue.this["work"].visibility_timeout_seconds == 180
    error_message = "visibility timeout: ${aws_sqs_queue.this["work"].visibility_timeout_seconds}"
  }
  assert {
    condition     = alltrue([for k in ["dead_letters", "undelivered"] : aws_sqs_queue.this[k].message_retention_seconds > aws_sqs_queue.this["work"].message_retention_seconds])
    error_message = "dead letters expire too early"
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.worker.policy) == {
      Version = "2012-10-17"
      Statement = [
        { Sid = "Buckets", Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::acme-inbox"] },
        {
          Sid      = "Objects"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"]
          Resource = ["arn:aws:s3:::acme-inbox/*"]
        },
        { Sid = "Records", Effect = "Allow", Action = ["s3:PutObject", "s3:DeleteObject"], Resource = ["arn:aws:s3:::acme-inbox/*.md5"] },
        { Sid = "LookForRecords", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["arn:aws:s3:::acme-inbox/*.*"] },
        { Sid = "Checkpoints", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], Resource = ["arn:aws:s3:::acme-inbox/.bucketsum/checkpoints/*"] },
        {
          Sid      = "Work"
          Effect   = "Allow"
          Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:SendMessage"]
          Resource = ["arn:aws:sqs:eu-central-1:123456789012:sums"]
        },
        {
          Sid      = "DeadLetters"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
          Resource = ["arn:aws:sqs:eu-central-1:123456789012:sums-dead-letters"]
        },
      ]
    }
    error_message = "policy of the worker: ${aws_iam_role_policy.worker.policy}"
  }
  assert {
    condition     = !strcontains(jsonencode([for s in jsondecode(aws_iam_role_policy.worker.policy).Statement : s.Action]), "*")
    error_message = "the worker's actions have a wildcard"
  }
  assert {
    condition = output.documents.worker_actions == tolist([
      "s3:DeleteObject", "s3:GetObject", "s3:GetObjectAttributes", "s3:GetObjectVersion", "s3:GetObjectVersionAttributes", "s3:ListBucket", "s3:PutObject",
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
    ])
    error_message = "actions: ${jsonencode(output.documents.worker_actions)}"
  }

  assert {
    condition = jsondecode(aws_iam_role.this["worker"].assume_role_policy) == {
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = "pods.eks.amazonaws.com" }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Condition = {
          StringEquals = {
            "aws:SourceAccount"                         = "123456789012"
            "aws:RequestTag/kubernetes-namespace"       = "bucketsum"
            "aws:RequestTag/kubernetes-service-account" = "bucketsum"
          }
          ArnEquals = { "aws:SourceArn" = "arn:aws:eks:eu-central-1:123456789012:cluster/apps" }
        }
      }]
    }
    error_message = "trust policy: ${aws_iam_role.this["worker"].assume_role_policy}"
  }
  assert {
    condition = (length(aws_eks_pod_identity_association.this) == 1 && aws_eks_pod_identity_association.this["worker"].cluster_name == "apps" &&
    aws_eks_pod_identity_association.this["worker"].namespace == "bucketsum" && aws_eks_pod_identity_association.this["worker"].service_account == "bucketsum")
    error_message = "the service account is not bound to the role"
  }

  assert {
    condition     = length(aws_s3_bucket.this) + length(aws_s3_bucket_policy.this) + length(aws_s3_bucket_versioning.this) == 0
    error_message = "an existing bucket is changed"
  }
  assert {
    condition     = aws_s3_bucket_notification.eventbridge["inbox"].eventbridge && aws_s3_bucket_notification.eventbridge["inbox"].bucket == "acme-inbox"
    error_message = "EventBridge notifications are off"
  }

  assert {
    condition = output.helm_values == {
      namespace  = "bucketsum"
      region     = "eu-central-1"
      record     = "{key}.{alg}"
      algorithms = tolist(["md5"])
      onDelete   = "remove"
      queue = {
        url    = "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/sums?region=eu-central-1"
        sqsUrl = "https://sqs.eu-central-1.amazonaws.com/123456789012/sums"
      }
      deadLetter = {
        url    = "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/sums-dead-letters?region=eu-central-1"
        sqsUrl = "https://sqs.eu-central-1.amazonaws.com/123456789012/sums-dead-letters"
      }
      buckets        = [{ name = "acme-inbox", url = "s3://acme-inbox?region=eu-central-1" }]
      serviceAccount = { name = "bucketsum", annotations = {} }
    }
    error_message = "chart values: ${jsonencode(output.helm_values)}"
  }
}

run "alarms" {
  command = plan

  variables {
    alarms = { oldest_message_age = 600, actions = ["arn:aws:sns:eu-central-1:123456789012:pager"] }
  }

  assert {
    condition = (aws_cloudwatch_metric_alarm.oldest_message.metric_name == "ApproximateAgeOfOldestMessage" &&
      aws_cloudwatch_metric_alarm.oldest_message.threshold == 600 &&
    aws_cloudwatch_metric_alarm.oldest_message.dimensions == tomap({ QueueName = "sums" }))
    error_message = "no alarm on the age of the oldest message"
  }
  assert {
    condition = { for k, a in aws_cloudwatch_metric_alarm.dead_letters : k => "${a.metric_name} of ${a.dimensions.QueueName} ${a.comparison_operator} ${a.threshold}" } == {
      dead_letters = "ApproximateNumberOfMessagesVisible of sums-dead-letters GreaterThanThreshold 0"
      undelivered  = "ApproximateNumberOfMessagesVisible of sums-undelivered GreaterThanThreshold 0"
    }
    error_message = "no alarm on the depth of a dead-letter queue"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.lost_events["inbox"].metric_name == "InvocationsFailedToBeSentToDlq"
    error_message = "no alarm on lost events"
  }
  assert {
    condition = alltrue([for a in concat([aws_cloudwatch_metric_alarm.oldest_message], values(aws_cloudwatch_metric_alarm.dead_letters), values(aws_cloudwatch_metric_alarm.lost_events)) :
    a.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:pager"])])
    error_message = "an alarm has no actions"
  }
}

run "keep_on_delete" {
  command = plan

  variables {
    on_delete = "keep"
  }

  assert {
    condition     = !contains(jsondecode(aws_cloudwatch_event_rule.objects["inbox"].event_pattern).detail-type, "Object Deleted")
    error_message = "deletions are queued"
  }
  assert {
    condition     = [for s in output.documents.worker_policy.Statement : s.Sid if contains(s.Action, "s3:DeleteObject")] == ["Checkpoints"]
    error_message = "the worker may delete records"
  }
}

run "irsa" {
  command = plan

  variables {
    pod_identity           = null
    irsa                   = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF" }
    service_account        = { namespace = "fixity", name = "worker" }
    scaler_service_account = {}
  }

  assert {
    condition = jsondecode(aws_iam_role.this["worker"].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = { StringEquals = {
        "oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF:aud" = "sts.amazonaws.com"
        "oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF:sub" = "system:serviceaccount:fixity:worker"
      } }
    }]
    error_message = "trust policy: ${aws_iam_role.this["worker"].assume_role_policy}"
  }
  assert {
    condition     = length(aws_eks_pod_identity_association.this) == 0
    error_message = "there is a Pod Identity association in addition to IRSA"
  }
  assert {
    condition = output.helm_values.serviceAccount == {
      name        = "worker"
      annotations = { "eks.amazonaws.com/role-arn" = "arn:aws:iam::123456789012:role/sums-worker-eu-central-1" }
    }
    error_message = "service account of the chart: ${jsonencode(output.helm_values.serviceAccount)}"
  }
  assert {
    condition     = aws_iam_role.this["worker"].name == "sums-worker-eu-central-1"
    error_message = "the chart's role is not the worker's"
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.scaler[0].policy).Statement == [{
      Sid = "LengthOfTheQueue", Effect = "Allow", Action = ["sqs:GetQueueAttributes"], Resource = ["arn:aws:sqs:eu-central-1:123456789012:sums"]
    }]
    error_message = "the scaler may do more than read the queue's attributes"
  }
}

run "cloudtrail" {
  command = plan

  variables {
    event_source = "cloudtrail"
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.objects["inbox"].event_pattern) == {
      source      = ["aws.s3"]
      detail-type = ["AWS API Call via CloudTrail"]
      detail = {
        eventSource = ["s3.amazonaws.com"]
        eventName   = ["PutObject", "CompleteMultipartUpload", "CopyObject", "DeleteObject"]
        errorCode   = [{ exists = false }]
        requestParameters = {
          bucketName = ["acme-inbox"]
          key = [{ "anything-but" = { wildcard = [
            "*.md5", "*.sha1", "*.sha256", "*.sha512", "*.crc32c", "*.crc64nvme", "*.blake3", "*.xxh3", ".bucketsum/*",
          ] } }]
        }
      }
    }
    error_message = "event pattern: ${aws_cloudwatch_event_rule.objects["inbox"].event_pattern}"
  }
  assert {
    condition     = length(aws_s3_bucket_notification.eventbridge) == 0
    error_message = "S3 sends its own events, too"
  }
}
