package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAuditOfTitles(t *testing.T) {
	app := App{Brands: []string{"悦心"}}
	tests := []struct {
		title string
		want  []string // rules that object
	}{
		// 运营规范 §3, what cannot pass
		{"领取红包!", []string{RuleTitleSuffix, RuleTitlePunctuation, RuleTitleMarketing}},
		{"天气提醒!", []string{RuleTitlePunctuation}},
		{"某某公司服务通知", []string{RuleTitleBrand}},
		{"某某商品购买通知", []string{RuleTitleBrand}},
		{"管理员类通知", []string{RuleTitleBroadcast}},
		{"公告类通知", []string{RuleTitleBroadcast}},
		{"系统通知", []string{RuleTitleBroadcast}},
		{"更新类通知", []string{RuleTitleFrequent}},
		{"回复类通知", []string{RuleTitleFrequent}},
		{"互动类通知", []string{RuleTitleFrequent}},
		{"红包类通知", []string{RuleTitleMarketing}},
		{"优惠券类通知", []string{RuleTitleMarketing}},
		{"活动类通知", []string{RuleTitleMarketing}},
		{"积分类通知", []string{RuleTitleMarketing}},
		{"奖励类通知", []string{RuleTitleMarketing}},
		// 运营规范 §2
		{"消费优惠类通知", []string{RuleTitleMarketing}},
		{"购物返利类通知", []string{RuleTitleMarketing}},
		{"商品降价类通知", []string{RuleTitleMarketing}},
		{"留言提醒", []string{RuleTitleFrequent}},
		{"订阅提醒类通知", []string{RuleTitleFrequent}},
		// disguises and brands
		{"優 惠 券 通知", []string{RuleTitlePunctuation, RuleTitleMarketing}},
		{"悦心服务进度通知", []string{RuleTitleBrand}},
		{"系统类提醒", []string{RuleTitleBroadcast}},
		{"通知", []string{RuleTitleBroadcast}},
		{"订单发货", []string{RuleTitleSuffix}},
		{"订单（发货）通知", []string{RuleTitlePunctuation}},
		// 运营规范 §1, what may be sent
		{"刷卡成功通知", nil}, {"账单通知", nil}, {"资料变更通知", nil}, {"签到通知", nil}, {"登录提醒", nil},
		{"话费通知", nil}, {"水电费通知", nil}, {"物业费通知", nil}, {"设备故障通知", nil}, {"到期提醒", nil},
		{"缴费提醒", nil}, {"会议提醒", nil}, {"赛事提醒", nil}, {"发车提醒", nil}, {"航班延误提醒", nil},
		{"待办任务提醒", nil}, {"审核结果通知", nil}, {"退款结果通知", nil}, {"投标结果通知", nil}, {"订单受理结果通知", nil},
		{"报名结果通知", nil}, {"小区物业通知", nil}, {"反馈通知", nil}, {"订单状态更新通知", nil},
		// innocent words
		{"活动平板检查提醒", nil}, {"康复活动提醒", nil}, {"公司设立登记通知", nil}, {"系统故障通知", nil}, {"公积金到账通知", nil},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			for _, kind := range []Kind{TemplateMessage, OneTime} {
				got := findingRules(Audit(app, Template{ID: "x", Kind: kind, Title: tt.title, Content: threePart}, kind == TemplateMessage, nil), Error)
				got = slices.DeleteFunc(got, func(r string) bool { return !strings.HasPrefix(r, "title_") })
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

func TestAuditOfContent(t *testing.T) {
	type finding struct {
		Rule     string
		Severity Severity
		Place    string
	}
	tests := []struct {
		name    string
		tpl     Template
		legacy  bool
		want    []finding
		without Severity // findings of this severity are not compared
	}{
		{
			name: "a subscription template as WeChat composes it",
			tpl:  Template{Kind: LongTerm, Title: "账单通知", Content: "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}\n"},
		},
		{
			name: "a three-part template in use: first and remark are informations",
			tpl:  card, legacy: true,
			want: []finding{{RuleContentFirst, Info, "content line 1"}, {RuleContentRemark, Info, "content line 5"}},
		},
		{
			name: "one in use without them: informations too",
			tpl:  Template{Kind: TemplateMessage, Title: "刷卡成功通知", Content: "刷卡金额：{{keyword1.DATA}}\n刷卡时间：{{keyword2.DATA}}"}, legacy: true,
			want: []finding{{RuleContentFirst, Info, "content line 1"}, {RuleContentRemark, Info, "content line 2"}},
		},
		{
			name: "one to be submitted without them: warnings",
			tpl:  Template{Kind: TemplateMessage, Title: "刷卡成功通知", Content: "刷卡金额：{{keyword1.DATA}}\n刷卡时间：{{keyword2.DATA}}"},
			want: []finding{{RuleContentFirst, Warning, "content line 1"}, {RuleContentRemark, Warning, "content line 2"}},
		},
		{
			name: "blanks in the braces, as some editors write them",
			tpl:  Template{Kind: TemplateMessage, Title: "刷卡成功通知", Content: "{ {first.DATA} }\n刷卡金额：{{keyword1.DATA}}\n刷卡时间：{{keyword2.DATA}}\n{{remark.DATA}}"},
			want: []finding{{RuleContentParams, Error, "content line 1"}, {RuleContentFirst, Warning, "content line 1"}}, without: Info,
		},
		{
			name: "parameters without DATA, in lower case, not closed, full-width",
			tpl:  Template{Kind: OneTime, Title: "账单通知", Content: "月份:{{time1}}\n金额:{{amount2.data}}\n地点:{{thing3.DATA}\n备注:｛｛thing4.DATA｝｝\n姓名:{{name5.DATA}}\n单号:{{number6.DATA}}"},
			want: []finding{
				{RuleContentParams, Error, "content line 1"}, {RuleContentParams, Error, "content line 2"},
				{RuleContentParams, Error, "content line 3"}, {RuleContentParams, Error, "content line 4"},
			},
		},
		{
			name: "parameters side by side, with and without a blank between",
			tpl:  Template{Kind: OneTime, Title: "到货通知", Content: "地址:{{thing1.DATA}}{{thing2.DATA}}\n时间:{{time3.DATA}} {{time4.DATA}}"},
			want: []finding{{RuleContentAdjacent, Error, "content line 1"}, {RuleContentAdjacent, Error, "content line 2"}},
		},
		{
			name: "parameters parted by a sign are not side by side",
			tpl:  Template{Kind: OneTime, Title: "到货通知", Content: "地址:{{thing1.DATA}}，{{thing2.DATA}}\n时间:{{time3.DATA}}"},
		},
		{
			name: "six keywords and a line without a name",
			tpl:  Template{Kind: TemplateMessage, Title: "到货通知", Content: "{{first.DATA}}\n商品一：{{a.DATA}}\n商品二：{{b.DATA}}\n商品三：{{c.DATA}}\n商品四：{{d.DATA}}\n商品五：{{e.DATA}}\n商品六：{{f.DATA}}\n{{g.DATA}}\n{{remark.DATA}}"},
			want: []finding{{RuleContentKeywords, Error, "content line 8"}, {RuleContentKeywords, Error, "content"}}, without: Info,
		},
		{
			name: "a half-width colon",
			tpl:  Template{Kind: TemplateMessage, Title: "到货通知", Content: "{{first.DATA}}\n商品名称:{{a.DATA}}\n到货时间：{{b.DATA}}\n{{remark.DATA}}"},
			want: []finding{{RuleContentKeywords, Warning, "content line 2"}}, without: Info,
		},
		{
			name:    "advertising, a yield promise and a brand in the fixed text",
			tpl:     Template{Kind: OneTime, Title: "到期提醒", Content: "红包金额:{{amount1.DATA}}\n预期收益:{{amount2.DATA}}\n悦心编号:{{number3.DATA}}"},
			want:    []finding{{RuleNoMarketing, Error, "content line 1"}, {RuleNoYieldPromise, Error, "content line 2"}, {RuleTitleBrand, Error, "content line 3"}, {RuleTitleMismatch, Warning, "content"}},
			without: Warning,
		},
		{
			name: "nothing to check",
			tpl:  Template{Kind: OneTime},
			want: []finding{{RuleTitleSuffix, Warning, "title"}, {RuleContentKeywords, Warning, "content"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got, want []finding
			app := App{Brands: []string{"悦心"}, Categories: []string{"government"}}
			for _, f := range Audit(app, tt.tpl, tt.legacy, nil) {
				if f.Severity != tt.without {
					got = append(got, finding{f.Rule, f.Severity, f.Place})
				}
				if f.Detail == "" || f.DetailZH == "" || f.Advice == "" || f.AdviceZH == "" {
					t.Errorf("%s does not explain itself: %+v", f.Rule, f)
				}
			}
			for _, f := range tt.want {
				if f.Severity != tt.without {
					want = append(want, f)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuditOfMeaning(t *testing.T) {
	content := "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}"
	mine := Template{ID: "A", Kind: OneTime, Title: "水费账单通知", Content: content}
	tests := []struct {
		name  string
		other Template
		want  []string
	}{
		{"itself", mine, nil},
		{"another service", Template{ID: "B", Kind: OneTime, Title: "发货通知", Content: content}, nil},
		{"the same under 提醒", Template{ID: "B", Kind: OneTime, Title: "水费账单提醒"}, []string{"error"}},
		{"the very same without an id", Template{Kind: OneTime, Title: mine.Title, Content: content}, []string{"error"}},
		{"the same of another kind", Template{ID: "B", Kind: LongTerm, Title: "水费账单通知"}, []string{"warning"}},
		{"nearly the same title and the same keywords", Template{ID: "B", Kind: OneTime, Title: "水费月账单通知", Content: content}, []string{"warning"}},
		{"nearly the same title with other keywords", Template{ID: "B", Kind: OneTime, Title: "水费月账单通知", Content: "户号:{{number1.DATA}}\n余额:{{amount2.DATA}}"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Audit(App{}, mine, false, []Template{mine, tt.other}) {
				if f.Rule == RuleDuplicate {
					got = append(got, string(f.Severity))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("duplicates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTitleAndKeywordsOfOneService(t *testing.T) {
	fits := []string{
		"账单通知: 账单月份 应缴金额", "航班延误通知: 航班号 登机口 预计时间", "作业通知: 作业内容 老师 截止时间", "订单发货提醒: 商品名称 快递单号",
		"会议提醒: 会议主题 时间 地点", "复诊提醒: 就诊科室 医生 时间", "停水通知: 小区 时间", "课程提醒: 学费金额 时间", "审核结果通知: 结果 时间",
	}
	suspicious := []string{"刷卡成功通知: 活动名称 促销商品", "小区物业通知: 优惠活动 时间", "航班延误通知: 课程名称 老师", "作业通知: 商品名称 规格"}
	mismatch := func(s string) bool {
		title, labels, _ := strings.Cut(s, ": ")
		var content strings.Builder
		for _, l := range strings.Fields(labels) {
			content.WriteString(l + "：{{thing1.DATA}}\n")
		}
		return slices.Contains(findingRules(Audit(App{}, Template{Kind: OneTime, Title: title, Content: content.String()}, false, nil)), RuleTitleMismatch)
	}
	for _, s := range fits {
		if mismatch(s) {
			t.Errorf("%s was suspected", s)
		}
	}
	for _, s := range suspicious {
		if !mismatch(s) {
			t.Errorf("%s was not suspected", s)
		}
	}
}

func TestAuditOfSettings(t *testing.T) {
	none := Limits{}
	tests := []struct {
		name string
		app  App
		tpl  Template
		want []string
	}{
		{"long-term in a bank's app", App{Categories: []string{"金融"}}, Template{Kind: LongTerm}, nil},
		{"long-term in a shop", App{Categories: []string{"商家自营"}}, Template{Kind: LongTerm}, []string{RuleLongTermCat}},
		{"limited without a key field", App{Categories: []string{"finance"}}, Template{Kind: LongTermLimited}, []string{RuleLimitedPeriod}},
		{"limited with a field that is not there", App{Categories: []string{"finance"}}, Template{Kind: LongTermLimited, KeyField: "number9"}, []string{RuleLimitedPeriod}},
		{"limited in an unknown period", App{Categories: []string{"finance"}}, Template{Kind: LongTermLimited, KeyField: "thing2", Period: "year"}, []string{RuleLimitedPeriod}},
		{"limited as it should be", App{Categories: []string{"finance"}}, Template{Kind: LongTermLimited, KeyField: "thing2", Period: PeriodWeek}, nil},
		{"no limits", App{}, Template{Kind: OneTime, Limits: &none}, nil},
		{"a negative limit", App{}, Template{Kind: OneTime, Limits: &Limits{PerDay: -1}}, []string{RuleFrequencyCap}},
		{"an unknown class", App{}, Template{Kind: OneTime, Class: "late"}, []string{RuleFrequencyCap}},
		{"an exception without a reason", App{}, Template{Kind: OneTime, Exceptions: []Exception{{Word: "优惠"}}}, []string{RuleNoMarketing}},
		{"an exception without a word", App{}, Template{Kind: OneTime, Exceptions: []Exception{{Reason: "x"}}}, []string{RuleNoMarketing}},
		{"unasked in a subscription", App{AccountKind: ServiceAccount}, Template{Kind: OneTime, Unasked: UnaskedFault}, []string{RuleConsent}},
		{"unasked and no warning", App{AccountKind: ServiceAccount}, Template{Kind: TemplateMessage, Unasked: UnaskedFault}, []string{RuleConsent}},
		{"a prompt that rewards", App{}, Template{Kind: OneTime, PromptCopy: "订阅领红包，每日账单随时可取消"}, []string{RulePromptAskedFor}},
		{"a prompt that says what arrives and how to stop it", App{}, Template{Kind: OneTime, PromptCopy: "点击订阅，每周get免费训练计划（不喜欢随时关）"}, nil},
		{"a bare prompt", App{}, Template{Kind: OneTime, PromptCopy: "授权订阅消息"}, []string{RulePromptCopy, RulePromptCopy}},
		{"a prompt that does not say how to stop it", App{}, Template{Kind: OneTime, PromptCopy: "订阅每周康复指导"}, []string{RulePromptCopy}},
		{"a disclaimer field that is not there", App{Categories: []string{"medical"}}, Template{Kind: LongTerm, DisclaimerField: "thing9"}, []string{RuleMedicalDisclaimer}},
		{"an appointment in a hospital is no medical content", App{Categories: []string{"medical"}}, Template{Kind: LongTerm}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.tpl.Title, tt.tpl.Content = "预约成功通知", "预约项目：{{thing1.DATA}}\n预约号码：{{thing2.DATA}}"
			if tt.tpl.Kind == TemplateMessage {
				tt.tpl.Content = "{{first.DATA}}\n" + tt.tpl.Content + "\n{{remark.DATA}}"
			}
			if diff := cmp.Diff(tt.want, findingRules(Audit(tt.app, tt.tpl, false, nil), Error, Warning)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnUnaskedWarningThatSaysSoPasses(t *testing.T) {
	tpl := Template{Kind: TemplateMessage, Title: "暴雨预警通知", Unasked: UnaskedDisaster, Content: threePart}
	if got := findingRules(Audit(App{AccountKind: ServiceAccount}, tpl, true, nil), Error); slices.Contains(got, RuleConsent) {
		t.Errorf("it was refused: %v", got)
	}
}

func TestAnExceptionWithAReasonMakesAFindingAnInformation(t *testing.T) {
	tpl := titled("税务优惠办理通知")
	if got := findingRules(Audit(App{}, tpl, true, nil), Error); !slices.Contains(got, RuleTitleMarketing) {
		t.Fatalf("without the exception: %v", got)
	}
	tpl.Exceptions = []Exception{{Word: "优惠", Reason: "税收优惠备案结果，WeChat 模板库 tid 2041"}}
	for _, f := range Audit(App{}, tpl, true, nil) {
		if f.Rule == RuleTitleMarketing && (f.Severity != Info || !strings.Contains(f.Detail, "tid 2041")) {
			t.Errorf("%+v", f)
		}
	}
}

func TestCheckApp(t *testing.T) {
	if got := CheckApp(App{Limits: &Limits{PerDay: 3, PerWeek: 10}, NoBurst: MinNoBurst, MaxTemplatesPerPrompt: 5, Spread: -1}); got != nil {
		t.Errorf("a sound configuration: %v", got)
	}
	bad := App{
		Limits: &Limits{PerDay: -1}, TemplateLimits: &Limits{PerDay: 5, PerWeek: 3}, MaxTemplatesPerPrompt: 6, NoBurst: 1, Spread: 3 * week,
		RefusalWait: 1, ShelfLife: -1, Words: map[string][]string{"nolist": {"词语"}, "lure": {"一"}}, Brands: []string{"!"}, Categories: []string{""},
	}
	var places []string
	for _, f := range CheckApp(bad) {
		places = append(places, f.Place)
		if f.Detail == "" || f.DetailZH == "" || f.Advice == "" {
			t.Errorf("%+v does not explain itself", f)
		}
	}
	want := []string{"limits.per_day", "template_limits", "max_templates_per_prompt", "no_burst", "spread", "refusal_wait", "shelf_life", "words.lure[0]", "words.nolist", "brands[0]", "categories"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
}

func FuzzAudit(f *testing.F) {
	f.Add("账单通知", threePart)
	f.Add("领取红包!", "{ {first.DATA} }\n{{a.DATA}}{{b.DATA}}")
	f.Add("", "｛｛\xff")
	f.Fuzz(func(t *testing.T, title, content string) {
		for _, kind := range []Kind{OneTime, TemplateMessage} {
			for _, finding := range Audit(App{}, Template{Kind: kind, Title: title, Content: content}, false, nil) {
				if _, ok := Lookup(finding.Rule); !ok || finding.Place == "" {
					t.Errorf("finding %+v", finding)
				}
			}
		}
	})
}
