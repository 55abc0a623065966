package check

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuexin-dev/yuexin/shared/policy"
)

const sound = `store: {kind: embedded, path: data/yuexin.db}
apps:
  - appid: wx0001
    secret: env:S
    categories: [finance]
    templates:
      - id: T1
        name: monthly_bill
        kind: long_term
        title: 账单通知
        content: "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}"
        prompt_copy: 每月账单出账时通知您，可随时在设置中关闭
`

// run checks in a directory of its own that holds the files, and answers the exit code and what was written.
func run(t *testing.T, files map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("YUEXIN_CONFIG", "")
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	code = Run(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	marketing := strings.Replace(sound, "账单通知", "领取红包通知", 1)
	silent := strings.Replace(sound, "每月账单出账时通知您，可随时在设置中关闭", "每月账单出账时通知您", 1)
	for _, tc := range []struct {
		name   string
		config string
		args   []string
		want   int
		says   string
	}{
		{"a sound configuration", sound, nil, 0, "yuexin.yaml: 0 errors, 0 warnings, 0 notes\n  1 app, 1 template\n"},
		{"a warning is no failure", silent, nil, 0, "yuexin.yaml:12: warning: prompt_copy: monthly_bill, prompt_copy: "},
		{"a template that breaks a rule", marketing, nil, 1, "yuexin.yaml:10: error: title_marketing: monthly_bill, title: "},
		{"a setting that makes no sense", strings.Replace(sound, "kind: long_term", "kind: for_ever", 1), nil, 1, "yuexin.yaml:9: error: configuration: apps[0].templates[0].kind: \"for_ever\" is none of "},
		{"an official rule switched off", sound + "    no_burst: 1s\n", nil, 1, "yuexin.yaml:13: error: no_burst: apps[0].no_burst: "},
		{"long-term without a public service", strings.Replace(sound, "finance", "shopping", 1), nil, 1, "yuexin.yaml:9: error: long_term_category: apps[0].templates[0].kind: "},
		{"an unknown key", sound + "    colour: red\n", nil, 1, "yuexin.yaml:13: error: configuration: unknown key \"colour\""},
		{"no file", "", []string{"--config", "nosuch.yaml"}, 1, "nosuch.yaml: error: configuration: "},
		{"in Chinese", marketing, []string{"--lang", "zh"}, 1, "yuexin.yaml:10: 错误: title_marketing: monthly_bill, title: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := map[string]string{"other.txt": ""}
			if tc.config != "" {
				files["yuexin.yaml"] = tc.config
			}
			code, out, errs := run(t, files, tc.args...)
			if code != tc.want || errs != "" {
				t.Errorf("exit code %d, want %d; stderr %q", code, tc.want, errs)
			}
			if !strings.Contains(out, tc.says) {
				t.Errorf("%q is missing in\n%s", tc.says, out)
			}
		})
	}
}

func TestArgumentsThatMakeNoSense(t *testing.T) {
	for name, args := range map[string][]string{
		"an unknown flag":                 {"--colour"},
		"an unknown format":               {"--format", "xml"},
		"an unknown language":             {"--lang", "fr"},
		"a stray argument":                {"yuexin.yaml"},
		"a store of a file of templates":  {"--templates", "t.json", "--store"},
		"an app without its templates":    {"--app", "wx0001"},
		"an app without a configuration":  {"--templates", "t.json", "--app", "wx0001"},
		"a flag that lacks its value":     {"--config"},
		"a format that lacks a templates": {"--format", ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, map[string]string{"yuexin.yaml": sound, "t.json": "{}"}, args...)
			if code != 2 || errs == "" || out != "" {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
			}
		})
	}
}

func TestTheStoreIsLookedAtWhereAsked(t *testing.T) {
	code, out, _ := run(t, map[string]string{"yuexin.yaml": sound}, "--store")
	if code != 0 || !strings.Contains(out, "data/yuexin.db is not there yet") {
		t.Errorf("no file yet: %d\n%s", code, out)
	}
	if _, err := os.Stat("data"); err == nil {
		t.Error("the check made the store's directory")
	}
	code, out, _ = run(t, map[string]string{"yuexin.yaml": sound, "data/yuexin.db": "this is no store"}, "--store")
	if code != 1 || !strings.Contains(out, "yuexin.yaml:1: error: store: ") {
		t.Errorf("no store: %d\n%s", code, out)
	}
	broken := sound + "    rate: -1\n"
	code, out, _ = run(t, map[string]string{"yuexin.yaml": broken, "data/yuexin.db": "this is no store"}, "--store")
	if code != 1 || strings.Contains(out, "error: store: ") || !strings.Contains(out, "the store was not opened") {
		t.Errorf("a configuration with faults: %d\n%s", code, out)
	}
}

const twoTemplates = `{
  "templates": [
    {"title": "订单状态通知", "kind": "one_time",
     "content": "订单号:{{character_string1.DATA}}\n状态:{{phrase2.DATA}}"},
    {"title": "某某公司服务通知", "kind": "template_message",
     "content": "{{first.DATA}}\n服务：{{keyword1.DATA}}{{keyword2.DATA}}\n{{remark.DATA}}"}
  ]
}`

func TestAFileOfTemplates(t *testing.T) {
	config := strings.Replace(sound, "categories: [finance]", "brands: [某某公司]", 1)
	files := map[string]string{"t.json": twoTemplates, "yuexin.yaml": config}
	code, out, _ := run(t, files, "--templates", "t.json")
	if code != 1 || !strings.Contains(out, "t.json:5: error: content_adjacent: ") || strings.Contains(out, "t.json:3: error") {
		t.Errorf("without a configuration: %d\n%s", code, out)
	}
	code, out, _ = run(t, files, "--templates", "t.json", "--config", "yuexin.yaml", "--app", "wx0001")
	if code != 1 || !strings.Contains(out, "t.json:5: error: title_brand: ") {
		t.Errorf("as templates of an app with a brand: %d\n%s", code, out)
	}
	code, out, _ = run(t, files, "--templates", "t.json", "--config", "yuexin.yaml", "--app", "wx0002")
	if code != 1 || !strings.Contains(out, "app wx0002 is not configured") {
		t.Errorf("an app that is not there: %d\n%s", code, out)
	}

	same := `{"templates":[{"title":"账单通知","kind":"long_term","content":"账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}"},
		{"title":"账单通知","kind":"one_time","content":"月份:{{time1.DATA}}\n金额:{{amount2.DATA}}"}]}`
	_, out, _ = run(t, map[string]string{"t.json": same, "yuexin.yaml": sound}, "--templates", "t.json", "--config", "yuexin.yaml")
	if !strings.Contains(out, "t.json:2: ") || !strings.Contains(out, policy.RuleDuplicate) {
		t.Errorf("two of one title:\n%s", out)
	}
	twice := `{"templates":[
		{"title":"账单通知","content":"账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}"},
		{"title":"账单通知","content":"账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}"}]}`
	_, out, _ = run(t, map[string]string{"t.json": twice, "yuexin.yaml": sound}, "--templates", "t.json", "--config", "yuexin.yaml")
	if !strings.Contains(out, "t.json:2: error: duplicate: ") || !strings.Contains(out, "t.json:3: error: duplicate: ") {
		t.Errorf("the very same twice:\n%s", out)
	}
	_, out, _ = run(t, map[string]string{"t.json": same}, "--templates", "t.json")
	if strings.Contains(out, policy.RuleLongTermCat) {
		t.Errorf("nobody said what categories there are:\n%s", out)
	}
}

func TestAFileOfTemplatesThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no JSON", "{\n\"templates\": [\n{]}", "t.json:3: error: templates: "},
		{"an unknown member", "{\"templates\":\n[{\"titel\":\"x\"}]}", `unknown field "titel"`},
		{"a number for a title", "{\n\"templates\":[\n{\"title\":5}]}", "t.json:3: error: templates: templates.title cannot be a JSON number"},
		{"no templates", `{"templates":[]}`, "t.json: error: templates: it holds no templates"},
		{"something after it", "{\"templates\":[{\"title\":\"x\"}]}\n{}", "something follows"},
		{"a kind nobody knows", "{\"templates\":[\n{\"title\":\"x\",\"kind\":\"monthly\"}]}", "t.json:2: error: templates: kind \"monthly\" is none of "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, out, _ := run(t, map[string]string{"t.json": tc.text}, "--templates", "t.json")
			if code != 1 || !strings.Contains(out, tc.want) {
				t.Errorf("%d, %q is missing in\n%s", code, tc.want, out)
			}
		})
	}
	if code, out, _ := run(t, nil, "--templates", "nosuch.json"); code != 1 || !strings.Contains(out, "nosuch.json: error: templates: ") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestJSON(t *testing.T) {
	config := strings.Replace(sound, "账单通知", "领取红包!", 1)
	code, out, _ := run(t, map[string]string{"yuexin.yaml": config}, "--format", "json")
	var got struct {
		Findings []findingJSON  `json:"findings"`
		Summary  map[string]int `json:"summary"`
	}
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || code != 1 {
		t.Fatalf("%d %v\n%s", code, err, out)
	}
	if len(got.Findings) == 0 || got.Summary["errors"] == 0 || got.Summary["errors"]+got.Summary["warnings"]+got.Summary["infos"] != len(got.Findings) {
		t.Errorf("%v of %d findings", got.Summary, len(got.Findings))
	}
	for _, f := range got.Findings {
		if f.File != "yuexin.yaml" || f.Line == 0 || f.AppID != "wx0001" || f.Template == "" || f.Rule == "" || f.Place == "" || f.Detail == "" || f.DetailZH == "" || f.Advice == "" || f.AdviceZH == "" {
			t.Errorf("incomplete: %+v", f)
		}
	}
	if code, out, _ := run(t, map[string]string{"yuexin.yaml": sound}, "--format", "json"); code != 0 || !strings.Contains(out, `"findings": []`) {
		t.Errorf("nothing found: %d\n%s", code, out)
	}
}

func TestSARIF(t *testing.T) {
	config := strings.Replace(sound, "账单通知", "领取红包!", 1) + "    no_burst: 1s\n    rate: -1\n"
	code, out, _ := run(t, map[string]string{"conf/my file.yaml": config}, "--format", "sarif", "--config", "conf/my file.yaml")
	var got sarifLog
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || code != 1 {
		t.Fatalf("%d %v\n%s", code, err, out)
	}
	if got.Version != "2.1.0" || got.Schema == "" || len(got.Runs) != 1 {
		t.Fatalf("%+v", got)
	}
	r := got.Runs[0]
	if r.Tool.Driver.Name == "" || len(r.Results) == 0 {
		t.Fatalf("%+v", r)
	}
	ids := make([]string, len(r.Tool.Driver.Rules))
	for i, rule := range r.Tool.Driver.Rules {
		if ids[i] = rule.ID; rule.ShortDescription.Text == "" {
			t.Errorf("rule %s is not described", rule.ID)
		}
	}
	if slices.Sort(ids); len(slices.Compact(ids)) != len(r.Tool.Driver.Rules) {
		t.Errorf("rules are listed twice: %v", ids)
	}
	lines := map[string]int{}
	for _, res := range r.Results {
		if res.RuleIndex < 0 || res.RuleIndex >= len(r.Tool.Driver.Rules) || r.Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID {
			t.Errorf("%s has rule index %d", res.RuleID, res.RuleIndex)
		}
		if !slices.Contains([]string{"error", "warning", "note"}, res.Level) || res.Message.Text == "" || len(res.Locations) != 1 {
			t.Errorf("%+v", res)
			continue
		}
		at := res.Locations[0].Physical
		if at.Artifact.URI != "conf/my%20file.yaml" || at.Region == nil {
			t.Errorf("%s at %+v", res.RuleID, at)
			continue
		}
		lines[res.RuleID] = at.Region.StartLine
	}
	want := map[string]int{policy.RuleTitlePunctuation: 10, policy.RuleTitleMarketing: 10, policy.RuleNoBurst: 13, ruleConfiguration: 14}
	for rule, line := range want {
		if lines[rule] != line {
			t.Errorf("%s at line %d, want %d", rule, lines[rule], line)
		}
	}

	// A clean run is a valid file too: tools take its absence of results for what it is.
	_, out, _ = run(t, map[string]string{"yuexin.yaml": sound}, "--format", "sarif")
	var clean map[string]any
	if err := json.Unmarshal([]byte(out), &clean); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{}, clean["runs"].([]any)[0].(map[string]any)["results"]); diff != "" {
		t.Error(diff)
	}
}

func TestNoSecretIsWritten(t *testing.T) {
	config := strings.Replace(sound, "secret: env:S", "secret: do-not-print-me", 1)
	for _, format := range []string{"text", "json", "sarif"} {
		code, out, errs := run(t, map[string]string{"yuexin.yaml": config}, "--format", format)
		if code != 1 || strings.Contains(out+errs, "do-not-print-me") || !strings.Contains(out, "apps[0].secret") {
			t.Errorf("%s: %d\n%s%s", format, code, out, errs)
		}
	}
}
