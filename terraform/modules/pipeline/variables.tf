variable "name" {
  description = "What the queues, rules, role, key and alarms are named after. One name per account and region."
  type        = string
  default     = "bucketsum"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 32 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "buckets" {
  description = <<-EOT
    The buckets whose objects are summed, by a short label that rules are named after.

    - name: the bucket's name.
    - create: make the bucket (versioned, encrypted, private, TLS only); otherwise it exists in the provider's region.
    - enable_eventbridge: turn the bucket's EventBridge notifications on. Needed for an existing bucket, as it REPLACES
      the whole notification configuration of the bucket: say false where other notifications are configured, and
      turn EventBridge on where these are.
    - prefixes, suffixes: only objects whose keys start and end with one of these. Both empty: all.
    - kms_key_arn: the key that the objects are encrypted with, if it is not S3's own. Default for a bucket that is
      made: the pipeline's key, if it has one.
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
    error_message = "record_bucket must not be one of buckets, whose objects the records would be."
  }
  validation {
    condition     = alltrue([for b in values(var.buckets) : b.create || b.enable_eventbridge != null])
    error_message = "Say enable_eventbridge = true or false for each existing bucket: true replaces all notifications that the bucket has."
  }
  validation {
    # * ? $ and \ mean something in IAM policies and event patterns, and quotes
    # and angle brackets are written as escapes there.
    condition = alltrue(flatten([for b in values(var.buckets) : [
      for affix in setunion(b.prefixes, b.suffixes) : can(regex("^[^*?$\\\\\"<>&[:cntrl:]]+$", affix))
    ]]))
    error_message = "prefixes and suffixes must not be empty nor contain * ? $ \\ \" < > & or control characters."
  }
  validation {
    condition     = alltrue([for b in values(var.buckets) : b.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", b.kms_key_arn))])
    error_message = "kms_key_arn must be the ARN of a key (not of an alias, which policies do not follow)."
  }
  validation {
    # A pattern has one list for the key, and its elements are alternatives: it
    # can include keys or exclude records, not both. What is included must
    # therefore be free of records already.
    condition = var.record_bucket != null || !contains(var.record_to, "sidecar") || alltrue([for b in values(var.buckets) :
      length(b.suffixes) > 0 ?
      endswith(var.record_layout, ".{alg}") && !anytrue([for s in b.suffixes : can(regex("(md5|sha1|sha256|sha512|crc32c|crc64nvme|blake3|xxh3)$", s))]) :
      alltrue([for p in b.prefixes :
        !startswith(split("{", var.record_layout)[0], p) && split("{", var.record_layout)[0] != "" && !startswith(p, split("{", var.record_layout)[0])
      ])
    ])
    error_message = "EventBridge cannot include keys by prefix or suffix and exclude the records among them. Give suffixes that no record has (and a record_layout that ends with .{alg}), or put the records outside the prefixes, record_layout = \"checksums/{key}.{alg}\", or into a record_bucket."
  }
}

variable "record_layout" {
  description = "Where the record of an object is, as the worker's --record: {key}, or {dir}/ followed by {base}, and {alg}."
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
    # What stands between two variables keeps a pattern from having two * in a
    # row, which EventBridge refuses.
    condition     = !strcontains(var.record_layout, "}{")
    error_message = "record_layout needs something between two variables."
  }
}

variable "algorithms" {
  description = "The checksums that the worker computes, as its --algorithms. It may write records of these only; see former_algorithms before you take one out."
  type        = set(string)
  default     = ["md5"]
  nullable    = false

  validation {
    condition     = length(var.algorithms) > 0 && length(setsubtract(var.algorithms, ["md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme", "blake3", "xxh3"])) == 0
    error_message = "algorithms must be some of md5, sha1, sha256, sha512, crc32c, crc64nvme, blake3, xxh3."
  }
}

variable "former_algorithms" {
  description = "Checksums that were computed once and are no more: the worker removes their records when the object changes or goes. Say so when you take one out of algorithms, or these objects fail."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.former_algorithms, ["md5", "sha1", "sha256", "sha512", "crc32c", "crc64nvme", "blake3", "xxh3"])) == 0 && length(setintersection(var.former_algorithms, var.algorithms)) == 0
    error_message = "former_algorithms must be some of md5, sha1, sha256, sha512, crc32c, crc64nvme, blake3, xxh3 that are not in algorithms."
  }
}

variable "record_to" {
  description = "How records are kept, as the worker's --record-to: sidecar, tags (of the objects), or both."
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
    Existing bucket that takes the records and checkpoints, as the worker's --record-bucket. Then nothing is written to
    the buckets of the objects.

    - name: the bucket's name.
    - kms_key_arn: the key that it encrypts with, if it is not S3's own.
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
    error_message = "record_bucket needs records to keep: record_to must have sidecar."
  }
  validation {
    condition     = try(var.record_bucket.kms_key_arn, null) == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.record_bucket.kms_key_arn))
    error_message = "record_bucket.kms_key_arn must be the ARN of a key (not of an alias, which policies do not follow)."
  }
}

variable "record_tags" {
  description = "Tags of records and checkpoints on S3, as the worker's --record-tag."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    # The worker's environment has them separated by spaces.
    condition     = length(var.record_tags) <= 10 && alltrue([for k, v in var.record_tags : can(regex("^[A-Za-z0-9+._:/@-]+$", k)) && can(regex("^[A-Za-z0-9+._:/@=-]*$", v))])
    error_message = "record_tags must be at most 10, with letters, digits and + - . _ : / @."
  }
}

variable "native_checks" {
  description = "Compare objects with what S3 claims of them, as the worker's --native-checks: on or off. With off the worker may not read object attributes."
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
    Existing SQS queue that is told of results, as the worker's --results.

    - arn: the queue's ARN. Its policy must let the worker's role send if it is another account's.
    - kms_key_arn: the key that it is encrypted with, if it is not SQS's own.
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
    error_message = "results_queue.kms_key_arn must be the ARN of a key (not of an alias, which policies do not follow)."
  }
}

variable "on_delete" {
  description = "The record of an object that is deleted, as the worker's --on-delete: remove or keep. With keep no deletions are queued and the worker may delete only checkpoints and records of former_algorithms."
  type        = string
  default     = "remove"
  nullable    = false

  validation {
    condition     = contains(["remove", "keep"], var.on_delete)
    error_message = "on_delete must be remove or keep."
  }
}

variable "event_source" {
  description = "Who says that an object appeared: s3 (S3's own events) or cloudtrail (API calls that a trail of yours records: it must log the buckets' write data events). CloudTrail does not tell when a restore is complete, nor the keys that DeleteObjects deletes."
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
    The queues' numbers.

    - visibility_timeout: seconds until a message of a worker that died is handed to another. Workers extend it while
      they work, so it need not be as long as the longest work.
    - max_receives: deliveries of a message until it is a dead letter. Workers give back what fails now for 2 s at first,
      then for twice as long each time, up to 5 min: 100 deliveries outlast an outage of about 8 h, 20 one of an hour, 10
      one of 13 min. A message that kills its workers comes back as often, each time after visibility_timeout.
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
    error_message = "queue.max_receives must be from 3 to 1000: deployments and spot interruptions take receives too."
  }
  validation {
    condition     = var.queue.retention >= 3600 && var.queue.retention <= 1209600 && var.queue.dead_letter_retention <= 1209600
    error_message = "queue.retention must be from 1 h (3600) to 14 days (1209600), dead_letter_retention at most 14 days."
  }
  validation {
    # A dead letter keeps the time at which it was first sent.
    condition     = var.queue.dead_letter_retention > var.queue.retention
    error_message = "queue.dead_letter_retention must be more than queue.retention: a dead letter's age counts from when it was first sent."
  }
}

variable "create_kms_key" {
  description = "Make a KMS key for the queues and for the buckets that are made. Without a key the queues have SSE-SQS and the buckets SSE-S3."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of your own KMS key, in place of create_kms_key. Its policy must let events.amazonaws.com call kms:Decrypt and kms:GenerateDataKey, or events never arrive."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias, which policies do not follow)."
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
  description = "Workers get their role by EKS Pod Identity in this cluster. Give this or irsa."
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
  description = "Workers get their role by the cluster's OIDC provider (IAM roles for service accounts). Give this or pod_identity."
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
  description = "The service account of what scales workers by the queue's length (KEDA's operator: namespace keda, name keda-operator). It gets a role of its own that may read the queue's attributes. Null: no such role."
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

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds the roles, if your account demands one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::[^:]*:policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}

variable "alarms" {
  description = <<-EOT
    When to alarm and whom.

    - oldest_message_age: seconds that the oldest message may be old. Messages in work count: set it above the time that
      your largest objects take, about half an hour for each TiB.
    - actions: ARNs, of SNS topics mostly, for an alarm and for its end.
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
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false
}
