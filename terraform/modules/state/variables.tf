variable "bucket" {
  description = "Name of the bucket that Terraform keeps its state in."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must have 3 to 63 lower-case letters, digits, dots and hyphens."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that the state is encrypted with. Null: S3's own key."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key."
  }
}

variable "old_version_days" {
  description = "Days that former versions of the state are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.old_version_days >= 7
    error_message = "old_version_days must be at least 7: a state that broke is not always seen at once."
  }
}

variable "tags" {
  description = "Tags of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false
}
