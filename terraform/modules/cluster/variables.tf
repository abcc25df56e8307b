variable "name" {
  description = "Name of the cluster."
  type        = string
  default     = "bucketsum"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 32 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version of the control plane and of managed nodes. EKS supports a version for 14 months at the usual price, 1.36 until 2 August 2027, and then upgrades the control plane by itself: raise this before, one version at a time."
  type        = string
  default     = "1.36"

  validation {
    condition     = can(regex("^1\\.(3[2-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be 1.32 or later, such as 1.36."
  }
}

variable "subnet_ids" {
  description = "Private subnets, in at least two zones, for the control plane's interfaces and the nodes."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids needs subnets in at least two zones."
  }
}

variable "admins" {
  description = <<-EOT
    Access to the cluster, by a label of yours. No other identity has access, not even the creator of the cluster.

    - principal_arn: an IAM role or user.
    - policy: an EKS access policy: AmazonEKSClusterAdminPolicy, AmazonEKSAdminPolicy, AmazonEKSEditPolicy, AmazonEKSViewPolicy, …
    - namespaces: where the policy applies; empty: the whole cluster.
  EOT
  type = map(object({
    principal_arn = string
    policy        = optional(string, "AmazonEKSClusterAdminPolicy")
    namespaces    = optional(set(string), [])
  }))

  validation {
    condition     = anytrue([for a in values(var.admins) : a.policy == "AmazonEKSClusterAdminPolicy" && length(a.namespaces) == 0])
    error_message = "admins needs an entry with AmazonEKSClusterAdminPolicy for the whole cluster; otherwise no one can enter it."
  }
  validation {
    condition     = alltrue([for a in values(var.admins) : can(regex("^arn:[^:]+:iam::[0-9]{12}:(role|user)/.+$", a.principal_arn))])
    error_message = "The principal_arn of admins must be ARNs of IAM roles or users (not of sessions)."
  }
  validation {
    condition     = alltrue([for a in values(var.admins) : can(regex("^AmazonEKS[A-Za-z]+Policy$", a.policy))])
    error_message = "The policy of admins must be the name of an EKS access policy, such as AmazonEKSViewPolicy."
  }
  validation {
    condition     = length(distinct([for a in values(var.admins) : a.principal_arn])) == length(var.admins)
    error_message = "Two labels of admins have the same principal_arn."
  }
}

variable "public_access_cidrs" {
  description = "IPv4 networks that may reach the API server from outside of the VPC. Empty: only the private endpoint exists."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for c in var.public_access_cidrs : can(cidrnetmask(c)) && !endswith(c, "/0")])
    error_message = "public_access_cidrs must be IPv4 networks, and not the whole Internet."
  }
}

variable "compute" {
  description = "How the nodes are run: auto (EKS Auto Mode runs and patches them) or managed (the node groups of node_groups). Auto Mode ignores NetworkPolicies until the ConfigMap amazon-vpc-cni in kube-system has enable-network-policy-controller \"true\", see docs/aws.md."
  type        = string
  default     = "managed"

  validation {
    condition     = contains(["auto", "managed"], var.compute)
    error_message = "compute must be auto or managed."
  }
}

variable "node_groups" {
  description = <<-EOT
    Node groups for compute = managed.

    - capacity: ON_DEMAND or SPOT. An interrupted worker returns its messages; nothing is lost.
    - architecture: arm64 (Graviton) or amd64, matching the instance types.
    - min, max: number of nodes. Scaling between them is up to you.
    - disk: GiB of the root volume.
    - labels, taints: of the nodes; a taint is key = { value, effect }.
  EOT
  type = map(object({
    instance_types = list(string)
    capacity       = optional(string, "ON_DEMAND")
    architecture   = optional(string, "arm64")
    min            = optional(number, 1)
    max            = optional(number, 3)
    disk           = optional(number, 30)
    labels         = optional(map(string), {})
    taints         = optional(map(object({ value = optional(string), effect = string })), {})
  }))
  default = {
    system = {
      instance_types = ["m7g.large", "m6g.large"]
      min            = 2
    }
    # Hashing is bound by the CPU: use cheap cores, of any type that is available.
    workers = {
      instance_types = ["c7g.xlarge", "c7gd.xlarge", "c6g.xlarge", "m7g.xlarge", "m6g.xlarge"]
      capacity       = "SPOT"
      max            = 10
    }
  }
  nullable = false

  validation {
    condition     = var.compute == "auto" || anytrue([for g in values(var.node_groups) : g.capacity == "ON_DEMAND" && g.min > 0 && length(g.taints) == 0])
    error_message = "node_groups needs an ON_DEMAND group without taints and with at least one node: DNS and controllers must not depend on spot capacity."
  }
  validation {
    condition     = alltrue([for label in keys(var.node_groups) : can(regex("^[a-z0-9][a-z0-9-]{0,29}$", label))])
    error_message = "The labels of node_groups must have 1 to 30 lower-case letters, digits and hyphens."
  }
  validation {
    condition     = alltrue([for g in values(var.node_groups) : contains(["ON_DEMAND", "SPOT"], g.capacity)])
    error_message = "The capacity of node_groups must be ON_DEMAND or SPOT."
  }
  validation {
    condition     = alltrue([for g in values(var.node_groups) : contains(["arm64", "amd64"], g.architecture)])
    error_message = "The architecture of node_groups must be arm64 or amd64."
  }
  validation {
    # Graviton types have a g after the generation (m7g, c7gn); g5 and m7i are not Graviton.
    condition = alltrue([for g in values(var.node_groups) : length(g.instance_types) > 0 && alltrue([
      for t in g.instance_types : can(regex("^[a-z]+[0-9]+g[a-z]*\\.", t)) == (g.architecture == "arm64")
    ])])
    error_message = "The instance_types of node_groups must have the group's architecture: Graviton (such as m7g.large) for arm64, others for amd64."
  }
  validation {
    condition     = alltrue([for g in values(var.node_groups) : g.min >= 0 && g.max >= 1 && g.min <= g.max])
    error_message = "node_groups must have 0 <= min <= max and max >= 1."
  }
  validation {
    condition     = alltrue([for g in values(var.node_groups) : g.disk >= 20])
    error_message = "The disk of node_groups must have at least 20 GiB."
  }
  validation {
    condition     = alltrue(flatten([for g in values(var.node_groups) : [for t in values(g.taints) : contains(["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"], t.effect)]]))
    error_message = "The effect of taints must be NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE."
  }
}

variable "irsa" {
  description = "Make the cluster's OIDC provider, for IAM roles for service accounts. Pod Identity does not need it."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_days" {
  description = "Retention of the control plane's logs, in days."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_days)
    error_message = "log_days must be a retention that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, …"
  }
}

variable "deletion_protection" {
  description = "Make EKS refuse to delete the cluster. Turn it off and apply before a teardown."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of all resources that can have tags."
  type        = map(string)
  default     = {}
  nullable    = false
}
