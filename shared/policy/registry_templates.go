package policy

var templateRules = []Rule{
	{
		Name: RuleTitleSuffix, Group: GroupTemplates, Official: true, Source: "运营规范 §3 内容②", Action: "error",
		Example: "领取红包", EN: "The title ends in 通知 or 提醒.", ZH: "标题必须以“通知”或“提醒”结尾。",
		Advice: "Let the title end in 通知 or 提醒.", AdviceZH: "请让标题以“通知”或“提醒”结尾。",
	},
	{
		Name: RuleTitlePunctuation, Group: GroupTemplates, Official: true, Source: "运营规范 §3 内容②", Action: "error",
		Example: "天气提醒！", EN: "The title has no punctuation and no special sign.", ZH: "标题不能带标点或其他特殊符号。",
		Advice: "Take the sign out of the title.", AdviceZH: "请去掉标题中的符号。",
	},
	{
		Name: RuleTitleBrand, Group: GroupTemplates, Official: true, Source: "运营规范 §3 内容①, §4.9", Action: "error",
		Default: "words/title_brand.txt", Tune: "brands, words.title_brand", Example: "某某公司服务通知",
		EN: "No brand or company name stands in title, keywords or content.", ZH: "标题、关键词和内容不得带有品牌或公司名。",
		Advice: "Use a name that fits the whole trade.", AdviceZH: "请使用具有行业通用性的名称。",
	},
	{
		Name: RuleTitleBroadcast, Group: GroupTemplates, Official: true, Source: "运营规范 §3 内容③", Action: "error",
		Default: "words/title_broadcast.txt", Tune: "words.title_broadcast, templates[].exceptions", Example: "系统通知",
		EN: "The title is not so general that it invites mass sending.", ZH: "标题须说明具体服务行为或使用场景，不得易被用作群发。",
		Advice: "Name the service or the event: 审核结果通知 instead of 系统通知.", AdviceZH: "请写明具体服务，例如用“审核结果通知”代替“系统通知”。",
	},
	{
		Name: RuleTitleFrequent, Group: GroupTemplates, Official: true, Source: "运营规范 §3 内容④, §2.3", Action: "error",
		Default: "words/title_frequent.txt", Tune: "words.title_frequent, templates[].exceptions", Example: "更新类通知",
		EN: "The title is not of the kinds that come too often.", ZH: "标题不得属于更新、回复、互动等高频类型。",
		Advice: "Notify of a result, not of every step.", AdviceZH: "请通知结果，而非每次变动。",
	},
	{
		Name: RuleTitleMarketing, Group: GroupTemplates, Official: true, Source: "运营规范 §3 内容⑤, §4", Action: "error",
		Default: "words/title_marketing.txt", Tune: "words.title_marketing, templates[].exceptions", Example: "优惠券类通知",
		EN: "The title is not of the marketing kinds: red packets, coupons, activities, points, rewards.", ZH: "标题不得属于红包、优惠券、活动、积分、奖励等推广营销类。",
		Advice: "Choose a template of the service itself; cards and coupons belong to WeChat's own card API.", AdviceZH: "请选用服务本身的模板；卡券请接入微信卡券。",
	},
	{
		Name: RuleContentLength, Group: GroupTemplates, Official: true, Source: "运营规范 §4.1", Action: "error; warning on subscription templates",
		Default: "200 characters", Example: "a content of 201 characters", EN: "The content has at most 200 characters.", ZH: "模板内容不能超过 200 个字符。",
		Advice: "Shorten the fixed text.", AdviceZH: "请缩短固定文字。",
	},
	{
		Name: RuleContentFixedText, Group: GroupTemplates, Official: true, Source: "运营规范 §4.1", Action: "error; template messages only",
		Default: "10 characters", Example: "{{first.DATA}}\\n时间：{{keyword1.DATA}}\\n{{remark.DATA}}", EN: "The content has at least 10 fixed characters or signs.", ZH: "模板内容至少有 10 个固定文字或标点。",
		Advice: "Name the keywords in full.", AdviceZH: "请写全关键词名称。",
	},
	{
		Name: RuleContentParams, Group: GroupTemplates, Official: true, Source: "运营规范 §4.2", Action: "error",
		Example: "{ {first.DATA} }, {{time}}", EN: "Parameters are written {{name.DATA}}.", ZH: "参数须以“{{”开头，以“.DATA}}”结尾。",
		Advice: "Write {{name.DATA}}, without blanks.", AdviceZH: "请写作 {{name.DATA}}，不含空格。",
	},
	{
		Name: RuleContentFirst, Group: GroupTemplates, Official: true, Source: "运营规范 §4.5; not displayed since 2023-05-04", Action: "information on templates in use, else warning",
		Example: "a three-part template without {{first.DATA}}", EN: "Template messages of the three-part form begin with {{first.DATA}}, which WeChat no longer displays.", ZH: "三段式模板以 {{first.DATA}} 开头；微信已不再展示该参数。",
		Advice: "Put nothing into first that the user needs.", AdviceZH: "请勿把用户需要的内容放在 first 中。",
	},
	{
		Name: RuleContentRemark, Group: GroupTemplates, Official: true, Source: "运营规范 §4.7; not displayed since 2023-05-04", Action: "information on templates in use, else warning",
		Example: "a three-part template without {{remark.DATA}}", EN: "Template messages of the three-part form end with {{remark.DATA}}, which WeChat no longer displays.", ZH: "三段式模板以 {{remark.DATA}} 结尾；微信已不再展示该参数。",
		Advice: "Put nothing into remark that the user needs.", AdviceZH: "请勿把用户需要的内容放在 remark 中。",
	},
	{
		Name: RuleContentKeywords, Group: GroupTemplates, Official: true, Source: "运营规范 §4.6; developers.weixin.qq.com, addtemplate (2 to 5 keywords)", Action: "error; warning on subscription templates",
		Default: "2 to 5 lines", Example: "six keywords; 时间:{{keyword1.DATA}} with a half-width colon (warning)", EN: "The content has 2 to 5 lines 名称：{{keyword.DATA}} with the full-width colon.", ZH: "模板内容中部为 2 到 5 个“关键词名称：关键词内容参数”（中文冒号）。",
		Advice: "Keep the two to five keywords that matter.", AdviceZH: "请保留最重要的 2 到 5 个关键词。",
	},
	{
		Name: RuleContentAdjacent, Group: GroupTemplates, Official: true, Source: "运营规范 §4.8", Action: "error",
		Example: "{{city.DATA}}{{street.DATA}}", EN: "Two parameters side by side are one parameter.", ZH: "直接相连的参数应简化为一个。",
		Advice: "Merge them and join the values when sending.", AdviceZH: "请合并为一个参数，发送时拼接内容。",
	},
	{
		Name: RuleDuplicate, Group: GroupTemplates, Official: true, Source: "运营规范 §3 内容⑥; wx.requestSubscribeMessage (same title: filter)", Action: "error; warning where only similar or of another kind; left out of the prompt",
		Example: "账单提醒 next to 账单通知", EN: "No template of the same meaning exists already.", ZH: "模板库里不得已有类似模板。",
		Advice: "Use the template there is.", AdviceZH: "请使用已有模板。",
	},
	{
		Name: RuleTitleMismatch, Group: GroupTemplates, Official: true, Source: "运营规范 §2.1", Action: "warning, since it is a guess from words/topics.txt",
		Example: "刷卡成功通知 with the keyword 促销商品", EN: "Title and keywords describe the same service.", ZH: "标题与关键词须描述同一服务。",
		Advice: "Choose the keywords of the service that the title names.", AdviceZH: "请选用与标题所述服务一致的关键词。",
	},
}
