variable "name" {
  description = "Name of the function in AWS, and of its role."
  type        = string
}

variable "package" {
  description = "Name of the zip without .zip: grant, send, schedule, deliver or manage."
  type        = string
}

variable "settings" {
  description = "What every function of the stack has in common."
  type = object({
    prefix             = string
    packages           = string
    architecture       = string
    log_retention_days = number
    alarm_topic        = string
    environment        = map(string)
  })
}

variable "environment" {
  description = "Environment of this function besides what all have."
  type        = map(string)
  default     = {}
}

variable "memory" {
  description = "Megabytes; processor time comes in proportion."
  type        = number
}

variable "timeout" {
  description = "Seconds that one invocation may take."
  type        = number

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900
    error_message = "timeout must be between 1 and 900 seconds."
  }
}

variable "reserved_concurrency" {
  description = "Instances reserved for this function, which is also the most that run; -1 for no reservation, 0 keeps the function from running."
  type        = number
  default     = -1
}

variable "statements" {
  description = "What the function may do besides writing its log and its traces."
  type        = list(object({ sid = string, actions = list(string), resources = list(string) }))

  validation {
    condition     = alltrue([for s in var.statements : alltrue([for action in s.actions : !strcontains(action, "*")])])
    error_message = "statements must name actions one by one: a star is not allowed."
  }
}

variable "api" {
  description = "The HTTP API that the routes belong to."
  type        = object({ id = string, execution_arn = string })
  default     = null
}

variable "routes" {
  description = "Route keys of the HTTP API that lead here; none for a function without HTTP."
  type        = list(string)
  default     = []
}
