# Alarms are queries over the log. Every one names its playbook. There are no dead letters here: a wake-up that got lost is found by
# the tick, and shows as work that waits.
locals {
  alarms = {
    function-errors = {
      query     = "SCF_StatusCode:>202 | select count(*) as errors"
      minutes   = 5
      condition = "$1.errors > 0"
      text      = "An invocation ended with an error. Playbook docs/playbooks/function-errors.md"
    }
    # A request that fails is answered, and to SCF an invocation that answers is no error: the request log tells them.
    server-errors = {
      query     = "msg:request AND status:>=500 | select count(*) as failed"
      minutes   = 5
      condition = "$1.failed > 0"
      text      = "The API answered with a 5xx. Playbook docs/playbooks/server-errors.md"
    }
    # The tick writes the age every minute, 0 when nothing waits: silence means that the tick itself has stopped.
    oldest-due = {
      query     = "* | select max(OldestDueSeconds) as oldest, count(OldestDueSeconds) as ticks"
      minutes   = 5
      condition = "$1.oldest > ${var.oldest_due_limit} || $1.ticks < 1"
      text      = "Due work waits too long, or the tick has stopped. Playbook docs/playbooks/oldest-due.md"
    }
    suspension = {
      query     = "* | select max(Suspended) as suspended"
      minutes   = 5
      condition = "$1.suspended > 0"
      text      = "WeChat has blocked an app or a template; its sends are held. Playbook docs/playbooks/suspension.md"
    }
    unknown-outcomes = {
      query     = "* | select sum(Unknown) as unknown"
      minutes   = 15
      condition = "$1.unknown > ${var.unknown_limit}"
      text      = "Many calls to WeChat ended without an answer. Playbook docs/playbooks/unknown-outcomes.md"
    }
  }
}

resource "tencentcloud_cls_alarm_notice" "operators" {
  name = local.name
  type = "All"

  dynamic "notice_receivers" {
    for_each = length(var.alarm_receivers) > 0 ? [1] : []
    content {
      receiver_type     = "Uin"
      receiver_ids      = var.alarm_receivers
      receiver_channels = ["Email", "Sms", "WeChat"]
      start_time        = "00:00:00"
      end_time          = "23:59:59"
    }
  }
}

resource "tencentcloud_cls_alarm" "main" {
  for_each = local.alarms

  name             = "${local.name}-${each.key}"
  status           = true
  condition        = each.value.condition
  trigger_count    = 1
  alarm_period     = 60
  alarm_notice_ids = [tencentcloud_cls_alarm_notice.operators.id]
  message_template = "{{.Label}} ${each.value.text}"

  alarm_targets {
    number            = 1
    logset_id         = tencentcloud_cls_logset.main.id
    topic_id          = tencentcloud_cls_topic.main.id
    query             = each.value.query
    start_time_offset = -each.value.minutes
    end_time_offset   = 0
  }

  monitor_time {
    type = "Period"
    time = each.value.minutes
  }

  depends_on = [tencentcloud_cls_index.main]
}
