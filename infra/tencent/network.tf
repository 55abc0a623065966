# Functions and Redis share a subnet without public addresses. Everything that leaves it, leaves through one NAT gateway with one
# fixed address: the one to enter into WeChat's IP list (error 40164 names an address that is not on it).
resource "tencentcloud_vpc" "main" {
  name       = local.name
  cidr_block = var.network.vpc
}

resource "tencentcloud_route_table" "main" {
  name   = local.name
  vpc_id = tencentcloud_vpc.main.id
}

resource "tencentcloud_subnet" "main" {
  name              = local.name
  vpc_id            = tencentcloud_vpc.main.id
  cidr_block        = var.network.subnet
  availability_zone = var.zone
  route_table_id    = tencentcloud_route_table.main.id
}

resource "tencentcloud_eip" "egress" {
  name                       = "${local.name}-egress"
  internet_charge_type       = "TRAFFIC_POSTPAID_BY_HOUR"
  internet_max_bandwidth_out = 20
}

resource "tencentcloud_nat_gateway" "egress" {
  name             = local.name
  vpc_id           = tencentcloud_vpc.main.id
  bandwidth        = 20
  max_concurrent   = 1000000
  assigned_eip_set = [tencentcloud_eip.egress.public_ip]
}

resource "tencentcloud_route_table_entry" "egress" {
  route_table_id         = tencentcloud_route_table.main.id
  destination_cidr_block = "0.0.0.0/0"
  next_type              = "NAT"
  next_hub               = tencentcloud_nat_gateway.egress.id
  description            = "WeChat and Tencent Cloud's own API"
}
