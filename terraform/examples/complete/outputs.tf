output "helm_values" {
  description = "The chart's values: terraform output -raw helm_values > values.yaml"
  value = yamlencode(merge(module.pipeline.helm_values, {
    image = { repository = module.registry.repository_url, tag = var.image_tag }
  }))
}

output "cluster_name" {
  description = "For aws eks update-kubeconfig --name."
  value       = module.cluster.name
}

output "repository_url" {
  description = "URL to push the image to."
  value       = module.registry.repository_url
}

output "scaler_role_arn" {
  description = "ARN of the role of KEDA's operator; null without keda."
  value       = lookup(module.pipeline.role_arns, "scaler", null)
}

output "documents" {
  description = "The patterns and policies as sent to AWS, for reviews and tests."
  value       = module.pipeline.documents
}

output "backend" {
  description = "Settings for a backend \"s3\" block; null if no state bucket is made here."
  value       = one(module.state[*].backend)
}
