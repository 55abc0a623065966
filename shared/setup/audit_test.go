package setup

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/policy"
)

const audited = `store: {kind: memory}
apps:
  - appid: wx0001
    secret: env:S
    categories: [shopping]
    no_burst: 1s
    templates:
      - id: T1
        kind: one_time
        title: 领取红包!
        content: |
          订单:{{character_string1.DATA}}
          优惠:{{thing2.DATA}}
      - id: T2
        kind: long_term
        title: 账单通知
        content: "账单:{{thing1.DATA}}\n金额:{{amount2.DATA}}"
        prompt_copy: 授权订阅消息
`

func TestFindingsStandAtTheirLine(t *testing.T) {
	c, err := Parse([]byte(audited), "yuexin.yaml", false)
	faults := Faults(err)
	for _, want := range []struct {
		rule, path string
		line       int
	}{
		{policy.RuleNoBurst, "apps[0].no_burst", 6},
		{policy.RuleLongTermCat, "apps[0].templates[1].kind", 15},
	} {
		if !slices.ContainsFunc(faults, func(f *Fault) bool {
			return f.Rule == want.rule && f.Path == want.path && f.Line == want.line && f.Source == "yuexin.yaml"
		}) {
			t.Errorf("no fault %+v in %v", want, err)
		}
	}
	if len(faults) != 2 {
		t.Errorf("faults: %v", err)
	}
	found := c.Audit()
	for _, want := range []struct {
		rule, path string
		line       int
	}{
		{policy.RuleTitlePunctuation, "apps[0].templates[0].title", 10},
		{policy.RuleTitleMarketing, "apps[0].templates[0].title", 10},
		{policy.RuleNoMarketing, "apps[0].templates[0].content line 2", 13},
		{policy.RulePromptCopy, "apps[0].templates[1].prompt_copy", 18},
	} {
		if !slices.ContainsFunc(found, func(f Finding) bool {
			return f.Rule == want.rule && f.Path == want.path && f.Line == want.line && f.AppID == "wx0001"
		}) {
			t.Errorf("no finding %+v", want)
			for _, f := range found {
				t.Logf("  %s %s line %d: %s", f.Rule, f.Path, f.Line, f.Detail)
			}
		}
	}
	for _, f := range found {
		if f.Rule == policy.RuleLongTermCat || f.Rule == policy.RuleNoBurst {
			t.Errorf("told twice: %+v", f)
		}
	}
}

func TestFaultsOfAFileThatCannotBeRead(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"unknown keys", "store: {kind: memory}\nstoer: 1\napps:\n  - appid: wx1\n    sceret: x\n", []string{`y.yaml:2: unknown key "stoer"`, `y.yaml:5: unknown key "sceret"`}},
		{"not YAML", "store: [", []string{"y.yaml:1: "}},
		{"a list", "- 1\n", []string{"y.yaml:1: a configuration is a mapping"}},
		{"two documents", "store: {kind: memory}\n---\nstore: {}\n", []string{"y.yaml: one YAML document"}},
		{"nothing of what is needed", "listen: :80\n", []string{"y.yaml:1: store.kind: ", "y.yaml:1: apps: no app is configured"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(tc.text), "y.yaml", false)
			faults := Faults(err)
			if len(faults) != len(tc.want) {
				t.Fatalf("%d faults: %v", len(faults), err)
			}
			for i, f := range faults {
				if !strings.HasPrefix(f.Error(), tc.want[i]) {
					t.Errorf("%q, want %q", f, tc.want[i])
				}
			}
		})
	}
	if Faults(nil) != nil {
		t.Error("no error has faults")
	}
}

func TestCheckStoreMakesNothing(t *testing.T) {
	dir := t.TempDir()
	noenv := func(string) string { return "" }
	check := func(path string) (string, error) {
		c := &Config{Store: StoreConfig{Kind: "embedded", Path: path}, Apps: []AppConfig{{AppID: "wx1"}}}
		return c.CheckStore(context.Background(), noenv)
	}
	path := filepath.Join(dir, "data", "yuexin.db")
	if looked, err := check(path); err != nil || !strings.Contains(looked, "not there yet") {
		t.Errorf("no file yet: %q %v", looked, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("the check made %v (%v)", list, err)
	}
	if _, err := check(filepath.Join(dir, "no", "such", "place", "yuexin.db")); err == nil {
		t.Error("a directory that is missing is no fault")
	}
	if _, err := check(dir); err == nil {
		t.Error("a directory in the file's place is no fault")
	}
	store, closer, err := openEmbedded(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = store
	if _, err := check(path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("while a server has it: %v", err)
	}
	if err := closer(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if looked, err := check(path); err != nil || !strings.Contains(looked, "sound") {
		t.Errorf("a sound file: %q %v", looked, err)
	}
	broken := slices.Clone(before)
	for i := range broken[:4096] {
		broken[i] ^= 0x5a
	}
	if err := os.WriteFile(path, broken, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := check(path); err == nil || strings.Contains(err.Error(), "sound") {
		t.Errorf("a damaged file: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !slices.Equal(after, broken) {
		t.Errorf("the check changed a damaged file (%v)", err)
	}
}
