output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Private subnets, one in each zone."
  value       = [for s in aws_subnet.private : s.id]

  # Nodes that start before their way out cannot join.
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.s3, aws_vpc_endpoint.interface]
}

output "public_subnet_ids" {
  description = "Public subnets, one in each zone; none without NAT."
  value       = [for s in aws_subnet.public : s.id]
}

output "nat_ips" {
  description = "Addresses that the VPC has for the outside."
  value       = [for e in aws_eip.nat : e.public_ip]
}
