package shared_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/yuexin-dev/yuexin/"

// rooms says which packages of this module each package may import. Arrows point inward only: functions → setup and
// platform → adapters → submsg → leaves. A package that is not here is a mistake: say where it belongs.
var rooms = map[string][]string{
	"shared/fields":     {},
	"shared/policy":     {},
	"shared/recurrence": {},
	"shared/cost":       {},
	"shared/submsg":     {"shared/fields", "shared/policy", "shared/recurrence"},

	"shared/memory":   {"shared/submsg"},
	"shared/embedded": {"shared/submsg"},
	"shared/dynamo":   {"shared/submsg"},
	"shared/redis":    {"shared/submsg"},
	"shared/wechat":   {"shared/submsg"},
	"shared/endpoint": {"shared/submsg"},
	"shared/httpapi":  {"shared/submsg", "shared/policy", "shared/fields"},
	"shared/emf":      {"shared/submsg"},
	"shared/sqswake":  {},
	"shared/scfwake":  {},
	"shared/platform": {},

	"shared/setup": {
		"shared/submsg", "shared/policy", "shared/fields", "shared/memory", "shared/embedded", "shared/dynamo", "shared/redis", "shared/wechat", "shared/endpoint",
		"shared/httpapi", "shared/emf", "shared/sqswake", "shared/scfwake", "shared/platform",
	},
	"shared/check": {"shared/setup", "shared/policy", "shared/submsg"},

	"functions/grant":    {"shared/platform", "shared/setup"},
	"functions/send":     {"shared/platform", "shared/setup"},
	"functions/schedule": {"shared/platform", "shared/setup"},
	"functions/deliver":  {"shared/platform", "shared/setup"},
	"functions/manage":   {"shared/platform", "shared/setup"},
	"functions/standalone": {
		"shared/platform", "shared/setup", "shared/check", "shared/cost", "shared/policy", "functions/standalone/sandbox", "functions/standalone/tour",
	},
	"functions/standalone/sandbox": {"shared/setup", "shared/wechattest"},
	"functions/standalone/tour":    {"shared/endpoint", "shared/wechattest"},

	// Imported by tests only, and by the sandbox.
	"shared/storetest":    {"shared/submsg"},
	"shared/wechattest":   {},
	"shared/submsgtest":   {"shared/submsg", "shared/policy", "shared/fields", "shared/wechat", "shared/wechattest"},
	"shared/platformtest": {"shared/platform"},
	"shared/dynamotest":   {"shared/dynamo", "shared/submsg", "shared/storetest"},
	"shared/redistest":    {"shared/redis", "shared/submsg"},

	"shared/submsgbench": {}, // benchmarks: nothing but tests

	"tools/package": {},
	"infra":         {},
}

// pure lists the packages that do no I/O: nothing of net, os and database.
var pure = []string{"shared/fields", "shared/policy", "shared/recurrence", "shared/cost", "shared/submsg"}

func TestArrowsPointInwardOnly(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"node_modules", "testdata", ".git", ".serverless", ".terraform"}, d.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		room := path.Dir(filepath.ToSlash(rel))
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s: package %s is in no room; add it to rooms", rel, room)
			return nil
		}
		seen[room] = true
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if inner, ok := strings.CutPrefix(name, module); ok && !slices.Contains(allowed, inner) {
				t.Errorf("%s imports %s, which package %s may not", rel, inner, room)
			}
			top, _, _ := strings.Cut(name, "/")
			if slices.Contains(pure, room) && slices.Contains([]string{"net", "os", "database", "syscall"}, top) {
				t.Errorf("%s imports %s, and package %s does no I/O", rel, name, room)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, must := range []string{"shared/submsg", "functions/send", "shared/setup"} {
		if !seen[must] {
			t.Errorf("package %s was not found: the check looked in the wrong place", must)
		}
	}
}
