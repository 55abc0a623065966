package infra

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A guide that names a file, a target or an output that is not there stops its reader in the middle.
func TestTheGuidesNameOnlyWhatExists(t *testing.T) {
	makefile := readAll(t, filepath.Join(root, "Makefile"))
	outputs := map[string][]string{
		"deploy-aws.md":     names(declared["output"], readAll(t, "aws/example/*.tf")),
		"deploy-tencent.md": names(declared["output"], readAll(t, "tencent/*.tf")),
	}
	for name, known := range outputs {
		text := readAll(t, filepath.Join(root, "docs", name))
		for _, path := range names(regexp.MustCompile("[`\\s(]((?:infra|shared|tools|docs)/[A-Za-z0-9_./-]*[A-Za-z0-9_])"), text) {
			if strings.HasSuffix(path, "terraform.tfvars") { // written by the reader
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("docs/%s mentions %s, which does not exist", name, path)
			}
		}
		for _, target := range names(regexp.MustCompile(`\bmake ([a-z]+-[a-z]+)`), text) {
			if !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("docs/%s says make %s, which the Makefile does not have", name, target)
			}
		}
		for _, output := range names(regexp.MustCompile(`output (?:-raw )?([a-z_]+)`), text) {
			if !slices.Contains(known, output) {
				t.Errorf("docs/%s reads output %s, which Terraform does not have", name, output)
			}
		}
	}
}

func TestTheGuidesExplainEveryOutputAndEveryRequiredVariable(t *testing.T) {
	aws, tencent := readAll(t, filepath.Join(root, "docs/deploy-aws.md")), readAll(t, filepath.Join(root, "docs/deploy-tencent.md"))
	for _, output := range names(declared["output"], readAll(t, "tencent/*.tf")) {
		if !strings.Contains(tencent, "`"+output+"`") {
			t.Errorf("docs/deploy-tencent.md does not say what output %s is for", output)
		}
	}
	for _, output := range names(declared["output"], readAll(t, "aws/example/*.tf")) {
		if !strings.Contains(aws, output) {
			t.Errorf("docs/deploy-aws.md does not say what output %s is for", output)
		}
	}
	for _, block := range variableBlock.FindAllString(readAll(t, "tencent/variables.tf"), -1) {
		name := declared["var"].FindStringSubmatch(block)[1]
		if !strings.Contains(block, "\n  default ") && !strings.Contains(tencent, "`"+name+"`") {
			t.Errorf("docs/deploy-tencent.md does not explain variable %s, which has no default", name)
		}
	}
	for name := range stack(t, "dev").Outputs {
		if !strings.HasPrefix(name, "Serverless") && !strings.HasPrefix(name, "HttpApi") && name != "SecretPrefix" && !strings.Contains(aws, name) {
			t.Errorf("docs/deploy-aws.md does not mention the stack's output %s", name)
		}
	}
}
