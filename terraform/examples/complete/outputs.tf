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
  description = "Where the image is pushed to."
  value       = module.registry.repository_url
}

output "scaler_role_arn" {
  description = "ARN of the role of KEDA's operator; null without."
  value       = lookup(module.pipeline.role_arns, "scaler", null)
}

output "documents" {
  description = "The patterns and policies as AWS gets them, for reviews and tests."
  value       = module.pipeline.documents
}

output "backend" {
  description = "Settings for a backend \"s3\" block; null if the state's bucket was there."
  value       = one(module.state[*].backend)
}
