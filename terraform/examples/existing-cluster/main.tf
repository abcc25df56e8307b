# The pipeline for an existing bucket and an existing cluster.

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = "bucketsum" }
  }
}

module "pipeline" {
  source = "../../modules/pipeline"

  buckets = {
    objects = {
      name               = var.bucket
      enable_eventbridge = var.enable_eventbridge
      kms_key_arn        = var.bucket_kms_key_arn
    }
  }
  reports_bucket         = var.reports_bucket
  audit                  = var.reports_bucket == null ? null : { reports_bucket = var.reports_bucket.name }
  pod_identity           = { cluster_name = var.cluster_name }
  scaler_service_account = var.keda ? {} : null
  alarms                 = { actions = var.alarm_actions }
}
