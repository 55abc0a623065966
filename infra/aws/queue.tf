# Wake-ups. Losing or doubling one changes nothing but latency: the table is the truth, and the tick finds what is due.
resource "aws_sqs_queue" "wake" {
  name = "${local.name}-wake"
  # More than six times deliver's time-out, as AWS advises for functions that read a queue: a message must not show up again while
  # the instance that took it still works, nor while Lambda tries again after being throttled.
  visibility_timeout_seconds = 6 * local.deliver_timeout + 30
  message_retention_seconds  = 86400 # older than a day, a wake-up is of no use: the tick has long found its work
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${local.name}-wake-dead"
  message_retention_seconds = 1209600 # 14 days, the longest there is: time to look
  sqs_managed_sse_enabled   = true
}
