output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Private subnets, one in each zone."
  value       = [for s in aws_subnet.private : s.id]

  # Nodes cannot join the cluster before their routes exist.
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_vpc_endpoint.s3, aws_vpc_endpoint.interface]
}

output "public_subnet_ids" {
  description = "Public subnets, one in each zone; none without NAT."
  value       = [for s in aws_subnet.public : s.id]
}

output "nat_ips" {
  description = "Public addresses of the NAT gateways."
  value       = [for e in aws_eip.nat : e.public_ip]
}
