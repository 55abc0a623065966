# All functions write into one topic. A line of JSON that a function prints becomes fields (cloud.tencent.com, product 858, document
# 18032), and those that alarms and playbooks ask for are indexed here, beside SCF's own (product 583, document 60336).
resource "tencentcloud_cls_logset" "main" {
  logset_name = local.name
}

resource "tencentcloud_cls_topic" "main" {
  topic_name = local.name
  logset_id  = tencentcloud_cls_logset.main.id
  period     = var.log_retention_days
}

locals {
  log_fields = {
    SCF_FunctionName = "text"
    SCF_RequestId    = "text"
    SCF_Message      = "text"
    SCF_Type         = "text"
    SCF_StatusCode   = "long"
    SCF_Duration     = "long"
    level            = "text"
    msg              = "text"
    route            = "text"
    code             = "text"
    status           = "long"
    App              = "text"
    Outcome          = "text"
    Sends            = "double"
    CreditsRefused   = "double"
    LatenessSeconds  = "double"
    Unknown          = "double"
    TokenRefreshes   = "double"
    OldestDueSeconds = "double"
    Suspended        = "double"
  }
  separators = "@&?|#()='\",;:<>[]{}/ \n\t\r"
}

resource "tencentcloud_cls_index" "main" {
  topic_id = tencentcloud_cls_topic.main.id
  status   = true

  rule {
    full_text {
      case_sensitive = false
      contain_z_h    = true
      tokenizer      = local.separators
    }
    key_value {
      case_sensitive = true
      dynamic "key_values" {
        for_each = local.log_fields
        content {
          key = key_values.key
          value {
            type        = key_values.value
            sql_flag    = true
            contain_z_h = key_values.value == "text"
            tokenizer   = key_values.value == "text" ? local.separators : null
          }
        }
      }
    }
  }
}
