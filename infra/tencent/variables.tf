variable "stage" {
  description = "Name of this installation: dev, prod. Part of every resource's name."
  type        = string
  default     = "dev"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.stage)) && !endswith(var.stage, "-")
    error_message = "stage must be 1 to 16 lower-case letters, digits and dashes, beginning with a letter and not ending with a dash."
  }
}

variable "region" {
  description = "Region of everything here, such as ap-guangzhou."
  type        = string
  default     = "ap-guangzhou"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+(-[a-z0-9]+)*$", var.region))
    error_message = "region must look like ap-guangzhou."
  }
}

variable "zone" {
  description = "Availability zone of Redis and of the functions' subnet, such as ap-guangzhou-6. It must sell the Redis type chosen below."
  type        = string
  default     = "ap-guangzhou-6"

  validation {
    condition     = startswith(var.zone, "${var.region}-")
    error_message = "zone must lie in region."
  }
}

variable "packages" {
  description = "Directory with grant.zip, send.zip, schedule.zip, deliver.zip and manage.zip, as made by: make package-tencent."
  type        = string
  default     = "../../dist/tencent"

  validation {
    condition     = alltrue([for name in ["grant", "send", "schedule", "deliver", "manage"] : fileexists("${var.packages}/${name}.zip")])
    error_message = "packages lacks a zip: run make package-tencent first, and give its output directory (dist/tencent)."
  }
}

variable "runtime" {
  description = "Runtime of the functions. Go1 is Tencent's Go runtime; CustomRuntime starts the same program through bootstrap. The zips serve both."
  type        = string
  default     = "Go1"

  validation {
    condition     = contains(["Go1", "CustomRuntime"], var.runtime)
    error_message = "runtime must be Go1 or CustomRuntime."
  }
}

variable "secrets" {
  description = "Environment variables that yuexin.yaml refers to as env:NAME, say WX_SECRET, WX_PUSH_TOKEN and WX_PUSH_AES_KEY. They are kept in Terraform's state: encrypt it."
  type        = map(string)
  sensitive   = true

  validation {
    condition     = alltrue([for name in keys(var.secrets) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !startswith(name, "YUEXIN_") && !startswith(name, "SCF_") && !startswith(name, "TENCENTCLOUD_")])
    error_message = "Names of secrets must be upper-case environment variables that do not begin with YUEXIN_, SCF_ or TENCENTCLOUD_."
  }
  validation {
    condition     = alltrue([for value in values(var.secrets) : length(value) > 0])
    error_message = "A secret must not be empty."
  }
}

variable "network" {
  description = "Address ranges of the VPC and of the one subnet in it, which holds functions and Redis."
  type        = object({ vpc = string, subnet = string })
  default     = { vpc = "10.66.0.0/16", subnet = "10.66.1.0/24" }

  validation {
    condition     = can(cidrhost(var.network.vpc, 0)) && can(cidrhost(var.network.subnet, 0))
    error_message = "network.vpc and network.subnet must be address ranges such as 10.66.0.0/16."
  }
}

variable "redis" {
  description = "The Redis instance. type_id 15 is 6.2 standard, 16 is 6.2 cluster (cloud.tencent.com, product 239); memory_mb is per shard for a cluster. With two replicas writes go on after a failover; with one, and redis_wait_replicas at 1, they wait for a new replica."
  type        = object({ type_id = number, memory_mb = number, shards = number, replicas = number })
  default     = { type_id = 15, memory_mb = 1024, shards = 1, replicas = 2 }

  validation {
    condition     = var.redis.replicas >= 1 && var.redis.replicas <= 5
    error_message = "redis.replicas must be between 1 and 5: without a replica a broken node loses the ledger."
  }
  validation {
    condition     = var.redis.memory_mb >= 256
    error_message = "redis.memory_mb must be at least 256."
  }
}

variable "redis_replica_zones" {
  description = "Zone of each replica, such as [\"ap-guangzhou-7\", \"ap-guangzhou-6\"] for two; empty puts all into zone, which suits a trial only: a zone that fails takes the ledger with it."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.redis_replica_zones) == 0 || length(var.redis_replica_zones) == var.redis.replicas
    error_message = "redis_replica_zones must name one zone for each of redis.replicas, or none at all."
  }
  validation {
    condition     = alltrue([for zone in var.redis_replica_zones : startswith(zone, "${var.region}-")])
    error_message = "redis_replica_zones must lie in region."
  }
  validation {
    condition     = length(var.redis_replica_zones) == 0 || anytrue([for zone in var.redis_replica_zones : zone != var.zone])
    error_message = "redis_replica_zones must name a zone other than zone, where the master is."
  }
}

variable "redis_wait_replicas" {
  description = "How many replicas must have a write before it is acknowledged; 0 for none, with which a failover may take back what was accepted (docs/stores.md). Not used with redis_url, which says it itself."
  type        = number
  default     = 1

  validation {
    condition     = var.redis_wait_replicas >= 0 && var.redis_wait_replicas <= var.redis.replicas && floor(var.redis_wait_replicas) == var.redis_wait_replicas
    error_message = "redis_wait_replicas must be a whole number between 0 and redis.replicas."
  }
}

variable "redis_password" {
  description = "Password of the Redis instance: 8 to 16 characters, as TencentDB demands. Not used with redis_url."
  type        = string
  sensitive   = true
  default     = ""

  validation {
    condition     = var.redis_url != "" || can(regex("^[A-Za-z0-9!@#%^*()_+=-]{8,16}$", var.redis_password))
    error_message = "redis_password must have 8 to 16 letters, digits and signs of !@#%^*()_+=- unless redis_url names an instance of your own."
  }
}

variable "redis_url" {
  description = "URL of an instance of your own inside reach of the VPC, such as KeeWiDB; empty to create one here. redis+cluster:// for a cluster that is spoken to node by node, rediss:// and rediss+cluster:// for TLS; options such as ?wait_replicas=1 are in docs/stores.md."
  type        = string
  sensitive   = true
  default     = ""

  validation {
    condition     = var.redis_url == "" || can(regex("^rediss?(\\+cluster)?://[^/]+", var.redis_url))
    error_message = "redis_url must begin with redis://, rediss://, redis+cluster:// or rediss+cluster:// and name a host."
  }
}

variable "domain" {
  description = "A registered domain (mainland: with ICP filing) that leads to the functions by path, and its certificate; empty names for the functions' own URLs only. apps are the appids that the paths are made for."
  type        = object({ name = string, certificate_id = string, apps = list(string) })
  default     = { name = "", certificate_id = "", apps = [] }

  validation {
    condition     = var.domain.name == "" || (var.domain.certificate_id != "" && length(var.domain.apps) > 0)
    error_message = "A domain needs certificate_id, since WeChat's secrets must not travel in the clear, and the appids to make paths for."
  }
}

variable "alarm_receivers" {
  description = "Whom CLS tells of alarms: numeric ids (uid) of CAM users. Empty for nobody, which only suits a trial."
  type        = list(number)
  default     = []
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

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3600
    error_message = "log_retention_days must be between 1 and 3600."
  }
}
