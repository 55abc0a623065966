# WeChat's message push and the reports of mini programs. WeChat gives up after 5 s and tries three times in all.
module "grant" {
  source = "./function"

  name        = "${local.name}-grant"
  object      = tencentcloud_cos_bucket_object.code["grant"].key
  settings    = local.function
  environment = local.environment
  memory      = 256
  timeout     = 10
  http        = true
}
