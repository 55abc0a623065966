# Every alarm names its playbook. Errors of a function have theirs in function/. Metrics in the namespace Yuexin come from log
# lines in CloudWatch's embedded metric format.

resource "aws_sns_topic" "alarms" {
  name = "${local.name}-alarms"
}

resource "aws_sns_topic_subscription" "mail" {
  count = var.alarm_email == "" ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# A request that fails is answered, and to Lambda an invocation that answers is no error: a store or a secret out of reach shows
# here alone.
resource "aws_cloudwatch_metric_alarm" "server_errors" {
  alarm_name          = "${local.name}-server-errors"
  alarm_description   = "The API answered with a 5xx. Playbook docs/playbooks/server-errors.md"
  namespace           = "AWS/ApiGateway"
  metric_name         = "5xx"
  dimensions          = { ApiId = aws_apigatewayv2_api.http.id }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${local.name}-dead-letters"
  alarm_description   = "A wake-up failed five times. Playbook docs/playbooks/dead-letters.md"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# The tick writes the age every minute, 0 when nothing waits: silence means that the tick itself has stopped.
resource "aws_cloudwatch_metric_alarm" "oldest_due" {
  alarm_name          = "${local.name}-oldest-due"
  alarm_description   = "Due work waits too long, or the tick has stopped. Playbook docs/playbooks/oldest-due.md"
  namespace           = "Yuexin"
  metric_name         = "OldestDueSeconds"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  threshold           = var.oldest_due_limit
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# A query over all apps: an app that is added later needs no alarm of its own.
resource "aws_cloudwatch_metric_alarm" "suspension" {
  alarm_name          = "${local.name}-suspension"
  alarm_description   = "WeChat has blocked an app or a template; its sends are held. Playbook docs/playbooks/suspension.md"
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "suspended"
    expression  = "SELECT MAX(\"Suspended\") FROM SCHEMA(\"Yuexin\", App)"
    period      = 300
    return_data = true
  }
}

resource "aws_cloudwatch_metric_alarm" "unknown_outcomes" {
  alarm_name          = "${local.name}-unknown-outcomes"
  alarm_description   = "Many calls to WeChat ended without an answer. Playbook docs/playbooks/unknown-outcomes.md"
  evaluation_periods  = 1
  threshold           = var.unknown_limit
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "unknown"
    expression  = "SELECT SUM(\"Unknown\") FROM SCHEMA(\"Yuexin\", App)"
    period      = 900
    return_data = true
  }
}
