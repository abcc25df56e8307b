output "helm_values" {
  description = "The chart's values: terraform output -raw helm_values > values.yaml"
  value       = yamlencode(module.pipeline.helm_values)
}

output "documents" {
  description = "The patterns and policies as AWS gets them, for reviews and tests."
  value       = module.pipeline.documents
}
