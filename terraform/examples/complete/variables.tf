variable "region" {
  description = "Region of all resources."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, such as eu-central-1."
  }
}

variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "bucketsum"
}

variable "bucket" {
  description = "Bucket to make, whose objects get records. Its name must be unique in all of AWS."
  type        = string
}

variable "reports_bucket" {
  description = "Bucket to make for what audits and other passes find. Null: the name of the bucket with -reports."
  type        = string
  default     = null
}

variable "state_bucket" {
  description = "Bucket to make for Terraform's state. Null: none is made."
  type        = string
  default     = null
}

variable "admin_role_arns" {
  description = "IAM roles that administer the cluster."
  type        = set(string)

  validation {
    condition     = length(var.admin_role_arns) > 0
    error_message = "admin_role_arns needs a role; otherwise no one can enter the cluster."
  }
}

variable "public_access_cidrs" {
  description = "Networks that may reach the cluster's API server from outside of its VPC. Empty: none."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "compute" {
  description = "How the nodes are run: auto or managed."
  type        = string
  default     = "managed"
}

variable "identity" {
  description = "How workers get their role: pod-identity or irsa."
  type        = string
  default     = "pod-identity"

  validation {
    condition     = contains(["pod-identity", "irsa"], var.identity)
    error_message = "identity must be pod-identity or irsa."
  }
}

variable "keda" {
  description = "Give KEDA's operator (keda-operator in namespace keda) a role that reads the queue's length."
  type        = bool
  default     = true
  nullable    = false
}

variable "image_tag" {
  description = "Tag of the image in the registry made here."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a fixed tag, not latest."
  }
}

variable "alarm_actions" {
  description = "ARNs of SNS topics for alarms."
  type        = set(string)
  default     = []
  nullable    = false
}
