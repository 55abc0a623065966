# Schedules, templates, figures and the console.
module "manage" {
  source = "./function"

  name        = "${local.name}-manage"
  object      = tencentcloud_cos_bucket_object.code["manage"].key
  settings    = local.function
  environment = merge(local.environment, local.wake_environment)
  role        = tencentcloud_cam_role.wake.name
  memory      = 256
  timeout     = 25
  http        = true
}
