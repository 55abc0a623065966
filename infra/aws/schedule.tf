# The tick. A failed one is not repeated: the next comes within a minute and finds the same work due.
module "schedule" {
  source = "./function"

  name                 = "${local.name}-schedule"
  package              = "schedule"
  settings             = local.function
  environment          = local.queue_environment
  memory               = 512
  timeout              = 55
  reserved_concurrency = !var.sending ? 0 : var.reserve_concurrency ? 2 : -1
  statements           = [local.records, local.due, local.parameters, local.secrets, local.wake]
}

resource "aws_lambda_function_event_invoke_config" "schedule" {
  function_name                = module.schedule.name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

resource "aws_cloudwatch_event_rule" "tick" {
  name                = "${local.name}-tick"
  description         = "Starts what is due"
  schedule_expression = "rate(1 minute)"
}

resource "aws_cloudwatch_event_target" "tick" {
  rule = aws_cloudwatch_event_rule.tick.name
  arn  = module.schedule.arn
}

resource "aws_lambda_permission" "tick" {
  statement_id  = "tick"
  action        = "lambda:InvokeFunction"
  function_name = module.schedule.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.tick.arn
}
