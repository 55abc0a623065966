# One domain in front of the three functions that speak HTTP. SCF maps a path, or everything below a path, to a function; a
# variable in the middle of a path it does not know, hence one set of paths per app. (cloud.tencent.com, product 583, document 64369)
locals {
  app_paths = {
    grant = ["/grants", "/prompts", "/subscribers/*"]
    send  = ["/sends", "/sends/*", "/sends:batch", "/sends:check"]
  }
  endpoints = concat(
    flatten([for app in var.domain.apps : concat(
      [{ function = module.grant.name, path = "/wechat/${app}" }],
      [for path in local.app_paths.grant : { function = module.grant.name, path = "/v1/apps/${app}${path}" }],
      [for path in local.app_paths.send : { function = module.send.name, path = "/v1/apps/${app}${path}" }],
    )]),
    [{ function = module.manage.name, path = "/*" }],
  )
}

resource "tencentcloud_scf_custom_domain" "api" {
  count = var.domain.name == "" ? 0 : 1

  domain   = var.domain.name
  protocol = "HTTPS"

  cert_config {
    certificate_id = var.domain.certificate_id
  }

  dynamic "endpoints_config" {
    for_each = local.endpoints
    content {
      namespace     = "default"
      function_name = endpoints_config.value.function
      qualifier     = "$LATEST"
      path_match    = endpoints_config.value.path
    }
  }
}
