#!/usr/bin/env bash
# Checks everything that can be checked of a deployment without an account: what would be deployed, what it would be allowed to
# do, and that the same commit gives the same bytes. Tools that are in no registry (terraform, cfn-lint) are looked for; what
# could not be checked is said at the end, loudly, and is no failure.
set -euo pipefail
cd "$(dirname "$0")/.."

export SLS_TELEMETRY_DISABLED=1 SLS_NOTIFICATIONS_MODE=off CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
if [[ -n ${TF_CLI_CONFIG_FILE:-} && ! -e ${TF_CLI_CONFIG_FILE} ]]; then unset TF_CLI_CONFIG_FILE; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

unchecked=()
step() { printf '\n== %s\n' "$*"; }
skip() {
	unchecked+=("$1")
	printf '!! NOT CHECKED: %s\n' "$1"
}

functions=(deliver grant manage schedule send)

step 'policies, routes, table, alarms and playbooks (go test)'
go test -count=1 ./infra ./tools/package

step 'zips: the same commit gives the same bytes'
missing=()
for name in "${functions[@]}"; do
	[[ -e functions/$name/main.go ]] || missing+=("$name")
done
if ((${#missing[@]})); then
	skip "reproducible zips: functions ${missing[*]} have no main.go"
	mkdir -p "$work/aws"
	for name in "${functions[@]}"; do printf 'stand-in for %s\n' "$name" >"$work/aws/$name.zip"; done
else
	for cloud in aws tencent; do
		for round in '' .again; do
			go run ./tools/package -cloud "$cloud" -config "infra/$cloud/yuexin.example.yaml" -out "$work/$cloud$round"
		done
		diff -r "$work/$cloud" "$work/$cloud.again"
	done
fi

step 'CloudFormation (osls package, cfn-lint)'
if [[ -x node_modules/.bin/osls ]]; then
	for variant in 'dev false true' 'prod false true' 'prod true false'; do
		read -r stage existing sending <<<"$variant"
		node_modules/.bin/osls package --stage "$stage" --param existingTable="$existing" --param sending="$sending" --param config=infra/aws/yuexin.example.yaml \
			--param artifacts="$work/aws" --package "$work/cloudformation-$stage"
		if command -v cfn-lint >/dev/null; then
			# W3005: osls names dependencies that follow from references anyway.
			cfn-lint -i W3005 -- "$work/cloudformation-$stage/cloudformation-template-update-stack.json"
			echo "cfn-lint: stage $stage, existingTable=$existing, sending=$sending is fine"
		fi
	done
	command -v cfn-lint >/dev/null || skip 'CloudFormation templates: cfn-lint is not installed'
else
	skip 'CloudFormation: osls is not installed (npm ci)'
fi

# aws_provider prints a directory that holds Terraform's AWS provider, if there is one on this machine.
aws_provider() {
	local directory
	for directory in "${TF_PLUGIN_DIR:-}" "$HOME/.terraform.d/plugins" /usr/local/share/terraform/plugins /usr/share/terraform/plugins /opt/*; do
		if [[ -n $directory && -d $directory/registry.terraform.io/hashicorp/aws ]]; then
			echo "$directory"
			return
		fi
	done
}

step 'Terraform'
if command -v terraform >/dev/null; then
	terraform fmt -check -diff -recursive infra
	echo 'terraform fmt: infra is formatted, and infra/tencent parses'
	skip 'infra/tencent against its provider: formatting, syntax and references only (tencentcloudstack/tencentcloud is not in every registry)'

	# In a copy: init writes beside the files.
	cp -r infra "$work/infra"
	plugins=$(aws_provider)
	init=(init -backend=false -input=false -no-color)
	[[ -n $plugins ]] && init+=(-plugin-dir="$plugins")
	if timeout 120 terraform -chdir="$work/infra/aws" "${init[@]}" >"$work/init.log" 2>&1; then
		timeout 120 terraform -chdir="$work/infra/aws/example" "${init[@]}" >"$work/init.log" 2>&1
		terraform -chdir="$work/infra/aws" validate -no-color
		terraform -chdir="$work/infra/aws" test -no-color -var packages="$work/aws" -var config_file=yuexin.example.yaml
		for stage in dev prod; do
			terraform -chdir="$work/infra/aws/example" plan -no-color -input=false -refresh=false -var offline=true -var stage="$stage" \
				-var packages="$work/aws" -var config_file=../yuexin.example.yaml >"$work/plan.log" || {
				cat "$work/plan.log"
				exit 1
			}
			grep '^Plan:' "$work/plan.log"
		done
	else
		cat "$work/init.log"
		skip 'infra/aws: the AWS provider is neither on this machine (TF_PLUGIN_DIR) nor within reach'
	fi
else
	skip 'infra/aws and infra/tencent: terraform is not installed'
fi

step 'shell'
if command -v shellcheck >/dev/null; then
	shellcheck infra/check.sh
else
	skip 'infra/check.sh: shellcheck is not installed'
fi

printf '\n'
if ((${#unchecked[@]})); then
	echo '!! Checked, except for:'
	printf '!!   %s\n' "${unchecked[@]}"
else
	echo 'Everything is checked.'
fi
