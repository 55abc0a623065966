resource "aws_cloudwatch_dashboard" "figures" {
  dashboard_name = local.name
  dashboard_body = templatefile("${path.module}/dashboard.json.tftpl", {
    prefix = local.name
    table  = local.table
    api    = aws_apigatewayv2_api.http.id
    region = data.aws_region.current.name
  })
}
