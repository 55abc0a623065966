# The one table (docs/architecture.md). Its index is sparse: only records that are due carry due_shard and due.
resource "aws_dynamodb_table" "records" {
  name                        = local.table
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }
  attribute {
    name = "sk"
    type = "S"
  }
  attribute {
    name = "due_shard"
    type = "S"
  }
  attribute {
    name = "due"
    type = "N"
  }

  global_secondary_index {
    name               = "due"
    hash_key           = "due_shard"
    range_key          = "due"
    projection_type    = "INCLUDE"
    non_key_attributes = ["expires_ms"]
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  # Consent cannot be asked for again: no apply replaces or deletes the table, not even one in another stage's state.
  lifecycle {
    prevent_destroy = true
  }
}
