# A root module that deploys Yuexin into the account and region of the environment's credentials:
#
#   make package-aws
#   terraform -chdir=infra/aws/example init
#   terraform -chdir=infra/aws/example apply
#
# Put a backend block here before the second person deploys: the state must not stay on one machine.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "stage" {
  description = "dev, prod."
  type        = string
  default     = "dev"
}

variable "region" {
  description = "Region to deploy into."
  type        = string
  default     = "ap-southeast-1"
}

variable "config_file" {
  description = "The yuexin.yaml that was packaged with the functions."
  type        = string
  default     = "../../../yuexin.yaml"
}

variable "packages" {
  description = "Where make package-aws put the zips."
  type        = string
  default     = "../../../dist/aws"
}

variable "alarm_email" {
  description = "Address that alarms are mailed to."
  type        = string
  default     = ""
}

variable "sending" {
  description = "False while a table is exchanged: nothing is sent then."
  type        = bool
  default     = true
}

variable "offline" {
  description = "Plan without an account: the plan shows what would be created in an empty one. Never apply such a plan."
  type        = bool
  default     = false
}

provider "aws" {
  region                      = var.region
  access_key                  = var.offline ? "offline" : null
  secret_key                  = var.offline ? "offline" : null
  skip_credentials_validation = var.offline
  skip_requesting_account_id  = var.offline
  skip_metadata_api_check     = var.offline
  skip_region_validation      = var.offline

  default_tags {
    tags = { project = "yuexin", stage = var.stage }
  }
}

module "yuexin" {
  source = "../"

  stage               = var.stage
  config_file         = var.config_file
  packages            = var.packages
  alarm_email         = var.alarm_email
  reserve_concurrency = var.stage == "prod"
  sending             = var.sending
}

output "api_url" {
  description = "Base URL of the HTTP API; WeChat's message push goes to <this>/wechat/<appid>."
  value       = module.yuexin.api_url
}

output "secret_prefix" {
  description = "Where the functions look for secrets."
  value       = module.yuexin.secret_prefix
}

output "dead_letter_queue_url" {
  description = "Wake-ups that failed five times."
  value       = module.yuexin.dead_letter_queue_url
}
