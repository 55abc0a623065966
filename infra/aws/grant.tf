# WeChat's message push and the reports of mini programs. WeChat gives up after 5 s and tries three times in all.
module "grant" {
  source = "./function"

  name                 = "${local.name}-grant"
  package              = "grant"
  settings             = local.function
  memory               = 512
  timeout              = 10
  reserved_concurrency = var.reserve_concurrency ? 50 : -1
  statements           = [local.records, local.parameters, local.secrets]
  api                  = aws_apigatewayv2_api.http
  routes = [
    "GET /wechat/{appid}",
    "POST /wechat/{appid}",
    "ANY /v1/apps/{appid}/grants",
    "ANY /v1/apps/{appid}/prompts",
    "ANY /v1/apps/{appid}/subscribers/{proxy+}",
  ]
}
