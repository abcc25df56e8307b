mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  name       = "apps"
  subnet_ids = ["subnet-a", "subnet-b", "subnet-c"]
  admins     = { platform = { principal_arn = "arn:aws:iam::123456789012:role/platform" } }
}

run "managed" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "the API server is not private"
  }
  assert {
    condition     = aws_eks_cluster.this.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "a log of the control plane is off"
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"]) && aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == aws_kms_key.secrets.arn
    error_message = "secrets are not encrypted"
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "an identity has access without an access entry"
  }
  assert {
    condition = (aws_eks_access_policy_association.admins["platform"].policy_arn == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" &&
    aws_eks_access_policy_association.admins["platform"].access_scope[0].type == "cluster")
    error_message = "the admin lacks the admin policy"
  }
  assert {
    condition     = aws_eks_cluster.this.deletion_protection && aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD"
    error_message = "the cluster can be deleted, or moves to paid support by itself"
  }
  assert {
    condition     = !aws_eks_cluster.this.compute_config[0].enabled && !aws_eks_cluster.this.storage_config[0].block_storage[0].enabled && !aws_eks_cluster.this.kubernetes_network_config[0].elastic_load_balancing[0].enabled
    error_message = "parts of Auto Mode are on"
  }
  assert {
    condition     = toset(keys(aws_eks_addon.before_nodes)) == toset(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"]) && toset(keys(aws_eks_addon.on_nodes)) == toset(["coredns", "metrics-server"])
    error_message = "an add-on is missing"
  }
  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "network policies are not enforced"
  }
  assert {
    condition     = one(aws_eks_addon.before_nodes["vpc-cni"].pod_identity_association).service_account == "aws-node"
    error_message = "the network add-on has no role"
  }
  assert {
    condition     = { for k, g in aws_eks_node_group.this : k => "${g.capacity_type} ${g.ami_type}" } == { system = "ON_DEMAND AL2023_ARM_64_STANDARD", workers = "SPOT AL2023_ARM_64_STANDARD" }
    error_message = "node groups: ${jsonencode({ for k, g in aws_eks_node_group.this : k => "${g.capacity_type} ${g.ami_type}" })}"
  }
  assert {
    condition = alltrue([for t in aws_launch_template.nodes :
    t.metadata_options[0].http_tokens == "required" && t.metadata_options[0].http_put_response_hop_limit == 1 && t.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "pods reach their node's credentials, or disks are not encrypted"
  }
  assert {
    condition = toset([for a in aws_iam_role_policy_attachment.node : a.policy_arn]) == toset([
      "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
    ])
    error_message = "nodes may do more than they need"
  }
  assert {
    condition     = output.oidc_provider_arn == null
    error_message = "there is an OIDC provider without irsa"
  }
}

run "auto" {
  command = plan

  variables {
    compute = "auto"
  }

  assert {
    condition     = aws_eks_cluster.this.compute_config[0].enabled && aws_eks_cluster.this.storage_config[0].block_storage[0].enabled && aws_eks_cluster.this.kubernetes_network_config[0].elastic_load_balancing[0].enabled
    error_message = "the three parts of Auto Mode must be on together"
  }
  assert {
    condition     = length(aws_eks_node_group.this) + length(aws_launch_template.nodes) + length(aws_eks_addon.before_nodes) + length(aws_iam_role.cni) == 0
    error_message = "there are resources that Auto Mode has built in"
  }
  assert {
    condition     = length(aws_iam_role_policy_attachment.cluster) == 5 && jsondecode(aws_iam_role.cluster.assume_role_policy).Statement[0].Action == ["sts:AssumeRole", "sts:TagSession"]
    error_message = "the control plane may not run nodes"
  }
}

run "reachable_from_the_office" {
  command = plan

  variables {
    public_access_cidrs = ["203.0.113.0/24"]
    irsa                = true
    admins = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform" }
      deploy   = { principal_arn = "arn:aws:iam::123456789012:role/deploy", policy = "AmazonEKSEditPolicy", namespaces = ["bucketsum"] }
    }
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"])
    error_message = "the API server is reachable from other networks, or not at all"
  }
  assert {
    condition     = aws_iam_openid_connect_provider.this[0].url == "https://oidc.eks.eu-central-1.amazonaws.com/id/ABCDEF"
    error_message = "no OIDC provider"
  }
  assert {
    condition     = aws_eks_access_policy_association.admins["deploy"].access_scope[0].type == "namespace" && aws_eks_access_policy_association.admins["deploy"].access_scope[0].namespaces == toset(["bucketsum"])
    error_message = "a deployer has access to other namespaces"
  }
}
