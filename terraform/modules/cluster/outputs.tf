output "name" {
  description = "Name of the cluster, known once it and its nodes exist."
  value       = aws_eks_cluster.this.name

  depends_on = [aws_eks_addon.before_nodes, aws_eks_addon.on_nodes, aws_eks_node_group.this]
}

output "endpoint" {
  description = "URL of the API server."
  value       = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "Certificate of the API server's CA, in base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "security_group_id" {
  description = "Security group shared by control plane and nodes."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "oidc_provider_arn" {
  description = "ARN of the OIDC provider; null without irsa."
  value       = one(aws_iam_openid_connect_provider.this[*].arn)
}

output "node_role_arn" {
  description = "ARN of the nodes' role."
  value       = aws_iam_role.node.arn
}
