# The store. What an operator must set for "nothing accepted is lost" is in docs/stores.md.
locals {
  own_redis = var.redis_url != ""
  redis_url = local.own_redis ? var.redis_url : "redis://:${urlencode(var.redis_password)}@${tencentcloud_redis_instance.main[0].ip}:6379/0${local.redis_wait}"
  # A write counts when so many replicas have it: WAIT is among the commands of TencentDB (product 239, document 50391).
  redis_wait = var.redis_wait_replicas > 0 ? "?wait_replicas=${var.redis_wait_replicas}" : ""
  # The instance takes zones by number.
  redis_zones = { for zone in flatten(data.tencentcloud_availability_zones_by_product.redis[*].zones) : zone.name => tonumber(zone.id) }
}

data "tencentcloud_availability_zones_by_product" "redis" {
  count = local.own_redis || length(var.redis_replica_zones) == 0 ? 0 : 1

  product = "redis"
}

resource "tencentcloud_security_group" "redis" {
  name        = "${local.name}-redis"
  description = "Redis, from the functions' subnet only"
}

resource "tencentcloud_security_group_rule_set" "redis" {
  security_group_id = tencentcloud_security_group.redis.id

  ingress {
    action      = "ACCEPT"
    cidr_block  = var.network.subnet
    protocol    = "TCP"
    port        = "6379"
    description = "functions"
  }
  ingress {
    action      = "DROP"
    cidr_block  = "0.0.0.0/0"
    protocol    = "ALL"
    port        = "ALL"
    description = "everybody else"
  }
}

resource "tencentcloud_redis_instance" "main" {
  count = local.own_redis ? 0 : 1

  name               = local.name
  availability_zone  = var.zone
  type_id            = var.redis.type_id
  mem_size           = var.redis.memory_mb
  redis_shard_num    = var.redis.shards
  redis_replicas_num = var.redis.replicas
  replica_zone_ids   = length(var.redis_replica_zones) > 0 ? [for zone in var.redis_replica_zones : local.redis_zones[zone]] : null
  password           = var.redis_password
  port               = 6379
  vpc_id             = tencentcloud_vpc.main.id
  subnet_id          = tencentcloud_subnet.main.id
  security_groups    = [tencentcloud_security_group.redis.id]

  lifecycle {
    prevent_destroy = true # consent cannot be asked for again

    precondition {
      condition     = alltrue([for zone in var.redis_replica_zones : contains(keys(local.redis_zones), zone)])
      error_message = "redis_replica_zones names a zone that does not sell Redis. Those of the region: ${join(", ", keys(local.redis_zones))}."
    }
  }
}
