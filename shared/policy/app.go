package policy

import (
	"strings"
	"time"
)

// Kind is the sort of a template: it decides what a user's consent is worth.
type Kind string

// The kinds of templates.
const (
	// OneTime gives one send for each accept (一次性订阅).
	OneTime Kind = "one_time"
	// LongTerm gives sends until the user revokes (长期订阅).
	LongTerm Kind = "long_term"
	// LongTermLimited is long-term with one message in each period for each
	// value of a key field (长期订阅限频消息).
	LongTermLimited Kind = "long_term_limited"
	// TemplateMessage is a service account's old template message (模板消息),
	// which knows no subscription: it answers something the user did.
	TemplateMessage Kind = "template_message"
)

// Subscribed reports whether templates of this kind are agreed to in a prompt.
func (k Kind) Subscribed() bool {
	return k == OneTime || k.lasting()
}

// lasting reports whether one accept allows many sends.
func (k Kind) lasting() bool {
	return k == LongTerm || k == LongTermLimited
}

// Class says how much a message may wait.
type Class string

// The classes of templates. The empty class is Routine.
const (
	// Routine messages keep to caps and quiet hours.
	Routine Class = "routine"
	// Urgent messages pass caps and quiet hours, but never no_burst.
	Urgent Class = "urgent"
)

// The two sorts of WeChat accounts, as configuration and API spell them.
const (
	MiniProgram    = "mini_program"
	ServiceAccount = "service_account"
)

// Limits caps the messages one subscriber gets, over rolling windows: any 24
// hours, any 7×24 hours. Zero means no limit of that sort.
type Limits struct {
	PerDay  int
	PerWeek int
}

// Exception allows one listed word in one template, for a stated reason: a tax
// office may well have to write 优惠. An exception without a reason is an error
// of the configuration and has no effect.
type Exception struct {
	Word   string // as listed; compared as folded text, so 優惠 is 优惠
	Reason string // for the reviewer: why this template needs the word
	Field  string // data key it is limited to, "" = all
}

// App is what the rules need to know of one WeChat account. The zero value of
// each setting means its default, as [Rules] lists it.
type App struct {
	AppID       string
	AccountKind string   // MiniProgram or ServiceAccount
	Categories  []string // 政务民生、医疗、交通、金融、教育, or government, medical, transport, finance, education; others are kept as they are
	Zone        *time.Location

	// Limits caps the messages to one subscriber over all templates.
	// nil = the default, 3 a day; a pointer to zero limits = no cap.
	Limits *Limits
	// TemplateLimits caps the messages to one subscriber of one template, where
	// the template sets nothing. nil = the default of the app's category.
	TemplateLimits *Limits
	// QuietHours is the night. The zero Window is the default, 22:00-08:00;
	// ParseWindow("") is none.
	QuietHours Window
	// Spread is how far sends that quiet hours held back are strewn after their
	// end. 0 = DefaultSpread, negative = not at all.
	Spread time.Duration
	// NoBurst is the time within which the same content is not sent to the same
	// subscriber again. 0 = DefaultNoBurst; less than MinNoBurst counts as MinNoBurst.
	NoBurst time.Duration

	MaxTemplatesPerPrompt int           // 0 = 3; WeChat allows 5 at most
	RefusalWait           time.Duration // first wait after a refused prompt; 0 = DefaultRefusalWait

	Brands []string            // names that may not stand in titles or content
	Words  map[string][]string // words added to a list, by the list's name: no_marketing, lure, …

	// ShelfLife is how long a one-time credit counts. 0 = for ever, which is
	// WeChat's own rule. The ledger applies it before it counts Request.Credits.
	ShelfLife time.Duration
}

// Template is what the rules need to know of one template.
type Template struct {
	ID      string
	Name    string // what callers may use instead of ID
	Kind    Kind
	Title   string
	Content string // "名称:{{key.DATA}}" lines
	Page    string

	Limits     *Limits // nil = the app's; a pointer to zero limits = no cap
	QuietHours *Window // nil = the app's
	Class      Class

	Scenes     []string // scenes of the mini program in which it may be asked for; none = any
	PromptCopy string   // the invitation shown before the prompt, for the audit
	KeyField   string   // LongTermLimited: the field whose values are counted apart
	Period     string   // LongTermLimited: PeriodDay, PeriodWeek or PeriodMonth; "" = month

	// Unasked names why a template message may go to users who did not ask for
	// it: UnaskedFault or UnaskedDisaster, the only two the platform knows.
	Unasked string
	// DisclaimerField is the data key that carries 非医疗诊断,仅供参考 where the
	// fixed text does not.
	DisclaimerField string

	Exceptions []Exception
}

// The reasons for which a template message may go unasked (运营规范 §1, §5).
const (
	UnaskedFault    = "fault"    // 故障类
	UnaskedDisaster = "disaster" // 灾害警示警告类
)

// label is how sentences name the template.
func (t *Template) label() string {
	switch {
	case t.Name != "":
		return t.Name
	case t.Title != "":
		return t.Title
	default:
		return t.ID
	}
}

// urgent reports whether caps and quiet hours are passed.
func (t *Template) urgent() bool { return t.Class == Urgent }

// unasked reports whether the template may be sent without consent: only a
// service account's template message about a fault or a disaster.
func (t *Template) unasked(app *App) bool {
	return t.Kind == TemplateMessage && app.AccountKind == ServiceAccount &&
		(t.Unasked == UnaskedFault || t.Unasked == UnaskedDisaster)
}

// category is one of the public services that WeChat opens long-term
// subscriptions to.
type category string

const (
	government category = "government"
	medical    category = "medical"
	transport  category = "transport"
	finance    category = "finance"
	education  category = "education"
)

// parseCategory understands the English slugs, the Chinese names and the
// console's longer forms such as 医疗-私立医疗机构 or 教育信息服务. It answers ""
// for everything that is no public service.
func parseCategory(s string) category {
	switch s { // what configurations hold, without allocation
	case "government", "medical", "transport", "finance", "education":
		return category(s)
	}
	s = strings.ToLower(strings.TrimSpace(s))
	for _, c := range [...]struct {
		is       category
		prefixes [3]string
	}{
		{government, [3]string{"government", "政务", "民生"}},
		{medical, [3]string{"medical", "医疗", "healthcare"}},
		{transport, [3]string{"transport", "交通", "transportation"}},
		{finance, [3]string{"finance", "金融", "financial"}},
		{education, [3]string{"education", "教育", "education"}},
	} {
		for _, p := range c.prefixes {
			if strings.HasPrefix(s, p) {
				return c.is
			}
		}
	}
	return ""
}

// in reports whether the app has the category.
func (a *App) in(c category) bool {
	for _, s := range a.Categories {
		if parseCategory(s) == c {
			return true
		}
	}
	return false
}

// publicService reports whether WeChat opens long-term subscriptions to the
// app: it has at least one of the five categories.
func (a *App) publicService() bool {
	for _, s := range a.Categories {
		if parseCategory(s) != "" {
			return true
		}
	}
	return false
}

// Shanghai is the zone WeChat's own days and months are counted in. It has had
// no daylight saving since 1991, so a fixed offset needs no zone database.
var Shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// zone is the app's zone, Shanghai where none is set.
func (a *App) zone() *time.Location {
	if a.Zone != nil {
		return a.Zone
	}
	return Shanghai
}
