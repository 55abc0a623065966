# One function in the functions' subnet, logging into the common topic, with at most one trigger.

terraform {
  required_version = ">= 1.9"
  required_providers {
    tencentcloud = {
      source  = "tencentcloudstack/tencentcloud"
      version = "~> 1.81"
    }
  }
}

locals {
  # A function URL without Tencent's own authentication: callers bring API keys, WeChat brings signatures.
  url_trigger = jsonencode({ AuthType = "NONE", NetConfig = { EnableIntranet = false, EnableExtranet = true } })
}

resource "tencentcloud_scf_function" "this" {
  name    = var.name
  runtime = var.settings.runtime
  handler = var.settings.runtime == "Go1" ? "main" : "bootstrap"

  cos_bucket_name   = var.settings.bucket
  cos_object_name   = var.object
  cos_bucket_region = var.settings.region

  mem_size    = var.memory
  timeout     = var.timeout
  environment = var.environment
  role        = var.role

  vpc_id            = var.settings.vpc_id
  subnet_id         = var.settings.subnet_id
  enable_public_net = false # out through the NAT gateway, whose address is fixed

  cls_logset_id = var.settings.logset_id
  cls_topic_id  = var.settings.log_topic_id

  dynamic "triggers" {
    for_each = var.http ? [1] : []
    content {
      name         = "${var.name}-url"
      type         = "http"
      trigger_desc = local.url_trigger
    }
  }

  dynamic "triggers" {
    for_each = var.timer == "" ? [] : [1]
    content {
      name         = "${var.name}-tick"
      type         = "timer"
      trigger_desc = var.timer
    }
  }
}
