output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.bucket
}

output "backend" {
  description = "Settings for a root's backend \"s3\" block; key is up to you."
  value = {
    bucket       = var.bucket
    region       = data.aws_region.current.region
    encrypt      = true
    kms_key_id   = var.kms_key_arn
    use_lockfile = true
  }
}
