# Schedules, templates, figures, the console; and every path that no other function has, so that a mistyped one gets the
# API's own 404. Among matching routes API Gateway takes the most specific one.
module "manage" {
  source = "./function"

  name                 = "${local.name}-manage"
  package              = "manage"
  settings             = local.function
  environment          = local.queue_environment
  memory               = 512
  timeout              = 25
  reserved_concurrency = var.reserve_concurrency ? 20 : -1
  statements           = [local.records, local.parameters, local.secrets, local.wake]
  api                  = aws_apigatewayv2_api.http
  routes               = ["$default"]
}
