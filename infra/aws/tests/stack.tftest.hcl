# Run without an account, with Terraform 1.11 or later: terraform test -var packages=... -var config_file=... (infra/check.sh does it).

mock_provider "aws" {
  override_during = plan # nothing is applied: what prevent_destroy holds could not be cleared away

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "ap-southeast-1" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:ap-southeast-1:123456789012:table/yuexin-dev" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:ap-southeast-1:123456789012:queue", url = "https://sqs.ap-southeast-1.amazonaws.com/123456789012/queue" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:ap-southeast-1:123456789012:log-group:group" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:ap-southeast-1:123456789012:function:function"
      invoke_arn = "arn:aws:apigateway:ap-southeast-1:lambda:path/2015-03-31/functions/function/invocations"
    }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:ap-southeast-1:123456789012:alarms" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { execution_arn = "arn:aws:execute-api:ap-southeast-1:123456789012:api", api_endpoint = "https://api.execute-api.ap-southeast-1.amazonaws.com" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:ap-southeast-1:123456789012:rule/tick" }
  }
}

run "the_stack_is_what_serverless_yml_makes" {
  command = plan
  assert {
    condition     = aws_sqs_queue.wake.visibility_timeout_seconds > 6 * local.deliver_timeout
    error_message = "A message must stay hidden more than six times as long as deliver may work."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.wake.redrive_policy).maxReceiveCount == 5
    error_message = "A wake-up that failed five times goes to the dead letters."
  }
  assert {
    condition     = tolist(aws_lambda_event_source_mapping.wake.function_response_types) == tolist(["ReportBatchItemFailures"])
    error_message = "deliver reports the failed messages of a batch, not the batch."
  }
  assert {
    condition     = aws_dynamodb_table.records.name == "yuexin-dev"
    error_message = "The table's name must be the one in the bundled configuration."
  }
  assert {
    condition     = one(aws_dynamodb_table.records.global_secondary_index).projection_type == "INCLUDE" && tolist(one(aws_dynamodb_table.records.global_secondary_index).non_key_attributes) == tolist(["expires_ms"])
    error_message = "The due index must project expires_ms: shared/dynamo leaves expired records out by it."
  }
  assert {
    condition     = one(aws_dynamodb_table.records.ttl).attribute_name == "expires" && one(aws_dynamodb_table.records.point_in_time_recovery).enabled
    error_message = "The table needs its TTL attribute and point-in-time recovery."
  }
  assert {
    condition     = aws_dynamodb_table.records.deletion_protection_enabled
    error_message = "The table must be protected from deletion unless somebody says otherwise."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.tick.schedule_expression == "rate(1 minute)"
    error_message = "The tick comes every minute."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.oldest_due.treat_missing_data == "breaching"
    error_message = "A tick that is silent must raise the alarm."
  }
  assert {
    condition     = !strcontains(aws_apigatewayv2_stage.default.access_log_settings[0].format, "path") && !strcontains(aws_apigatewayv2_stage.default.access_log_settings[0].format, "query")
    error_message = "Paths and queries hold openids, which must not reach a log."
  }
  assert {
    condition     = can(jsondecode(aws_cloudwatch_dashboard.figures.dashboard_body).widgets[0])
    error_message = "The dashboard must be JSON."
  }
}

run "no_policy_is_wider_than_needed" {
  command = plan
  assert {
    condition = alltrue(flatten([
      for policy in [module.grant.policy, module.send.policy, module.schedule.policy, module.deliver.policy, module.manage.policy] : [
        for s in jsondecode(policy).Statement : [for action in s.Action : !strcontains(action, "*")]
      ]
    ]))
    error_message = "A policy has an action with a star."
  }
  # The short list of infra/policy_test.go: traces, the function's own log streams, this stage's parameters and secrets.
  assert {
    condition = alltrue(flatten([
      for policy in [module.grant.policy, module.send.policy, module.schedule.policy, module.deliver.policy, module.manage.policy] : [
        for s in jsondecode(policy).Statement : [
          for r in s.Resource : !strcontains(r, "*") || s.Sid == "Trace" && r == "*" || s.Sid == "WriteOwnLog" && endswith(r, ":log-group:group:*") ||
          r == "arn:aws:ssm:ap-southeast-1:123456789012:parameter/yuexin/dev/*" || r == "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:yuexin/dev/*"
        ]
      ]
    ]))
    error_message = "A policy has a resource with a star that is not on the short list."
  }
  assert {
    condition     = !strcontains(module.grant.policy, "sqs:") && !strcontains(module.grant.policy, "index/due")
    error_message = "grant needs neither the queue nor the due index."
  }
  assert {
    condition = alltrue([
      for policy in [module.grant.policy, module.send.policy, module.schedule.policy, module.manage.policy] : !strcontains(policy, "sqs:ReceiveMessage")
    ])
    error_message = "Only deliver reads the queue."
  }
  assert {
    condition     = strcontains(module.schedule.policy, "index/due") && strcontains(module.deliver.policy, "index/due")
    error_message = "schedule and deliver look for what is due."
  }
}

run "nothing_is_sent_while_a_table_is_exchanged" {
  command = plan
  variables {
    sending             = false
    reserve_concurrency = true
  }
  assert {
    condition     = alltrue([for n in [module.send.reserved_concurrency, module.schedule.reserved_concurrency, module.deliver.reserved_concurrency] : n == 0])
    error_message = "send, schedule and deliver must not run."
  }
  assert {
    condition     = module.grant.reserved_concurrency == 50 && module.manage.reserved_concurrency == 20
    error_message = "grant and manage go on."
  }
}

run "a_stage_with_a_strange_name_is_refused" {
  command = plan
  variables {
    stage = "Prod 1"
  }
  expect_failures = [var.stage]
}

run "a_single_deliver_instance_is_refused" {
  command = plan
  variables {
    deliver_concurrency = 1
  }
  expect_failures = [var.deliver_concurrency]
}

run "zips_that_were_not_built_are_refused" {
  command = plan
  variables {
    packages = "nowhere"
  }
  expect_failures = [var.packages]
}

run "a_configuration_for_another_store_is_refused" {
  command = plan
  variables {
    config_file = "../tencent/yuexin.example.yaml"
  }
  expect_failures = [var.config_file]
}

run "an_address_subscribes_to_the_alarms" {
  command = plan
  variables {
    alarm_email = "ops@example.com"
  }
  assert {
    condition     = one(aws_sns_topic_subscription.mail).endpoint == "ops@example.com"
    error_message = "Alarms must be mailed to the address given."
  }
}
