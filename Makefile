# Packaging, deploying and checking the infrastructure. Building and testing the program itself needs nothing but the go command.

STAGE  ?= dev
CONFIG ?= yuexin.yaml
# Variables of infra/tencent, a file beside its terraform.tfvars.example.
TFVARS ?= terraform.tfvars

OSLS      := node_modules/.bin/osls
OSLS_ARGS := --stage $(STAGE) --param config=$(CONFIG) --param artifacts=dist/aws
export SLS_TELEMETRY_DISABLED := 1
export SLS_NOTIFICATIONS_MODE := off

.DEFAULT_GOAL := help
.PHONY: help measure zips-aws package-aws deploy-aws package-tencent deploy-tencent check-infra

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(OSLS): package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

zips-aws:
	go run ./tools/package -cloud aws -config $(CONFIG) -out dist/aws

package-aws: zips-aws $(OSLS) ## build the zips and the CloudFormation template for STAGE, offline
	$(OSLS) package $(OSLS_ARGS) --package dist/aws/cloudformation

deploy-aws: zips-aws $(OSLS) ## build and deploy to AWS: make deploy-aws STAGE=prod CONFIG=yuexin.prod.yaml
	$(OSLS) deploy $(OSLS_ARGS)

package-tencent: ## build the zips for Tencent Cloud, offline
	go run ./tools/package -cloud tencent -config $(CONFIG) -out dist/tencent

deploy-tencent: package-tencent ## build and deploy to Tencent Cloud with infra/tencent/$(TFVARS)
	terraform -chdir=infra/tencent init -input=false
	terraform -chdir=infra/tencent apply -var-file=$(TFVARS) -var stage=$(STAGE)

measure: ## measure the functions' start beside an empty one, and the size of their zips (docs/performance.md)
	go test -run '^$$' -bench Start -benchtime 40x ./functions
	go run ./tools/package -cloud aws -config infra/aws/yuexin.example.yaml -out dist/measure/aws
	go run ./tools/package -cloud tencent -config infra/tencent/yuexin.example.yaml -out dist/measure/tencent

check-infra: $(OSLS) ## check templates, policies, Terraform and reproducible zips
	infra/check.sh
