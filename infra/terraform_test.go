package infra

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Terraform validates infra/aws (infra/check.sh). Tencent's provider is not in every registry, so that infra/tencent
// may never meet `terraform validate` before it meets an account; these tests look for the slips that it would find.

var (
	declared = map[string]*regexp.Regexp{
		"var":      regexp.MustCompile(`(?m)^variable "([a-z_]+)"`),
		"resource": regexp.MustCompile(`(?m)^resource "(tencentcloud_[a-z_]+)" "([a-z_]+)"`),
		"data":     regexp.MustCompile(`(?m)^data "(tencentcloud_[a-z_]+)" "([a-z_]+)"`),
		"module":   regexp.MustCompile(`(?m)^module "([a-z_]+)"`),
		"output":   regexp.MustCompile(`(?m)^output "([a-z_]+)"`),
	}
	// variableBlock is a declaration as a whole: what its own validation says of the variable is not a use.
	variableBlock = regexp.MustCompile(`(?ms)^variable "[a-z_]+" \{.*?^\}`)

	usedVariable = regexp.MustCompile(`\bvar\.([a-z_]+)`)
	usedResource = regexp.MustCompile(`(data\.)?\b(tencentcloud_[a-z_]+)\.([a-z_]+)`)
	usedModule   = regexp.MustCompile(`\bmodule\.([a-z_]+)`)
	usedLocal    = regexp.MustCompile(`\blocal\.([a-z_]+)`)
)

// terraformSource returns the files of a directory without comments.
func terraformSource(t *testing.T, directory string) string {
	t.Helper()
	return regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(readAll(t, filepath.Join(directory, "*.tf")), "")
}

// names returns what a pattern's groups found, joined by dots.
func names(pattern *regexp.Regexp, source string) []string {
	var found []string
	for _, match := range pattern.FindAllStringSubmatch(source, -1) {
		found = append(found, strings.Join(match[1:], "."))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestWhatTencentTerraformRefersToIsDeclared(t *testing.T) {
	for _, directory := range []string{"tencent", "tencent/function"} {
		source := terraformSource(t, directory)
		check := func(kind string, used, have []string) {
			t.Helper()
			for _, name := range used {
				if !slices.Contains(have, name) {
					t.Errorf("infra/%s refers to %s %q, which is not declared", directory, kind, name)
				}
			}
		}
		check("variable", names(usedVariable, source), names(declared["var"], source))
		used := names(usedVariable, variableBlock.ReplaceAllString(source, ""))
		for _, name := range names(declared["var"], source) {
			if !slices.Contains(used, name) {
				t.Errorf("infra/%s declares variable %q, which nothing uses", directory, name)
			}
		}
		check("module", names(usedModule, source), names(declared["module"], source))
		var resources, data []string
		for _, match := range usedResource.FindAllStringSubmatch(source, -1) {
			if match[1] == "" {
				resources = append(resources, match[2]+"."+match[3])
			} else {
				data = append(data, match[2]+"."+match[3])
			}
		}
		check("resource", resources, names(declared["resource"], source))
		check("data source", data, names(declared["data"], source))
		for _, name := range names(usedLocal, source) {
			if !regexp.MustCompile(`(?m)^  ` + name + `\s+= `).MatchString(source) {
				t.Errorf("infra/%s refers to local.%s, which is not declared", directory, name)
			}
		}
		for _, name := range names(declared["var"], source) {
			for _, block := range variableBlock.FindAllString(source, -1) {
				if strings.HasPrefix(block, `variable "`+name+`"`) && !strings.Contains(block, "\n  description = \"") {
					t.Errorf("infra/%s: variable %q has no description", directory, name)
				}
			}
		}
	}
}

func TestCallsOfTheTencentFunctionModuleMatchItsVariables(t *testing.T) {
	variables := names(declared["var"], terraformSource(t, "tencent/function"))
	outputs := names(declared["output"], terraformSource(t, "tencent/function"))
	for _, function := range functions {
		content, err := os.ReadFile(filepath.Join("tencent", function+".tf"))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^  ([a-z_]+)\s+= `).FindAllStringSubmatch(string(content), -1) {
			if name := match[1]; name != "source" && !slices.Contains(variables, name) {
				t.Errorf("%s.tf passes %s, which infra/tencent/function does not take", function, name)
			}
		}
	}
	for _, match := range regexp.MustCompile(`module\.[a-z_]+\.([a-z_]+)`).FindAllStringSubmatch(terraformSource(t, "tencent"), -1) {
		if !slices.Contains(outputs, match[1]) {
			t.Errorf("infra/tencent reads output %s of a function, which it does not have", match[1])
		}
	}
}

func TestTheExampleVariablesExist(t *testing.T) {
	variables := names(declared["var"], terraformSource(t, "tencent"))
	content, err := os.ReadFile(filepath.Join("tencent", "terraform.tfvars.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`(?m)^(?:# )?([a-z_]+)\s+= `).FindAllStringSubmatch(string(content), -1) {
		if !slices.Contains(variables, match[1]) {
			t.Errorf("terraform.tfvars.example sets %s, which is no variable", match[1])
		}
	}
}

// Every env: reference of the example configurations is set by the infrastructure beside it.
func TestTheExampleConfigurationsMatchTheInfrastructure(t *testing.T) {
	for cloud, store := range map[string]string{"aws": "dynamodb", "tencent": "redis"} {
		content, err := os.ReadFile(filepath.Join(cloud, "yuexin.example.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var configuration struct {
			Store struct{ Kind, Table, URL string }
			Apps  []map[string]any
		}
		if err := yaml.Unmarshal(content, &configuration); err != nil {
			t.Fatal(err)
		}
		if configuration.Store.Kind != store || len(configuration.Apps) == 0 {
			t.Errorf("infra/%s/yuexin.example.yaml: store is %q, want %q, with %d apps", cloud, configuration.Store.Kind, store, len(configuration.Apps))
		}
		provided := readAll(t, filepath.Join(cloud, "*.tf"))
		if cloud == "tencent" {
			provided += readAll(t, filepath.Join(cloud, "terraform.tfvars.example"))
		}
		for _, match := range regexp.MustCompile(`env:([A-Z0-9_]+)`).FindAllStringSubmatch(string(content), -1) {
			if match[1] != "NAME" && !strings.Contains(provided, match[1]) {
				t.Errorf("infra/%s/yuexin.example.yaml refers to %s, which nothing sets", cloud, match[1])
			}
		}
		for _, match := range regexp.MustCompile(`ssm:(/[^\s,}]+)`).FindAllStringSubmatch(string(content), -1) {
			if !strings.HasPrefix(match[1], "/yuexin/dev/") {
				t.Errorf("infra/%s/yuexin.example.yaml refers to parameter %s, which no function may read", cloud, match[1])
			}
		}
	}
}

// What holds the ledger is not replaced by an apply whose configuration names another table or instance.
func TestNoApplyDestroysTheLedger(t *testing.T) {
	for file, resource := range map[string]string{"aws/table.tf": `resource "aws_dynamodb_table" "records"`, "tencent/redis.tf": `resource "tencentcloud_redis_instance" "main"`} {
		_, block, found := strings.Cut(readAll(t, file), resource)
		block, _, _ = strings.Cut(block, "\n}\n")
		if !found || !regexp.MustCompile(`(?m)^    prevent_destroy = true`).MatchString(block) {
			t.Errorf("infra/%s: %s can be destroyed", file, resource)
		}
	}
}

// docs/stores.md prescribes redis+cluster:// for clusters: a validation that refuses it leaves an operator with nothing to write.
func TestTheVariablesTakeEveryURLThatTheStoreTakes(t *testing.T) {
	match := regexp.MustCompile(`regex\("([^"]+)", var\.redis_url\)`).FindStringSubmatch(readAll(t, "tencent/variables.tf"))
	if match == nil {
		t.Fatal("redis_url has no validation")
	}
	pattern := regexp.MustCompile(strings.ReplaceAll(match[1], `\\`, `\`))
	for url, want := range map[string]bool{
		"redis://:p@10.66.1.2:6379/0":                                 true,
		"rediss://u:p@h:6379?wait_replicas=1":                         true,
		"redis+cluster://u:p@h:6379?addr=h2:6379&wait_replicas=1":     true,
		"rediss+cluster://u:p@h:6379?addr=h2:6379&wait_timeout=500ms": true,
		"http://h": false, "redis+sentinel://h": false, "redis:///0": false, "h:6379": false,
	} {
		if got := pattern.MatchString(url); got != want {
			t.Errorf("redis_url %s is accepted: %v, want %v", url, got, want)
		}
	}
}

// The policy lets functions start deliver, and nothing in it may widen silently.
func TestNoTencentPolicyHasAWildcard(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("tencent", "role.tf"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(content), "*") {
		t.Error("infra/tencent/role.tf contains a star")
	}
	if found := names(declared["resource"], terraformSource(t, "tencent")); !slices.Contains(found, "tencentcloud_cam_policy.wake") {
		t.Error("the policy has moved out of role.tf, where this test looks for it")
	}
	for _, name := range names(regexp.MustCompile(`resource "tencentcloud_cam_([a-z_]*policy)"`), terraformSource(t, "tencent")) {
		if count := strings.Count(string(content), `resource "tencentcloud_cam_`+name+`"`); count == 0 {
			t.Errorf("there is a tencentcloud_cam_%s outside role.tf", name)
		}
	}
}
