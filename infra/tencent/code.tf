# The zips, uploaded under names that contain their digest: a function is updated when its code changed, and only then. (The
# provider notices a change of zip_file's path, not of its content.)
locals {
  functions = toset(["grant", "send", "schedule", "deliver", "manage"])
}

resource "tencentcloud_cos_bucket" "code" {
  bucket = "${local.name}-code-${data.tencentcloud_user_info.current.app_id}"
  acl    = "private"
}

resource "tencentcloud_cos_bucket_object" "code" {
  for_each = local.functions

  bucket = tencentcloud_cos_bucket.code.bucket
  key    = "${each.key}-${substr(filesha256("${var.packages}/${each.key}.zip"), 0, 16)}.zip"
  source = "${var.packages}/${each.key}.zip"
}
