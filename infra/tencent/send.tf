# Messages on demand. A synchronous send waits for WeChat.
module "send" {
  source = "./function"

  name        = "${local.name}-send"
  object      = tencentcloud_cos_bucket_object.code["send"].key
  settings    = local.function
  environment = merge(local.environment, local.wake_environment)
  role        = tencentcloud_cam_role.wake.name
  memory      = 256
  timeout     = 25
  http        = true
}
