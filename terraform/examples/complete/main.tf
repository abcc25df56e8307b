# Everything: a network with a cluster, a bucket with its pipeline, a bucket for what
# audits and other passes find, a registry for the image and, on request, a bucket for
# Terraform's state.

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = var.name }
  }
}

module "state" {
  source = "../../modules/state"
  count  = var.state_bucket == null ? 0 : 1

  bucket = var.state_bucket
}

module "network" {
  source = "../../modules/network"

  name = var.name
}

module "cluster" {
  source = "../../modules/cluster"

  name                = var.name
  subnet_ids          = module.network.private_subnet_ids
  admins              = { for arn in var.admin_role_arns : arn => { principal_arn = arn } }
  public_access_cidrs = var.public_access_cidrs
  compute             = var.compute
  irsa                = var.identity == "irsa"
}

module "registry" {
  source = "../../modules/registry"

  name = var.name
}

locals {
  reports_bucket = coalesce(var.reports_bucket, "${var.bucket}-reports")
}

module "pipeline" {
  source = "../../modules/pipeline"

  name                   = var.name
  buckets                = { objects = { name = var.bucket, create = true } }
  reports_bucket         = { name = local.reports_bucket, create = true }
  audit                  = { reports_bucket = local.reports_bucket }
  create_kms_key         = true
  pod_identity           = var.identity == "pod-identity" ? { cluster_name = module.cluster.name } : null
  irsa                   = var.identity == "irsa" ? { oidc_provider_arn = module.cluster.oidc_provider_arn } : null
  scaler_service_account = var.keda ? {} : null
  alarms                 = { actions = var.alarm_actions }
}
