# Values that must be refused, and the variable that refuses them.

mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

variables {
  subnet_ids = ["subnet-a", "subnet-b"]
  admins     = { platform = { principal_arn = "arn:aws:iam::123456789012:role/platform" } }
}

run "name" {
  command = plan

  variables {
    name = "Apps"
  }

  expect_failures = [var.name]
}

run "old_kubernetes" {
  command = plan

  variables {
    kubernetes_version = "1.29"
  }

  expect_failures = [var.kubernetes_version]
}

run "one_subnet" {
  command = plan

  variables {
    subnet_ids = ["subnet-a"]
  }

  expect_failures = [var.subnet_ids]
}

run "no_admin" {
  command = plan

  variables {
    admins = {}
  }

  expect_failures = [var.admins]
}

run "viewers_only" {
  command = plan

  variables {
    admins = { x = { principal_arn = "arn:aws:iam::123456789012:role/x", policy = "AmazonEKSViewPolicy" } }
  }

  expect_failures = [var.admins]
}

run "session_for_a_role" {
  command = plan

  variables {
    admins = { x = { principal_arn = "arn:aws:sts::123456789012:assumed-role/x/me" } }
  }

  expect_failures = [var.admins]
}

run "policy_by_its_arn" {
  command = plan

  variables {
    admins = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform" }
      x        = { principal_arn = "arn:aws:iam::123456789012:role/x", policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy" }
    }
  }

  expect_failures = [var.admins]
}

run "same_admin_twice" {
  command = plan

  variables {
    admins = {
      platform = { principal_arn = "arn:aws:iam::123456789012:role/platform" }
      x        = { principal_arn = "arn:aws:iam::123456789012:role/platform" }
    }
  }

  expect_failures = [var.admins]
}

run "whole_internet" {
  command = plan

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "compute" {
  command = plan

  variables {
    compute = "fargate"
  }

  expect_failures = [var.compute]
}

run "spot_only" {
  command = plan

  variables {
    node_groups = { a = { instance_types = ["m7g.large"], capacity = "SPOT" } }
  }

  expect_failures = [var.node_groups]
}

run "group_label" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      A_B    = { instance_types = ["m7g.large"] }
    }
  }

  expect_failures = [var.node_groups]
}

run "capacity" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = ["m7g.large"], capacity = "CAPACITY_BLOCK" }
    }
  }

  expect_failures = [var.node_groups]
}

run "architecture" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = ["m7i.large"], architecture = "x86" }
    }
  }

  expect_failures = [var.node_groups]
}

run "intel_for_graviton" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = ["m7i.large"] }
    }
  }

  expect_failures = [var.node_groups]
}

run "graviton_for_intel" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = ["m7g.large"], architecture = "amd64" }
    }
  }

  expect_failures = [var.node_groups]
}

run "no_instance_types" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = [] }
    }
  }

  expect_failures = [var.node_groups]
}

run "more_nodes_than_most" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = ["m7g.large"], min = 4 }
    }
  }

  expect_failures = [var.node_groups]
}

run "disk" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = ["m7g.large"], disk = 4 }
    }
  }

  expect_failures = [var.node_groups]
}

run "taint" {
  command = plan

  variables {
    node_groups = {
      system = { instance_types = ["m7g.large"] }
      a      = { instance_types = ["m7g.large"], taints = { k = { effect = "NoSchedule" } } }
    }
  }

  expect_failures = [var.node_groups]
}

run "log_days" {
  command = plan

  variables {
    log_days = 2
  }

  expect_failures = [var.log_days]
}
