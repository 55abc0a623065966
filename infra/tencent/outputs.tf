output "egress_ip" {
  description = "The address to enter into WeChat's IP list."
  value       = tencentcloud_eip.egress.public_ip
}

output "grant_url" {
  description = "URL of grant: WeChat's message push goes to <this>/wechat/<appid>; grants, prompts and subscribers are here, too."
  value       = module.grant.url
}

output "send_url" {
  description = "URL of send: /v1/apps/<appid>/sends…"
  value       = module.send.url
}

output "manage_url" {
  description = "URL of manage: schedules, templates, stats, the console."
  value       = module.manage.url
}

output "api_url" {
  description = "One URL for everything, where a domain was given; point the domain's CNAME at domain_cname."
  value       = var.domain.name == "" ? null : "https://${var.domain.name}"
}

output "domain_cname" {
  description = "What the domain's CNAME record must say."
  value       = "${data.tencentcloud_user_info.current.app_id}.${var.region}.tencentscf.com"
}

output "log_topic" {
  description = "CLS topic with the logs of all functions."
  value       = tencentcloud_cls_topic.main.id
}
