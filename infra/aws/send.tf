# Messages on demand. A synchronous send waits for WeChat; API Gateway waits for 30 s at most.
module "send" {
  source = "./function"

  name                 = "${local.name}-send"
  package              = "send"
  settings             = local.function
  environment          = local.queue_environment
  memory               = 512
  timeout              = 25
  reserved_concurrency = !var.sending ? 0 : var.reserve_concurrency ? 50 : -1
  statements           = [local.records, local.parameters, local.secrets, local.wake]
  api                  = aws_apigatewayv2_api.http
  routes = [
    "ANY /v1/apps/{appid}/sends",
    "ANY /v1/apps/{appid}/sends:batch",
    "ANY /v1/apps/{appid}/sends:check",
    "ANY /v1/apps/{appid}/sends/{proxy+}",
  ]
}
