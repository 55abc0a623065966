# Yuexin on Tencent Cloud: Serverless Cloud Function and a Redis-protocol store. One file per function; what they share is in
# network.tf, redis.tf, code.tf, role.tf, logs.tf and alarms.tf. docs/deploy-tencent.md leads through it.

# The account's numbers are part of bucket names and of resource names in policies.
data "tencentcloud_user_info" "current" {}

locals {
  name = "yuexin-${var.stage}"

  deliver_name = "${local.name}-deliver"

  # What every function gets. The configuration is in each zip, and SCF unpacks to /var/user.
  function = {
    runtime      = var.runtime
    bucket       = tencentcloud_cos_bucket.code.bucket
    region       = var.region
    vpc_id       = tencentcloud_vpc.main.id
    subnet_id    = tencentcloud_subnet.main.id
    logset_id    = tencentcloud_cls_logset.main.id
    log_topic_id = tencentcloud_cls_topic.main.id
  }
  environment = merge(var.secrets, {
    YUEXIN_CONFIG    = "/var/user/yuexin.yaml"
    YUEXIN_REDIS_URL = local.redis_url
  })
  # Functions that wake deliver call it by this name, with the credentials of their role.
  wake_environment = { YUEXIN_DELIVER_FUNCTION = local.deliver_name }
}
