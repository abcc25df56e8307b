locals {
  # Every action that the worker calls, and no other.
  worker_actions = {
    # ListBucket tells a missing key (404) from one that may not be read (403).
    buckets = ["s3:ListBucket"]
    objects = ["s3:GetObject", "s3:GetObjectVersion"]
    records = concat(["s3:GetObject", "s3:PutObject"], var.on_delete == "remove" ? ["s3:DeleteObject"] : [])
    # How far large objects are; deleted when they are done, whatever on_delete says.
    checkpoints = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    # SendMessage is for work that outlasts a lease and goes on in a new message.
    work         = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:SendMessage"]
    dead_letters = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
    keys         = ["kms:Decrypt", "kms:GenerateDataKey"]
  }

  worker_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Buckets"
          Effect   = "Allow"
          Action   = local.worker_actions.buckets
          Resource = values(local.bucket_arns)
        },
        {
          Sid      = "Objects"
          Effect   = "Allow"
          Action   = local.worker_actions.objects
          Resource = flatten([for label, arn in local.bucket_arns : [for key in local.object_keys[label] : "${arn}/${key}"]])
        },
        {
          Sid      = "Records"
          Effect   = "Allow"
          Action   = local.worker_actions.records
          Resource = flatten([for label, arn in local.bucket_arns : [for key in local.record_keys[label] : "${arn}/${key}"]])
        },
        {
          Sid      = "Checkpoints"
          Effect   = "Allow"
          Action   = local.worker_actions.checkpoints
          Resource = [for arn in values(local.bucket_arns) : "${arn}/.bucketsum/checkpoints/*"]
        },
        {
          Sid      = "Work"
          Effect   = "Allow"
          Action   = local.worker_actions.work
          Resource = [local.queue_arns.work]
        },
        {
          Sid      = "DeadLetters"
          Effect   = "Allow"
          Action   = local.worker_actions.dead_letters
          Resource = [local.queue_arns.dead_letters]
        },
      ],
      local.has_key ? [{
        Sid       = "KeyOfTheQueues"
        Effect    = "Allow"
        Action    = local.worker_actions.keys
        Resource  = [local.key_arn]
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.${local.dns_suffix}" } }
      }] : [],
      # The encryption context names the object, or its bucket where it has a
      # bucket key: a key that other buckets share opens nothing of theirs.
      [for label, has in local.bucket_has_key : {
        Sid      = "KeyOfBucket${replace(title(replace(label, "-", " ")), " ", "")}"
        Effect   = "Allow"
        Action   = local.worker_actions.keys
        Resource = [local.bucket_key_arns[label]]
        Condition = {
          StringEquals = { "kms:ViaService" = "s3.${local.region}.${local.dns_suffix}" }
          StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [local.bucket_arns[label], "${local.bucket_arns[label]}/*"] }
        }
      } if has],
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

resource "aws_eks_pod_identity_association" "this" {
  for_each = var.pod_identity == null ? {} : local.service_accounts

  cluster_name    = var.pod_identity.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.name
  role_arn        = aws_iam_role.this[each.key].arn
  tags            = var.tags
}
