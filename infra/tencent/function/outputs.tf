output "name" {
  description = "Name of the function."
  value       = tencentcloud_scf_function.this.name
}

output "url" {
  description = "The function's URL. SCF tells it in the trigger's description; where it does not, the console shows it on the trigger's page."
  value = try(
    [for t in tencentcloud_scf_function.this.trigger_info : jsondecode(t.trigger_desc).NetConfig.ExtranetUrl if t.type == "http"][0],
    "see the trigger of ${var.name} in the SCF console",
  )
}
