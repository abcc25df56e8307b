mock_provider "aws" {
  source          = "./tests/aws"
  override_during = plan
}

run "default" {
  command = plan

  assert {
    condition = { for zone, s in aws_subnet.private : zone => s.cidr_block } == {
      eu-central-1a = "10.64.0.0/19", eu-central-1b = "10.64.32.0/19", eu-central-1c = "10.64.64.0/19"
    }
    error_message = "private subnets: ${jsonencode(local.private)}"
  }
  assert {
    condition = { for zone, s in aws_subnet.public : zone => s.cidr_block } == {
      eu-central-1a = "10.64.240.0/24", eu-central-1b = "10.64.241.0/24", eu-central-1c = "10.64.242.0/24"
    }
    error_message = "public subnets: ${jsonencode(local.public)}"
  }
  assert {
    condition     = !anytrue([for s in concat(values(aws_subnet.private), values(aws_subnet.public)) : coalesce(s.map_public_ip_on_launch, false)])
    error_message = "a subnet assigns public addresses"
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.nat) == 3
    error_message = "a zone has no NAT gateway of its own"
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-central-1.s3" && length(aws_vpc_endpoint.s3.route_table_ids) > 0
    error_message = "S3 is reached through NAT"
  }
  assert {
    condition = toset([for e in aws_vpc_endpoint.interface : e.service_name if e.private_dns_enabled]) == toset([
      "com.amazonaws.eu-central-1.ecr.api", "com.amazonaws.eu-central-1.ecr.dkr", "com.amazonaws.eu-central-1.eks-auth",
      "com.amazonaws.eu-central-1.sqs", "com.amazonaws.eu-central-1.sts",
    ])
    error_message = "an interface endpoint is missing"
  }
  assert {
    condition = (aws_vpc_security_group_ingress_rule.endpoints[0].cidr_ipv4 == "10.64.0.0/16" &&
    aws_vpc_security_group_ingress_rule.endpoints[0].from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints[0].to_port == 443)
    error_message = "endpoints accept traffic from outside of the VPC, or on other ports"
  }
  assert {
    condition     = aws_vpc.this.enable_dns_hostnames && aws_vpc.this.enable_dns_support
    error_message = "endpoints have no private names"
  }
  assert {
    condition     = aws_flow_log.this[0].traffic_type == "ALL" && aws_cloudwatch_log_group.flow_logs[0].retention_in_days == 30
    error_message = "no flow logs"
  }
}

run "one_nat_gateway" {
  command = plan

  variables {
    nat           = "one"
    zones         = 2
    flow_log_days = 0
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && length(aws_route.nat) == 2
    error_message = "NAT gateways: ${jsonencode(keys(aws_nat_gateway.this))}"
  }
  assert {
    condition     = length(aws_flow_log.this) + length(aws_iam_role.flow_logs) == 0
    error_message = "flow logs are written"
  }
}

run "no_way_out" {
  command = plan

  variables {
    nat = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) + length(aws_internet_gateway.this) + length(aws_subnet.public) + length(aws_route.nat) == 0
    error_message = "there is a way out of the VPC"
  }
}

run "name" {
  command = plan
  variables {
    name = "-"
  }
  expect_failures = [var.name]
}

run "host_for_a_network" {
  command = plan
  variables {
    cidr = "10.64.0.1/16"
  }
  expect_failures = [var.cidr]
}

run "small_network" {
  command = plan
  variables {
    cidr = "10.64.0.0/24"
  }
  expect_failures = [var.cidr]
}

run "one_zone" {
  command = plan
  variables {
    zones = 1
  }
  expect_failures = [var.zones]
}

run "more_zones_than_there_are" {
  command = plan
  variables {
    zones = 4
  }
  expect_failures = [data.aws_availability_zones.available]
}

run "nat" {
  command = plan
  variables {
    nat = "instance"
  }
  expect_failures = [var.nat]
}

run "endpoint_by_its_long_name" {
  command = plan
  variables {
    interface_endpoints = ["com.amazonaws.eu-central-1.sqs"]
  }
  expect_failures = [var.interface_endpoints]
}

run "endpoint_of_s3" {
  command = plan
  variables {
    interface_endpoints = ["s3"]
  }
  expect_failures = [var.interface_endpoints]
}

run "retention_that_logs_do_not_have" {
  command = plan
  variables {
    flow_log_days = 31
  }
  expect_failures = [var.flow_log_days]
}
