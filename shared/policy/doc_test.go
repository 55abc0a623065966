package policy

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/rules.md anew")

// rulesPage is the page that is made from the rules themselves.
const rulesPage = "../../docs/rules.md"

func TestTheRulesPageIsCurrent(t *testing.T) {
	want := renderRules(t)
	if *update {
		if err := os.WriteFile(rulesPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(rulesPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("docs/rules.md is not what the rules say: run go test ./shared/policy -run TestTheRulesPageIsCurrent -update")
	}
}

func TestEveryRuleIsDescribed(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range Rules() {
		if seen[r.Name] {
			t.Errorf("%s is there twice", r.Name)
		}
		seen[r.Name] = true
		for what, s := range map[string]string{
			"group": string(r.Group), "source": r.Source, "action": r.Action, "example": r.Example,
			"EN": r.EN, "ZH": r.ZH, "advice": r.Advice, "advice in Chinese": r.AdviceZH,
		} {
			if s == "" {
				t.Errorf("%s has no %s", r.Name, what)
			}
		}
		if r.Official && strings.Contains(r.Tune, "0 = no") {
			t.Errorf("%s is official and could be switched off", r.Name)
		}
	}
}

var groupTitles = map[Group]string{
	GroupGrants:    "Grants and prompts 订阅与请求",
	GroupSends:     "Sends 发送",
	GroupTemplates: "Templates 模板审核",
	GroupSchedules: "Schedules 定时任务",
	GroupPenalties: "Penalties and health 处罚与健康度",
}

func renderRules(t *testing.T) []byte {
	var b bytes.Buffer
	b.WriteString(rulesIntro)
	last := Group("")
	for _, r := range Rules() {
		if r.Group != last {
			fmt.Fprintf(&b, "\n## %s\n", groupTitles[r.Group])
			last = r.Group
		}
		kind := "practice 惯例"
		if r.Official {
			kind = "official 官方"
		}
		fmt.Fprintf(&b, "\n### `%s`\n\n%s\n\n%s\n\n", r.Name, r.EN, r.ZH)
		for _, row := range [][2]string{
			{"Kind", kind}, {"Source", r.Source}, {"What happens", r.Action}, {"Default", cmp.Or(r.Default, "—")},
			{"How to tune", cmp.Or(r.Tune, "nothing to tune")}, {"Example", r.Example}, {"What to do", r.Advice + " " + r.AdviceZH},
		} {
			fmt.Fprintf(&b, "- %s: %s\n", row[0], row[1])
		}
	}
	b.WriteString(rulesWords)
	b.WriteString("\n| list | rule | words | innocent words |\n|---|---|---|---|\n")
	for _, s := range sendLists {
		l := lists()[s.list]
		fmt.Fprintf(&b, "| `%s` | `%s` | %d | %d |\n", s.list, s.rule, len(l.words), len(l.allowed))
	}
	for _, name := range auditLists {
		l := lists()[name]
		fmt.Fprintf(&b, "| `%s` | template audit | %d | %d |\n", name, len(l.words), len(l.allowed))
	}
	b.WriteString(rulesCorpus)
	made, held := judgeCorpus(t, false), judgeCorpus(t, true)
	for _, part := range []struct {
		name string
		verdict
	}{{"the lists were made with", made}, {"they were not made for", held}} {
		fmt.Fprintf(&b, "| %s | %d of %d | %d of %d | %.3f | %.3f |\n", part.name,
			part.passedRight, part.mustPass(), part.stoppedRight, part.mustNot(), part.precision(), part.recall())
	}
	b.WriteString("\nWhat they get wrong:\n\n| message | must | does |\n|---|---|---|\n")
	for _, m := range slices.Concat(made.wrong, held.wrong) {
		must, does := "be stopped by `"+m.want+"`", "pass"
		if m.want == "pass" {
			must, does = "pass", "be stopped"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m, must, does)
	}
	return b.Bytes()
}

const rulesIntro = `# The rules

<!-- Made from the rules in shared/policy by: go test ./shared/policy -run TestTheRulesPageIsCurrent -update -->

Every rule has a stable name. API answers, stored sends, logs and the console all use it, and each
decision gives every rule that applies, with a sentence in English and in Chinese.

**Official** rules are WeChat's: from its notices, its documentation or its code of conduct. They can be
tuned within what WeChat allows, never switched off. **Practices** come from experience and can be tuned
per app and per template in ` + "`yuexin.yaml`" + `.

How answers combine: a message whose moment has passed **expires**; else any refusal **refuses**; else caps,
quiet hours and holds **defer** it to the first moment that all of them allow; else it is **sent**. A
deferral that would reach ` + "`valid_until`" + ` is a refusal, save under a hold, which an operator may end early.
After quiet hours messages are spread over ten minutes, so that 08:00 is not a cliff.

Caps are exact rolling windows over the history they are given: with a cap of one in 24 hours, the next
message may go 24 hours after the last one was sent, to the second.

Sources:
- 运营规范: 模板消息运营规范, WeChat's code of conduct for template messages.
- WeChat notice of 2019-10-12: 小程序模板消息能力调整通知.
- developers.weixin.qq.com: the documentation, by the name of the page.
- 实战指南, 长期订阅指南: guides to subscription messages and to long-term ones; they are practices. Where
  实战指南 says that a one-time grant lasts 7 days, the official notice says otherwise and is followed: it
  has no time limit.

What the audit asks of which template: the rules on titles hold for every kind. The content of a subscription
template is composed by WeChat from its own library, so ` + "`content_fixed_text`, `content_first`, `content_remark`" + ` and
the full-width colon are asked of old template messages only, and ` + "`content_length` and `content_keywords`" + ` are
warnings on subscription templates. A finding on a word that the template's configuration excepts with a reason
is an information.
`

const rulesWords = `
## Word lists 词表

The lists lie in ` + "`shared/policy/words`" + `, one word on each line; ` + "`list.allow.txt`" + ` beside a list holds innocent words that contain
a listed one (康复活动, 口红包装). An app adds its own under ` + "`words`" + ` by the list's name, innocent ones under ` + "`list.allow`" + `.

Messages and lists are folded before they are compared: width and letter case, accents, traditional and variant
characters are made equal, and everything that is no letter or digit is dropped, zero-width characters and emoji
included. 【優 惠·券】 is therefore 优惠券. One figure is as good as another: 满100减20 in a list stops 满 199 减 50. A word
in Latin letters counts only as a word of its own. No word runs over the border of two fields. The reason quotes the word as it stands in the text, and the entry it matched.

Scanned are all fields but ` + "`name`, `phone_number`, `car_number`, `number`, `amount`, `time` and `date`" + `: their types hold
proper names and figures, which WeChat checks itself.
`

const rulesCorpus = `
## How well the word rules do 词表效果

Over the messages of ` + "`shared/policy/testdata/corpus.txt`" + `. Most of them were written beside the lists, so the first row guards
against regressions and foretells nothing. The second row is of a batch written after the lists were settled, and the lists
were not changed for it: innocent messages pass, and of advertising that avoids the usual words more than half gets
through. Lists of words know no meaning. They stop what the code of conduct names and its disguises; for the rest there
are ` + "`words`" + ` of one's own, the review on the console, and the person who writes the message.

| messages | of those that must pass, pass | of those that must not, are stopped | precision | recall |
|---|---|---|---|---|
`
