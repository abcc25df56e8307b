locals {
  record_tags = length(var.record_tags) > 0
  tag_objects = contains(var.record_to, "tags")
  sidecars    = contains(var.record_to, "sidecar")

  # Every action that the worker calls, and no other. Tests compare this list with
  # the calls of a worker that uses every option.
  worker_actions = {
    # ListBucket tells a missing key (404) from one that may not be read (403).
    buckets = ["s3:ListBucket"]
    objects = concat(
      ["s3:GetObject", "s3:GetObjectVersion"],
      # Gives the sizes of the parts behind an ETag or a checksum.
      var.native_checks == "on" ? ["s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"] : [],
      local.tag_objects ? ["s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"] : [],
    )
    records = concat(
      ["s3:PutObject"],
      local.record_tags ? ["s3:PutObjectTagging"] : [],
      var.on_delete == "remove" ? ["s3:DeleteObject"] : [],
    )
    looked_for = ["s3:GetObject"]
    former     = ["s3:DeleteObject"]
    # Progress of large objects; deleted when an object is done, independent of on_delete.
    checkpoints = concat(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], local.record_tags ? ["s3:PutObjectTagging"] : [])
    # SendMessage is for work that outlasts a lease and continues in a new message.
    work         = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:SendMessage"]
    dead_letters = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
    # Plans are read, and reports written once and read.
    reports = ["s3:GetObject", "s3:PutObject"]
    keys    = ["kms:Decrypt", "kms:GenerateDataKey"]
    # The worker writes nothing to the objects' buckets.
    read_keys = ["kms:Decrypt"]
  }

  # The key of a bucket is usable through S3 only. The encryption context names the
  # object, or its bucket if it has a bucket key, so a key shared with other buckets
  # does not open their objects.
  bucket_key_statements = concat(
    [for label in keys(var.buckets) : {
      sid     = "KeyOfBucket${replace(title(replace(label, "-", " ")), " ", "")}"
      actions = var.record_bucket == null ? local.worker_actions.keys : local.worker_actions.read_keys
      key     = local.bucket_key_arns[label]
      bucket  = local.bucket_arns[label]
    } if local.bucket_has_key[label]],
    [for r in var.record_bucket == null ? [] : [var.record_bucket] : {
      sid     = "KeyOfRecordBucket"
      actions = local.worker_actions.keys
      key     = r.kms_key_arn
      bucket  = local.record_bucket_arn
    } if r.kms_key_arn != null],
    [for r in var.reports_bucket == null ? [] : [var.reports_bucket] : {
      sid     = "KeyOfReportsBucket"
      actions = local.worker_actions.keys
      key     = lookup(local.bucket_key_arns, "reports_bucket", null)
      bucket  = "arn:${local.partition}:s3:::${r.name}"
    } if lookup(local.bucket_has_key, "reports_bucket", false)],
  )
  queue_key_statements = concat(
    [for all in [local.has_key] : { sid = "KeyOfTheQueues", key = local.key_arn } if all],
    [for q in var.results_queue == null ? [] : [var.results_queue] : { sid = "KeyOfResults", key = q.kms_key_arn } if q.kms_key_arn != null],
  )

  # ListBucket has no condition on the prefix: it also tells a report that is missing
  # from one that may not be read, and such a request names no prefix.
  report_statements = { for who in ["worker", "audit"] : who => [
    { sid = "ListReports", actions = local.worker_actions.buckets, on = [for w, name in local.reports_buckets : "arn:${local.partition}:s3:::${name}" if w == who] },
    { sid = "Reports", actions = local.worker_actions.reports, on = [for w, name in local.reports_buckets : "arn:${local.partition}:s3:::${name}/.bucketsum/passes/*" if w == who] },
  ] }

  worker_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [for s in concat([
        { sid = "Buckets", actions = local.worker_actions.buckets, on = concat(values(local.bucket_arns), var.record_bucket == null ? [] : [local.record_bucket_arn]) },
        { sid = "Objects", actions = local.worker_actions.objects, on = flatten([for label, arn in local.bucket_arns : [for key in local.object_keys[label] : "${arn}/${key}"]]) },
        { sid = "Records", actions = local.worker_actions.records, on = local.sidecars ? local.written_arns : [] },
        { sid = "LookForRecords", actions = local.worker_actions.looked_for, on = local.sidecars ? local.looked_for : [] },
        { sid = "FormerRecords", actions = local.worker_actions.former, on = local.sidecars ? local.former_arns : [] },
        {
          sid = "Checkpoints", actions = local.worker_actions.checkpoints
          on  = [for arn in var.record_bucket == null ? values(local.bucket_arns) : [local.record_bucket_arn] : "${arn}/.bucketsum/checkpoints/*"]
        },
        { sid = "Work", actions = local.worker_actions.work, on = [local.queue_arns.work] },
        { sid = "DeadLetters", actions = local.worker_actions.dead_letters, on = [local.queue_arns.dead_letters] },
        { sid = "Results", actions = local.worker_actions.dead_letters, on = var.results_queue == null ? [] : [var.results_queue.arn] },
        ], local.report_statements.worker) : {
        Sid      = s.sid
        Effect   = "Allow"
        Action   = s.actions
        Resource = s.on
      } if length(s.on) > 0],
      [for s in local.queue_key_statements : {
        Sid       = s.sid
        Effect    = "Allow"
        Action    = local.worker_actions.keys
        Resource  = [s.key]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${local.dns_suffix}" } }
      }],
      [for s in local.bucket_key_statements : {
        Sid      = s.sid
        Effect   = "Allow"
        Action   = s.actions
        Resource = [s.key]
        Condition = {
          StringEquals = { "kms:ViaService" = "s3.${local.region}.${local.dns_suffix}" }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [s.bucket, "${s.bucket}/*"] }
        }
      }],
    )
  }

  # What audits do: bucketsum verify with --older-than or --budget, --reports, and
  # --results if asked for. They write no object and no checkpoint, and delete nothing.
  audit_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [for s in concat([
        { sid = "Buckets", actions = local.worker_actions.buckets, on = concat(values(local.bucket_arns), var.record_bucket == null ? [] : [local.record_bucket_arn]) },
        { sid = "Versions", actions = ["s3:ListBucketVersions"], on = try(var.audit.versions, false) ? values(local.bucket_arns) : [] },
        {
          sid = "Objects"
          # Tags are changed by workers only.
          actions = [for a in local.worker_actions.objects : a if !startswith(a, "s3:Put")]
          on      = flatten([for label, arn in local.bucket_arns : [for key in local.object_keys[label] : "${arn}/${key}"]])
        },
        { sid = "LookForRecords", actions = local.worker_actions.looked_for, on = local.sidecars ? local.looked_for : [] },
        # The time of a successful check is kept in the record.
        { sid = "Records", actions = [for a in local.worker_actions.records : a if a != "s3:DeleteObject"], on = local.sidecars ? local.written_arns : [] },
        { sid = "Results", actions = local.worker_actions.dead_letters, on = try(var.audit.results, false) ? [var.results_queue.arn] : [] },
        ], local.report_statements.audit) : {
        Sid      = s.sid
        Effect   = "Allow"
        Action   = s.actions
        Resource = s.on
      } if length(s.on) > 0],
      [for s in local.queue_key_statements : {
        Sid       = s.sid
        Effect    = "Allow"
        Action    = local.worker_actions.keys
        Resource  = [s.key]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${local.dns_suffix}" } }
      } if s.sid == "KeyOfResults" && try(var.audit.results, false)],
      [for s in local.bucket_key_statements : {
        Sid      = s.sid
        Effect   = "Allow"
        Action   = s.actions
        Resource = [s.key]
        Condition = {
          StringEquals = { "kms:ViaService" = "s3.${local.region}.${local.dns_suffix}" }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [s.bucket, "${s.bucket}/*"] }
        }
      } if s.sid != "KeyOfReportsBucket" || try(var.audit.reports_bucket == var.reports_bucket.name, false)],
    )
  }

  scaler_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid      = "LengthOfTheQueue"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueAttributes"]
      Resource = [local.queue_arns.work]
    }]
  }

  service_accounts = merge(
    { worker = var.service_account },
    var.scaler_service_account == null ? {} : { scaler = var.scaler_service_account },
    var.audit == null ? {} : { audit = { namespace = var.service_account.namespace, name = var.audit.service_account } },
  )
  oidc_issuer = var.irsa == null ? "" : split(":oidc-provider/", var.irsa.oidc_provider_arn)[1]
  trust_policies = { for who, sa in local.service_accounts : who => var.irsa == null ? jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:SourceAccount"                         = local.account_id
          "aws:RequestTag/kubernetes-namespace"       = sa.namespace
          "aws:RequestTag/kubernetes-service-account" = sa.name
        }
        ArnEquals = {
          "aws:SourceArn" = "arn:${local.partition}:eks:${local.region}:${local.account_id}:cluster/${var.pod_identity.cluster_name}"
        }
      }
    }]
    }) : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = var.irsa.oidc_provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.oidc_issuer}:aud" = "sts.amazonaws.com"
          "${local.oidc_issuer}:sub" = "system:serviceaccount:${sa.namespace}:${sa.name}"
        }
      }
    }]
  }) }
  role_names = { for who in keys(local.service_accounts) : who => "${var.name}-${who}-${local.region}" }
  role_arns  = { for who, name in local.role_names : who => "arn:${local.partition}:iam::${local.account_id}:role/${name}" }
}

resource "aws_iam_role" "this" {
  for_each = local.service_accounts

  name                 = local.role_names[each.key]
  description          = "${each.key} of ${var.name}: service account ${each.value.name} in namespace ${each.value.namespace}"
  assume_role_policy   = local.trust_policies[each.key]
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.this["worker"].name
  policy = jsonencode(local.worker_policy)
}

resource "aws_iam_role_policy" "scaler" {
  count = var.scaler_service_account == null ? 0 : 1

  name   = "scaler"
  role   = aws_iam_role.this["scaler"].name
  policy = jsonencode(local.scaler_policy)
}

resource "aws_iam_role_policy" "audit" {
  count = var.audit == null ? 0 : 1

  name   = "audit"
  role   = aws_iam_role.this["audit"].name
  policy = jsonencode(local.audit_policy)
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = var.pod_identity == null ? {} : local.service_accounts

  cluster_name    = var.pod_identity.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.name
  role_arn        = aws_iam_role.this[each.key].arn
  tags            = var.tags
}
