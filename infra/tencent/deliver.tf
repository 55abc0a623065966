# Sends and fan-out jobs that a wake-up names. It has no trigger: the other functions invoke it asynchronously, and it invokes
# itself to hand on what is left when its time runs out.
module "deliver" {
  source = "./function"

  name        = local.deliver_name
  object      = tencentcloud_cos_bucket_object.code["deliver"].key
  settings    = local.function
  environment = merge(local.environment, local.wake_environment)
  role        = tencentcloud_cam_role.wake.name
  memory      = 512
  timeout     = 60
}
