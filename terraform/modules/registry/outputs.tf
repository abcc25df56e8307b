output "repository_url" {
  description = "Where images are pushed to and pulled from; the chart's image.repository."
  value       = aws_ecr_repository.this.repository_url
}

output "repository_arn" {
  description = "ARN of the repository, for the policy of what pushes."
  value       = aws_ecr_repository.this.arn
}
