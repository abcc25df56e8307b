variable "name" {
  description = "Prefix of the names of the VPC and its parts."
  type        = string
  default     = "bucketsum"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 32 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "cidr" {
  description = "IPv4 range of the VPC. Half of it is for private subnets, the last sixteenth for public ones."
  type        = string
  default     = "10.64.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], false)
    error_message = "cidr must be an IPv4 network such as 10.64.0.0/16."
  }
  validation {
    condition     = try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr must be from /16 to /20: pods take addresses of the subnets."
  }
}

variable "zones" {
  description = "Number of availability zones, from 2 (EKS needs two) to 4."
  type        = number
  default     = 3

  validation {
    condition     = contains([2, 3, 4], var.zones)
    error_message = "zones must be 2, 3 or 4."
  }
}

variable "nat" {
  description = "NAT gateways: zone (one in each, survives the loss of a zone), one (cheaper), none (only VPC endpoints are reachable; images must come from ECR in this region)."
  type        = string
  default     = "zone"

  validation {
    condition     = contains(["zone", "one", "none"], var.nat)
    error_message = "nat must be zone, one or none."
  }
}

variable "interface_endpoints" {
  description = "Services to reach without NAT. S3 always has a gateway endpoint, which is free."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "eks-auth", "sqs", "sts"]
  nullable    = false

  validation {
    condition     = alltrue([for s in var.interface_endpoints : can(regex("^[a-z0-9][a-z0-9.-]*[a-z0-9]$", s)) && !startswith(s, "com.")])
    error_message = "interface_endpoints must be the SERVICE part of com.amazonaws.REGION.SERVICE: ecr.api, sqs, sts."
  }
  validation {
    condition     = !contains(var.interface_endpoints, "s3")
    error_message = "interface_endpoints must be without s3, which has a gateway endpoint."
  }
}

variable "flow_log_days" {
  description = "Retention of flow logs in days; 0: no flow logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.flow_log_days)
    error_message = "flow_log_days must be 0 or a retention that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, …"
  }
}

variable "tags" {
  description = "Tags of all resources that can have tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
