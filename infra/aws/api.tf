resource "aws_apigatewayv2_api" "http" {
  name          = local.name
  protocol_type = "HTTP"
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/http-api/${local.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.throttle.rate
    throttling_burst_limit   = var.throttle.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # The route's key instead of the path and the query: those hold openids, which never reach a log.
    format = jsonencode({
      request_id        = "$context.requestId"
      route             = "$context.routeKey"
      status            = "$context.status"
      bytes             = "$context.responseLength"
      milliseconds      = "$context.responseLatency"
      integration_error = "$context.integrationErrorMessage"
    })
  }
}
