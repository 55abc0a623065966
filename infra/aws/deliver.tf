locals {
  deliver_timeout = 60 # the queue's visibility follows from it
}

# Sends and fan-out jobs that a wake-up names. Bounded by the queue's maximum concurrency instead of a reservation.
module "deliver" {
  source = "./function"

  name                 = "${local.name}-deliver"
  package              = "deliver"
  settings             = local.function
  environment          = local.queue_environment
  memory               = 1024
  timeout              = local.deliver_timeout
  reserved_concurrency = var.sending ? -1 : 0
  statements = [local.records, local.due, local.parameters, local.secrets, local.wake, {
    sid       = "ReadQueue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.wake.arn]
  }]
}

resource "aws_lambda_event_source_mapping" "wake" {
  event_source_arn        = aws_sqs_queue.wake.arn
  function_name           = module.deliver.name
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.deliver_concurrency
  }
}
