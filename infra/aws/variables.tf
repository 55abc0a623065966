variable "stage" {
  description = "Name of this installation: dev, prod. Part of every resource's name."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.stage))
    error_message = "stage must be 1 to 16 lower-case letters, digits and dashes, beginning with a letter."
  }
}

variable "config_file" {
  description = "The yuexin.yaml that was packaged with the functions. The table's name is read from it."
  type        = string

  validation {
    condition     = try(yamldecode(file(var.config_file)).store.kind, "") == "dynamodb"
    error_message = "config_file must be a readable YAML file with store: {kind: dynamodb, table: ...}."
  }
  validation {
    condition     = can(regex("^[a-zA-Z0-9_.-]{3,255}$", yamldecode(file(var.config_file)).store.table))
    error_message = "store.table in config_file must be a DynamoDB table name: 3 to 255 letters, digits, dots, dashes and underscores."
  }
}

variable "packages" {
  description = "Directory with grant.zip, send.zip, schedule.zip, deliver.zip and manage.zip, as made by: make package-aws."
  type        = string

  validation {
    condition     = alltrue([for name in ["grant", "send", "schedule", "deliver", "manage"] : fileexists("${var.packages}/${name}.zip")])
    error_message = "packages lacks a zip: run make package-aws first, and give its output directory (dist/aws)."
  }
}

variable "architecture" {
  description = "Processor that the zips were built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "reserve_concurrency" {
  description = "Whether grant, send, schedule and manage reserve part of the account's concurrency, so that a fan-out cannot starve WeChat's pushes. A new account's quota of 10 allows no reservation: docs/limits.md."
  type        = bool
  default     = false
}

variable "sending" {
  description = "Whether send, schedule and deliver may run at all. False while a table is exchanged: docs/deploy-aws.md, Restore."
  type        = bool
  default     = true
}

variable "deliver_concurrency" {
  description = "How many deliver instances read the queue at most."
  type        = number
  default     = 10

  validation {
    condition     = var.deliver_concurrency >= 2 && var.deliver_concurrency <= 1000
    error_message = "deliver_concurrency must be between 2 and 1000, as Lambda demands."
  }
}

variable "throttle" {
  description = "Requests per second and burst that API Gateway lets through, over all routes."
  type        = object({ rate = number, burst = number })
  default     = { rate = 500, burst = 1000 }
}

variable "alarm_email" {
  description = "Address that alarms are mailed to; empty for none. The topic is among the outputs."
  type        = string
  default     = ""
}

variable "oldest_due_limit" {
  description = "Seconds that due work may wait before the alarm."
  type        = number
  default     = 300
}

variable "unknown_limit" {
  description = "Outcomes that may stay unknown in 15 minutes before the alarm."
  type        = number
  default     = 10
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table. Off for a stage that is to be removed: consent cannot be asked for again."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
}
