# Yuexin on AWS as a Terraform module: the same stack as serverless.yml. One file per function, each with what it may do, what
# triggers it and how big it is; what they share is in table.tf, queue.tf, api.tf, alarms.tf and dashboard.tf.
# example/ shows a call of the module.

data "aws_region" "current" {}
data "aws_partition" "current" {}

locals {
  name  = "yuexin-${var.stage}"
  table = yamldecode(file(var.config_file)).store.table
  # Taken from a resource's ARN, so that a plan needs no call to AWS.
  account = provider::aws::arn_parse(aws_dynamodb_table.records.arn).account_id
  place   = "${data.aws_region.current.name}:${local.account}"

  # What the functions share. The store writes with conditional PutItem and DeleteItem only: no UpdateItem, no transactions.
  records = {
    sid       = "Records"
    actions   = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Query"]
    resources = [aws_dynamodb_table.records.arn]
  }
  due = {
    sid       = "FindWhatIsDue"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.records.arn}/index/due"]
  }
  wake = {
    sid       = "Wake"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.wake.arn]
  }
  parameters = {
    sid       = "ReadParameters"
    actions   = ["ssm:GetParameter", "ssm:GetParameters"]
    resources = ["arn:${data.aws_partition.current.partition}:ssm:${local.place}:parameter/yuexin/${var.stage}/*"]
  }
  secrets = {
    sid       = "ReadSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["arn:${data.aws_partition.current.partition}:secretsmanager:${local.place}:secret:yuexin/${var.stage}/*"]
  }

  function = {
    prefix             = local.name
    packages           = var.packages
    architecture       = var.architecture
    log_retention_days = var.log_retention_days
    alarm_topic        = aws_sns_topic.alarms.arn
    environment        = { YUEXIN_CONFIG = "/var/task/yuexin.yaml" }
  }
  queue_environment = { YUEXIN_QUEUE_URL = aws_sqs_queue.wake.url }
}
