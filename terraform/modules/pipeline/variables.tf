variable "name" {
  description = "Prefix of the names of queues, rules, role, key and alarms. Must be unique per account and region."
  type        = string
  default     = "bucketsum"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 32 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "buckets" {
  description = <<-EOT
    The buckets whose objects get records, by a short label that appears in the names of their rules.

    - name: the bucket's name.
    - create: make the bucket (versioned, encrypted, private, TLS only); otherwise it exists in the provider's region.
    - enable_eventbridge: turn the bucket's EventBridge notifications on. Required for an existing bucket, because it
      REPLACES the whole notification configuration of the bucket. If the bucket has other notifications, say false and
      turn on EventBridge where you configure them.
    - prefixes, suffixes: only objects whose keys start and end with one of these. Both empty: all objects.
    - kms_key_arn: the key that encrypts the objects, if it is not S3's own. Default for a bucket made here: the
      pipeline's key, if it has one.
  EOT
  type = map(object({
    name               = string
    create             = optional(bool, false)
    enable_eventbridge = optional(bool)
    prefixes           = optional(set(string), [])
    suffixes           = optional(set(string), [])
    kms_key_arn        = optional(string)
  }))
  nullable = false

  validation {
    condition     = length(var.buckets) > 0
    error_message = "buckets needs at least one bucket."
  }
  validation {
    condition     = alltrue([for label in keys(var.buckets) : can(regex("^[a-z0-9][a-z0-9-]{0,23}$", label))])
    error_message = "The labels of buckets must have 1 to 24 lower-case letters, digits and hyphens."
  }
  validation {
    condition     = alltrue([for b in values(var.buckets) : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", b.name))])
    error_message = "The name of a bucket must have 3 to 63 lower-case letters, digits, dots and hyphens."
  }
  validation {
    condition     = length(distinct([for b in values(var.buckets) : b.name])) == length(var.buckets)
    error_message = "Two labels of buckets name the same bucket."
  }
  validation {
    condition     = !contains([for b in values(var.buckets) : b.name], try(var.record_bucket.name, ""))
    error_message = "record_bucket must not be one of buckets: the records would be objects there."
  }
  validation {
    condition     = alltrue([for b in values(var.buckets) : b.create || b.enable_eventbridge != null])
    error_message = "Say enable_eventbridge = true or false for each existing bucket: true replaces all notifications of the bucket."
  }
  validation {
    # * ? $ and \ have a meaning in IAM policies and event patterns, and quotes and
    # angle brackets are escaped there.
    condition = alltrue(flatten([for b in values(var.buckets) : [
      for affix in setunion(b.prefixes, b.suffixes) : can(regex("^[^*?$\\\\\"<>&[:cntrl:]]+$", affix))
    ]]))
    error_message = "prefixes and suffixes must not be empty nor contain * ? $ \\ \" < > & or control characters."
  }
  validation {
    condition     = alltrue([for b in values(var.buckets) : b.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", b.kms_key_arn))])
    error_message = "kms_key_arn must be the ARN of a key (not of an alias: policies do not follow aliases)."
  }
  validation {
    # A pattern has one list for the key, and its elements are alternatives. It can
    # include keys or exclude records, not both. So the included keys must contain
    # no records.
    condition = var.record_bucket != null || !contains(var.record_to, "sidecar") || alltrue([for b in values(var.buckets) :
      length(b.suffixes) > 0 ?
      endswith(var.record_layout, ".{alg}") && !anytrue([for s in b.suffixes : can(regex("(md5|sha1|sha256|sha512|crc32c|crc64nvme|blake3|xxh3)$", s))]) :
      alltrue([for p in b.prefixes :
        !startswith(split("{", var.record_layout)[0], p) && split("{", var.record_layout)[0] != "" && !startswith(p, split("{", var.record_layout)[0])
      ])
    ])
    error_message = "EventBridge cannot both include keys by prefix or suffix and exclude the records among them. Use suffixes that no record has (and a record_layout that ends with .{alg}), or put the records outside of the prefixes, record_layout = \"checksums/{key}.{alg}\", or into a record_bucket."
  }
}

variable "record_layout" {
  description = "Where the record of an object is, like the worker's --record: {key}, or {dir}/ followed by {base}, and {alg}."
  type        = string
  default     = "{key}.{alg}"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._=/-]*(\\{key\\}|\\{dir\\}/[A-Za-z0-9._=/-]*\\{base\\})[A-Za-z0-9._=/-]*\\{alg\\}[A-Za-z0-9._=-]*$", var.record_layout))
    error_message = "record_layout needs {key}, or {dir}/ followed by {base}, then {alg}, with letters, digits and . _ = / - around them: \"{key}.{alg}\", \"checksums/{key}.{alg}\" or \"{dir}/.sums/{base}.{alg}\"."
  }
  validation {
    condition     = !startswith(var.record_layout, "/") && !strcontains(var.record_layout, "//") && !anytrue([for e in split("/", var.record_layout) : contains([".", "..", ".bucketsum"], e)])
    error_message = "record_layout must be a clean relative path, outside of .bucketsum."
  }
  validation {
    # Text between two variables keeps patterns from containing two * in a row, which
    # EventBridge refuses.
    condition     = !strcontains(var.record_layout, "}{")
    error_message = "record_layout needs text between two variables."
  }
}

variable "algorithms" {
  description = "The algorithms that the worker computes, like its --algorithms. It may write records of these only. See former_algorithms before you remove one."
  type        = set(string)
  default     = ["md5"]
  nullable    = false

  validation {
    condition     = length(var.algorithms) > 0 && length(setsubtract(var.algorithms, ["md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme", "blake3", "xxh3"])) == 0
    error_message = "algorithms must be some of md5, sha1, sha256, sha512, crc32c, crc64nvme, blake3, xxh3."
  }
}

variable "former_algorithms" {
  description = "Algorithms that were removed from algorithms. The worker may remove their records when the object changes or is deleted. Without an entry here, work on these objects fails."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.former_algorithms, ["md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme", "blake3", "xxh3"])) == 0 && length(setintersection(var.former_algorithms, var.algorithms)) == 0
    error_message = "former_algorithms must be some of md5, sha1, sha256, sha512, crc32c, crc64nvme, blake3, xxh3 that are not in algorithms."
  }
}

variable "record_to" {
  description = "How records are kept, like the worker's --record-to: sidecar, tags (of the objects), or both."
  type        = set(string)
  default     = ["sidecar"]
  nullable    = false

  validation {
    condition     = length(var.record_to) > 0 && length(setsubtract(var.record_to, ["sidecar", "tags"])) == 0
    error_message = "record_to must be sidecar, tags or both."
  }
}

variable "record_bucket" {
  description = <<-EOT
    Existing bucket for the records and checkpoints, like the worker's --record-bucket. The worker then writes nothing to
    the buckets of the objects.

    - name: the bucket's name.
    - kms_key_arn: the key that encrypts it, if it is not S3's own.
  EOT
  type = object({
    name        = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.record_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.record_bucket.name))
    error_message = "record_bucket.name must have 3 to 63 lower-case letters, digits, dots and hyphens."
  }
  validation {
    condition     = var.record_bucket == null || contains(var.record_to, "sidecar")
    error_message = "record_bucket needs sidecar records: record_to must contain sidecar."
  }
  validation {
    condition     = try(var.record_bucket.kms_key_arn, null) == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.record_bucket.kms_key_arn))
    error_message = "record_bucket.kms_key_arn must be the ARN of a key (not of an alias: policies do not follow aliases)."
  }
}

variable "record_tags" {
  description = "Tags of records and checkpoints on S3, like the worker's --record-tag."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    # In the worker's environment, spaces separate the tags.
    condition     = length(var.record_tags) <= 10 && alltrue([for k, v in var.record_tags : can(regex("^[A-Za-z0-9+._:/@-]+$", k)) && can(regex("^[A-Za-z0-9+._:/@=-]*$", v))])
    error_message = "record_tags must be at most 10, with letters, digits and + - . _ : / @."
  }
}

variable "native_checks" {
  description = "Compare objects with S3's claims, like the worker's --native-checks: on or off. With off, the worker may not read object attributes."
  type        = string
  default     = "on"
  nullable    = false

  validation {
    condition     = contains(["on", "off"], var.native_checks)
    error_message = "native_checks must be on or off."
  }
}

variable "results_queue" {
  description = <<-EOT
    Existing SQS queue for results, like the worker's --results.

    - arn: the queue's ARN. If it belongs to another account, its policy must let the worker's role send.
    - kms_key_arn: the key that encrypts it, if it is not SQS's own.
  EOT
  type = object({
    arn         = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.results_queue == null || can(regex("^arn:[^:]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,75}(\\.fifo)?$", var.results_queue.arn))
    error_message = "results_queue.arn must be the ARN of an SQS queue."
  }
  validation {
    condition     = try(var.results_queue.kms_key_arn, null) == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.results_queue.kms_key_arn))
    error_message = "results_queue.kms_key_arn must be the ARN of a key (not of an alias: policies do not follow aliases)."
  }
}

variable "reports_bucket" {
  description = <<-EOT
    Bucket for the plans and reports of passes, like the worker's --reports: workers then take part in a backfill
    or a verification, and the chart's pass has their role. Null: they do not.

    - name: the bucket's name. It should be none of buckets.
    - create: make the bucket (versioned, encrypted, private, TLS only); otherwise it exists.
    - kms_key_arn: the key that encrypts it, if it is not S3's own. Default for a bucket made here: the pipeline's key, if
      it has one.
  EOT
  type = object({
    name        = string
    create      = optional(bool, false)
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.reports_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.reports_bucket.name))
    error_message = "reports_bucket.name must have 3 to 63 lower-case letters, digits, dots and hyphens."
  }
  validation {
    condition     = !try(var.reports_bucket.create, false) || !contains([for b in values(var.buckets) : b.name], try(var.reports_bucket.name, ""))
    error_message = "reports_bucket is one of buckets, which exists or is made there: leave out reports_bucket.create."
  }
  validation {
    condition     = try(var.reports_bucket.kms_key_arn, null) == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.reports_bucket.kms_key_arn))
    error_message = "reports_bucket.kms_key_arn must be the ARN of a key (not of an alias: policies do not follow aliases)."
  }
}

variable "on_delete" {
  description = "What happens to the record of a deleted object, like the worker's --on-delete: remove or keep. With keep, no deletions are queued and the worker may delete only checkpoints and records of former_algorithms."
  type        = string
  default     = "remove"
  nullable    = false

  validation {
    condition     = contains(["remove", "keep"], var.on_delete)
    error_message = "on_delete must be remove or keep."
  }
}

variable "event_source" {
  description = "Source of the events: s3 (S3's own events) or cloudtrail (API calls that a trail of yours records; it must log the buckets' write data events). CloudTrail reports neither completed restores nor the keys that DeleteObjects deletes."
  type        = string
  default     = "s3"
  nullable    = false

  validation {
    condition     = contains(["s3", "cloudtrail"], var.event_source)
    error_message = "event_source must be s3 or cloudtrail."
  }
}

variable "queue" {
  description = <<-EOT
    Settings of the queues.

    - visibility_timeout: seconds until another worker gets the message of a worker that died. Workers extend it while
      they work, so it need not cover the longest work.
    - max_receives: deliveries of a message until it is a dead letter. A message that fails goes back for 2 s at first, then
      for twice as long each time, up to 5 min: 100 deliveries outlast an outage of about 8 h, 20 one of an hour, 10
      one of 13 min. A message that kills its workers also comes back that often, each time after visibility_timeout.
    - retention: seconds that the queue keeps a message.
    - dead_letter_retention: seconds that a dead-letter queue keeps a message, from when it was first sent.
  EOT
  type = object({
    visibility_timeout    = optional(number, 180)
    max_receives          = optional(number, 100)
    retention             = optional(number, 604800)
    dead_letter_retention = optional(number, 1209600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.queue.visibility_timeout >= 30 && var.queue.visibility_timeout <= 43200
    error_message = "queue.visibility_timeout must be from 30 s to 12 h (43200)."
  }
  validation {
    condition     = var.queue.max_receives >= 3 && var.queue.max_receives <= 1000
    error_message = "queue.max_receives must be from 3 to 1000: deployments and spot interruptions use up receives too."
  }
  validation {
    condition     = var.queue.retention >= 3600 && var.queue.retention <= 1209600 && var.queue.dead_letter_retention <= 1209600
    error_message = "queue.retention must be from 1 h (3600) to 14 days (1209600), dead_letter_retention at most 14 days."
  }
  validation {
    # A dead letter keeps the time when it was first sent.
    condition     = var.queue.dead_letter_retention > var.queue.retention
    error_message = "queue.dead_letter_retention must be more than queue.retention: a dead letter's age counts from when it was first sent."
  }
}

variable "create_kms_key" {
  description = "Make a KMS key for the queues and for the buckets that are made here. Without a key, queues use SSE-SQS and buckets SSE-S3."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of your own KMS key, in place of create_kms_key. Its policy must let events.amazonaws.com call kms:Decrypt and kms:GenerateDataKey, otherwise events never arrive."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias: policies do not follow aliases)."
  }
  validation {
    condition     = var.kms_key_arn == null || !var.create_kms_key
    error_message = "Give kms_key_arn or create_kms_key, not both."
  }
}

variable "service_account" {
  description = "The Kubernetes service account that workers run as."
  type = object({
    namespace = optional(string, "bucketsum")
    name      = optional(string, "bucketsum")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for n in values(var.service_account) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", n))])
    error_message = "service_account.namespace and name must be Kubernetes names: at most 63 lower-case letters, digits and hyphens."
  }
}

variable "pod_identity" {
  description = "Workers get their role through EKS Pod Identity in this cluster. Set this or irsa."
  type = object({
    cluster_name = string
  })
  default = null

  validation {
    condition     = var.pod_identity == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", var.pod_identity.cluster_name))
    error_message = "pod_identity.cluster_name must be the name of an EKS cluster."
  }
  validation {
    condition     = (var.pod_identity == null) != (var.irsa == null)
    error_message = "Give either pod_identity or irsa."
  }
}

variable "irsa" {
  description = "Workers get their role through the cluster's OIDC provider (IAM roles for service accounts). Set this or pod_identity."
  type = object({
    oidc_provider_arn = string
  })
  default = null

  validation {
    condition     = var.irsa == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/.+$", var.irsa.oidc_provider_arn))
    error_message = "irsa.oidc_provider_arn must be the ARN of an IAM OIDC provider."
  }
}

variable "scaler_service_account" {
  description = "The service account of the scaler (KEDA's operator: namespace keda, name keda-operator). It gets its own role, which may read the queue's attributes. Null: no such role."
  type = object({
    namespace = optional(string, "keda")
    name      = optional(string, "keda-operator")
  })
  default = null

  validation {
    condition     = var.scaler_service_account == null || try(alltrue([for n in values(var.scaler_service_account) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", n))]), false)
    error_message = "scaler_service_account.namespace and name must be Kubernetes names: at most 63 lower-case letters, digits and hyphens."
  }
}

variable "audit" {
  description = <<-EOT
    Audits get a role of their own, which reads objects, and writes only records and reports. Null: no such role.

    - reports_bucket: bucket for what audits find. It should be none of buckets. It may be that of workers, with its key; any other must
      exist, and its objects must be encrypted with S3's own key.
    - results: audits also send what they find to results_queue.
    - versions: audits read every version of each object, not only the current ones.
    - service_account: the service account of audits, in the namespace of service_account; the chart's audit.serviceAccount.name.
  EOT
  type = object({
    reports_bucket  = string
    results         = optional(bool, false)
    versions        = optional(bool, false)
    service_account = optional(string, "bucketsum-audit")
  })
  default = null

  validation {
    condition     = var.audit == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.audit.reports_bucket))
    error_message = "audit.reports_bucket must have 3 to 63 lower-case letters, digits, dots and hyphens."
  }
  validation {
    condition     = var.audit == null || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.audit.service_account))
    error_message = "audit.service_account must be a Kubernetes name: at most 63 lower-case letters, digits and hyphens."
  }
  validation {
    condition     = var.audit == null || try(var.audit.service_account != var.service_account.name, true)
    error_message = "audit.service_account must not be the service account of workers: audits may do less."
  }
  validation {
    condition     = !try(var.audit.results, false) || var.results_queue != null
    error_message = "audit.results needs results_queue."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the roles, if your account requires one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::[^:]*:policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}

variable "alarms" {
  description = <<-EOT
    When to raise alarms, and where to send them.

    - oldest_message_age: allowed age of the oldest message, in seconds. Messages in work count: set it above the time for
      your largest objects, about half an hour for each TiB.
    - actions: ARNs, usually of SNS topics, for the start and the end of an alarm.
  EOT
  type = object({
    oldest_message_age = optional(number, 900)
    actions            = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.alarms.oldest_message_age >= 60
    error_message = "alarms.oldest_message_age must be at least 60 s."
  }
  validation {
    condition     = alltrue([for a in var.alarms.actions : startswith(a, "arn:")])
    error_message = "alarms.actions must be ARNs."
  }
}

variable "tags" {
  description = "Tags of all resources that can have tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
