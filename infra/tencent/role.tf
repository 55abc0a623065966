# The one thing that functions do in the account beside their own work: start deliver. grant does not even do that, and has no role.
resource "tencentcloud_cam_role" "wake" {
  name        = "${local.name}-wake"
  description = "Yuexin functions that wake deliver"
  document = jsonencode({
    version   = "2.0"
    statement = [{ effect = "allow", action = ["name/sts:AssumeRole"], principal = { service = ["scf.qcloud.com"] } }]
  })
}

resource "tencentcloud_cam_policy" "wake" {
  name        = "${local.name}-wake"
  description = "Invoke deliver and nothing else"
  document = jsonencode({
    version = "2.0"
    statement = [{
      effect   = "allow"
      action   = ["scf:InvokeFunction"]
      resource = ["qcs::scf:${var.region}:uin/${data.tencentcloud_user_info.current.owner_uin}:namespace/default/function/${local.deliver_name}"]
    }]
  })
}

resource "tencentcloud_cam_role_policy_attachment" "wake" {
  role_id   = tencentcloud_cam_role.wake.id
  policy_id = tencentcloud_cam_policy.wake.id
}
