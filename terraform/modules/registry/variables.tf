variable "name" {
  description = "Name of the repository."
  type        = string
  default     = "bucketsum"

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 256
    error_message = "name must be that of an ECR repository: lower-case letters and digits, with single . _ / - between them."
  }
}

variable "kept_releases" {
  description = "Number of tagged images to keep. A rollback needs the older image."
  type        = number
  default     = 50

  validation {
    condition     = var.kept_releases >= 2 && var.kept_releases <= 1000
    error_message = "kept_releases must be from 2 to 1000."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts images. Null: ECR's own key (AES-256). Cannot be changed later."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key."
  }
}

variable "puller_arns" {
  description = "Other accounts, or their roles, that may pull. This account needs no entry."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for a in var.puller_arns : can(regex("^arn:[^:]+:iam::[0-9]{12}:(root|role/.+)$", a))])
    error_message = "puller_arns must be ARNs of accounts (…:root) or roles."
  }
}

variable "tags" {
  description = "Tags of all resources that can have tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
