# An account of AWS as far as the module asks about it.
mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_region" {
  defaults = { region = "eu-central-1" }
}
