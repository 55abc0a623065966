package infra

import (
	"archive/zip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// functions are the deployed functions in the order of the alphabet.
var functions = []string{"deliver", "grant", "manage", "schedule", "send"}

const root = ".."

// template is a CloudFormation template, as far as the tests look into it.
type template struct {
	Parameters map[string]map[string]any
	Conditions map[string]any
	Resources  map[string]resource
	Outputs    map[string]any
}

type resource struct {
	Type           string
	DeletionPolicy string
	Condition      string
	Properties     map[string]any
}

// ofType returns the resources of a type by their logical names.
func (t template) ofType(kind string) map[string]resource {
	found := make(map[string]resource)
	for name, r := range t.Resources {
		if r.Type == kind {
			found[name] = r
		}
	}
	return found
}

var (
	generated   = make(map[string]template)
	generatedMu sync.Mutex
)

// stack returns the template that osls generates from serverless.yml for a stage, with further parameters as name=value. It is
// made anew in each run of the tests: one that lies about may be older than its source. Without osls the test is skipped,
// loudly, and fails in CI.
func stack(t *testing.T, stage string, params ...string) template {
	t.Helper()
	osls := filepath.Join(root, "node_modules", ".bin", "osls")
	if _, err := os.Stat(osls); err != nil {
		const advice = "osls is not installed: run npm ci at the root of the repository"
		if os.Getenv("CI") != "" {
			t.Fatal(advice)
		}
		t.Skip(advice)
	}
	generatedMu.Lock()
	defer generatedMu.Unlock()
	key := strings.Join(append([]string{stage}, params...), " ")
	if known, ok := generated[key]; ok {
		return known
	}
	artifacts, out := t.TempDir(), t.TempDir()
	for _, name := range functions {
		writeZip(t, filepath.Join(artifacts, name+".zip"), name)
	}
	absolute, err := filepath.Abs(osls)
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"package", "--stage", stage, "--package", out}
	for _, param := range append([]string{"config=infra/aws/yuexin.example.yaml", "artifacts=" + artifacts}, params...) {
		arguments = append(arguments, "--param", param)
	}
	cmd := exec.CommandContext(t.Context(), absolute, arguments...)
	cmd.Dir = root
	// No credentials and no questions: a template that needs the network to be made is not reproducible.
	cmd.Env = append(withoutAWS(os.Environ()), "SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off", "CI=1")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("osls package --stage %s: %v\n%s", stage, err, output)
	}
	content, err := os.ReadFile(filepath.Join(out, "cloudformation-template-update-stack.json"))
	if err != nil {
		t.Fatal(err)
	}
	var made template
	if err := json.Unmarshal(content, &made); err != nil {
		t.Fatal(err)
	}
	generated[key] = made
	return made
}

func withoutAWS(environ []string) []string {
	var kept []string
	for _, variable := range environ {
		if !strings.HasPrefix(variable, "AWS_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// writeZip writes a stand-in for a built function: the template does not depend on what is inside.
func writeZip(t *testing.T, path, content string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	w, err := archive.Create("bootstrap")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// at follows a path of keys into decoded JSON and returns nil where it ends early.
func at(value any, path ...string) any {
	for _, key := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[key]
	}
	return value
}

// list makes a list of what may be one value or several.
func list(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// spell writes a value of a template on one line, so that it can be compared and printed: a string as it is, a
// CloudFormation function as "GetAtt Table.Arn".
func spell(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		if len(v) == 1 {
			for name, argument := range v {
				if short, ok := strings.CutPrefix(name, "Fn::"); ok {
					return short + " " + joined(argument)
				}
				if name == "Ref" {
					return "Ref " + joined(argument)
				}
			}
		}
	}
	content, _ := json.Marshal(value)
	return string(content)
}

func joined(argument any) string {
	parts := list(argument)
	words := make([]string, len(parts))
	for i, part := range parts {
		words[i] = spell(part)
	}
	return strings.Join(words, ".")
}
