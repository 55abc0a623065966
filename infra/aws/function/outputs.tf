output "arn" {
  description = "ARN of the function."
  value       = aws_lambda_function.this.arn
}

output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "reserved_concurrency" {
  description = "Instances reserved for the function; for tests."
  value       = aws_lambda_function.this.reserved_concurrent_executions
}

output "policy" {
  description = "What the function's role allows, as JSON; for tests."
  value       = aws_iam_role_policy.this.policy
}
