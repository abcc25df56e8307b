output "repository_url" {
  description = "URL to push to and pull from; the chart's image.repository."
  value       = aws_ecr_repository.this.repository_url
}

output "repository_arn" {
  description = "ARN of the repository, for the policy of the role that pushes."
  value       = aws_ecr_repository.this.arn
}
