variable "name" {
  description = "Name of the function."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]$", var.name))
    error_message = "name must have 2 to 60 letters, digits, dashes and underscores, begin with a letter and end with a letter or digit."
  }
}

variable "object" {
  description = "Key of the zip in the bucket; it contains the zip's digest."
  type        = string
}

variable "settings" {
  description = "What every function of the stack has in common."
  type = object({
    runtime      = string
    bucket       = string
    region       = string
    vpc_id       = string
    subnet_id    = string
    logset_id    = string
    log_topic_id = string
  })
}

variable "environment" {
  description = "Environment of the function, secrets included."
  type        = map(string)
  sensitive   = true
}

variable "role" {
  description = "Role whose temporary credentials the function gets; null for none."
  type        = string
  default     = null
}

variable "memory" {
  description = "Megabytes, in steps of 128 above 64."
  type        = number

  validation {
    condition     = var.memory % 128 == 0
    error_message = "memory must be a multiple of 128."
  }
}

variable "timeout" {
  description = "Seconds that one invocation may take."
  type        = number

  validation {
    condition     = var.timeout >= 1 && var.timeout <= 900
    error_message = "timeout must be between 1 and 900 seconds."
  }
}

variable "http" {
  description = "Whether the function has a URL."
  type        = bool
  default     = false
}

variable "timer" {
  description = "Cron expression of seven fields; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = var.timer == "" || length(split(" ", var.timer)) == 7
    error_message = "timer must have seven fields: second minute hour day month week year."
  }
}
