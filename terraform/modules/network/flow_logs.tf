locals {
  flow_log_group     = "/aws/vpc/${var.name}/flow-logs"
  flow_log_group_arn = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:log-group:${local.flow_log_group}"
}

resource "aws_cloudwatch_log_group" "flow_logs" {
  count = var.flow_log_days > 0 ? 1 : 0

  name              = local.flow_log_group
  retention_in_days = var.flow_log_days
  tags              = var.tags
}

resource "aws_iam_role" "flow_logs" {
  count = var.flow_log_days > 0 ? 1 : 0

  name        = "${var.name}-flow-logs-${data.aws_region.current.region}"
  description = "Flow logs of the VPC ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "flow_logs" {
  count = var.flow_log_days > 0 ? 1 : 0

  name = "flow-logs"
  role = aws_iam_role.flow_logs[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = ["${local.flow_log_group_arn}:*"]
    }]
  })
}

resource "aws_flow_log" "this" {
  count = var.flow_log_days > 0 ? 1 : 0

  vpc_id          = aws_vpc.this.id
  traffic_type    = "ALL"
  log_destination = aws_cloudwatch_log_group.flow_logs[0].arn
  iam_role_arn    = aws_iam_role.flow_logs[0].arn
  tags            = merge(var.tags, { Name = var.name })

  depends_on = [aws_iam_role_policy.flow_logs]
}
