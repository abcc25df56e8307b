variable "region" {
  description = "Region of the bucket and the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-central-1."
  }
}

variable "cluster_name" {
  description = "EKS cluster for the workers. It needs the add-on eks-pod-identity-agent, or Auto Mode."
  type        = string
}

variable "bucket" {
  description = "Existing bucket whose objects get records."
  type        = string
}

variable "enable_eventbridge" {
  description = "Turn the bucket's EventBridge notifications on. This REPLACES all notifications of the bucket. If it has notifications, say false and turn on EventBridge where you configure them."
  type        = bool
}

variable "bucket_kms_key_arn" {
  description = "ARN of the KMS key that encrypts the bucket's objects, if it is not S3's own."
  type        = string
  default     = null
}

variable "reports_bucket" {
  description = "Bucket for what audits and other passes find; create = true makes it. Audits then have a role, and workers take part in passes. Null: neither."
  type = object({
    name        = string
    create      = optional(bool, false)
    kms_key_arn = optional(string)
  })
  default = null
}

variable "keda" {
  description = "Give KEDA's operator (keda-operator in namespace keda) a role that reads the queue's length. Say false if it already has a role through EKS Pod Identity, which allows one role per service account, and allow that role sqs:GetQueueAttributes."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of SNS topics for alarms."
  type        = set(string)
  default     = []
  nullable    = false
}
