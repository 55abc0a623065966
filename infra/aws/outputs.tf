output "api_url" {
  description = "Base URL of the HTTP API; WeChat's message push goes to <this>/wechat/<appid>."
  value       = aws_apigatewayv2_api.http.api_endpoint
}

output "table_name" {
  description = "The table with every record."
  value       = aws_dynamodb_table.records.name
}

output "queue_url" {
  description = "Wake-ups."
  value       = aws_sqs_queue.wake.url
}

output "dead_letter_queue_url" {
  description = "Wake-ups that failed five times."
  value       = aws_sqs_queue.dead.url
}

output "alarm_topic_arn" {
  description = "Subscribe here to receive alarms."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.figures.dashboard_name
}

output "secret_prefix" {
  description = "SSM parameters and secrets that the functions may read begin with this (a parameter with a leading slash)."
  value       = "yuexin/${var.stage}/"
}
