output "helm_values" {
  description = "The chart's values: terraform output -raw helm_values > values.yaml"
  value       = yamlencode(module.pipeline.helm_values)
}

output "scaler_role_arn" {
  description = "ARN of the role of KEDA's operator; null without keda."
  value       = lookup(module.pipeline.role_arns, "scaler", null)
}

output "documents" {
  description = "The patterns and policies as sent to AWS, for reviews and tests."
  value       = module.pipeline.documents
}
