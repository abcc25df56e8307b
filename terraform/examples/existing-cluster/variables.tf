variable "region" {
  description = "Region of the bucket and the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, as eu-central-1."
  }
}

variable "cluster_name" {
  description = "EKS cluster that workers run in. It needs the add-on eks-pod-identity-agent, or Auto Mode."
  type        = string
}

variable "bucket" {
  description = "Existing bucket whose objects are summed."
  type        = string
}

variable "enable_eventbridge" {
  description = "Turn the bucket's EventBridge notifications on. This REPLACES all notifications that the bucket has: say false if it has some, and turn EventBridge on beside them."
  type        = bool
}

variable "bucket_kms_key_arn" {
  description = "ARN of the KMS key that the bucket's objects are encrypted with, if it is not S3's own."
  type        = string
  default     = null
}

variable "keda" {
  description = "Give KEDA's operator (keda-operator in namespace keda) a role that reads the queue's length. Say false if it has one by EKS Pod Identity already, which takes one role for each service account, and let that do sqs:GetQueueAttributes."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_actions" {
  description = "ARNs of SNS topics that alarms go to."
  type        = set(string)
  default     = []
  nullable    = false
}
