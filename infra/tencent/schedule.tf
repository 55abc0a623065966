# The tick. In which time zone SCF reads a cron expression is not documented; every minute is every minute in all of them, and
# the code decides what is due by its own clock.
module "schedule" {
  source = "./function"

  name        = "${local.name}-schedule"
  object      = tencentcloud_cos_bucket_object.code["schedule"].key
  settings    = local.function
  environment = merge(local.environment, local.wake_environment)
  role        = tencentcloud_cam_role.wake.name
  memory      = 256
  timeout     = 55
  timer       = "0 * * * * * *" # second minute hour day month week year
}
