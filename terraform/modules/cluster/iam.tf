locals {
  cluster_policies = concat(["AmazonEKSClusterPolicy"], local.auto ? [
    "AmazonEKSBlockStoragePolicy", "AmazonEKSComputePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy",
  ] : [])
  node_policies = local.auto ? ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"] : [
    "AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy",
  ]
}

resource "aws_iam_role" "cluster" {
  name        = "${var.name}-eks-cluster-${data.aws_region.current.region}"
  description = "Control plane of the EKS cluster ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "eks.amazonaws.com" }
      Action    = concat(["sts:AssumeRole"], local.auto ? ["sts:TagSession"] : [])
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "cluster" {
  for_each = toset(local.cluster_policies)

  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policy_arn}/${each.key}"
}

resource "aws_iam_role_policy" "cluster_secrets" {
  name = "secrets"
  role = aws_iam_role.cluster.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"]
      Resource = [aws_kms_key.secrets.arn]
    }]
  })
}

resource "aws_iam_role" "node" {
  name        = "${var.name}-eks-node-${data.aws_region.current.region}"
  description = "Nodes of the EKS cluster ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(local.node_policies)

  role       = aws_iam_role.node.name
  policy_arn = "${local.policy_arn}/${each.key}"
}

# The network add-on has its own role, so that the nodes' role cannot change
# network interfaces.
resource "aws_iam_role" "cni" {
  count = local.auto ? 0 : 1

  name        = "${var.name}-eks-cni-${data.aws_region.current.region}"
  description = "VPC CNI of the EKS cluster ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:SourceAccount"                         = local.account_id
          "aws:RequestTag/kubernetes-namespace"       = "kube-system"
          "aws:RequestTag/kubernetes-service-account" = "aws-node"
        }
        ArnEquals = { "aws:SourceArn" = "arn:${local.partition}:eks:${data.aws_region.current.region}:${local.account_id}:cluster/${var.name}" }
      }
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "cni" {
  count = local.auto ? 0 : 1

  role       = aws_iam_role.cni[0].name
  policy_arn = "${local.policy_arn}/AmazonEKS_CNI_Policy"
}
