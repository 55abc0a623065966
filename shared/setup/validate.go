package setup

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/fields"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	Source string
	Line   int    // 0: the file as a whole
	Path   string // apps[0].templates[1].kind; "" where the text cannot even be read
	Rule   string // the rule that is broken; "" for a setting that cannot be
	Detail string
}

// Error is file:line: path: rule: detail.
func (f *Fault) Error() string {
	at := f.Source
	if f.Line > 0 {
		at += ":" + strconv.Itoa(f.Line)
	}
	for _, part := range []string{f.Path, f.Rule, f.Detail} {
		if part != "" {
			at += ": " + part
		}
	}
	return at
}

// Faults are the faults in an error of Read or Parse.
func Faults(err error) []*Fault {
	var f *Fault
	switch many, ok := err.(interface{ Unwrap() []error }); {
	case ok:
		var all []*Fault
		for _, e := range many.Unwrap() {
			all = append(all, Faults(e)...)
		}
		return all
	case errors.As(err, &f):
		return []*Fault{f}
	case err != nil:
		return []*Fault{{Detail: err.Error()}}
	}
	return nil
}

// checker gathers faults.
type checker struct {
	c        *Config
	literals bool
	faults   []*Fault
}

func (k *checker) fault(path, format string, args ...any) {
	k.faults = append(k.faults, &Fault{Source: k.c.source, Line: k.c.Line(path), Path: path, Detail: fmt.Sprintf(format, args...)})
}

// broken tells that a rule forbids a setting.
func (k *checker) broken(f Finding) {
	k.faults = append(k.faults, &Fault{Source: k.c.source, Line: f.Line, Path: f.Path, Rule: f.Rule, Detail: f.Detail + " " + f.Advice})
}

// told reports whether a fault of the setting at path, or of what holds it, is known already.
func (k *checker) told(path string) bool {
	return slices.ContainsFunc(k.faults, func(f *Fault) bool { return path == f.Path || strings.HasPrefix(path, f.Path+".") })
}

// error is all faults, in the order of the file.
func (k *checker) error() error {
	slices.SortStableFunc(k.faults, func(a, b *Fault) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, len(k.faults))
	for i, f := range k.faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

func (k *checker) oneOf(path, value string, empty bool, allowed ...string) {
	if value == "" && empty || slices.Contains(allowed, value) {
		return
	}
	k.fault(path, "%q is none of %s", value, strings.Join(allowed, ", "))
}

func (k *checker) secret(path string, s Secret, needed bool) {
	switch {
	case !s.IsSet():
		if needed {
			k.fault(path, "is missing; name a secret such as env:NAME")
		}
	case !s.reference() && !k.literals:
		k.fault(path, "a secret is a reference (%s…), never the secret itself", strings.Join(secretKinds, "…, "))
	}
}

// plain reports whether s has 1 to 64 characters, all of them letters, digits or among the signs. It is no regular
// expression because those are compiled at every start of a function.
func plain(s, signs string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(signs, r)
	}
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, other)
}

func isAppID(s string) bool { return plain(s, "-_") }

// IsName reports whether s can be the name of an API key or a template: letters, digits, '-', '_' and '.'.
func IsName(s string) bool { return plain(s, "-_.") }

// Scopes an API key may have.
var Scopes = []string{"grants", "sends", "schedules", "read"}

func (c *Config) validate(literals bool) error {
	k := &checker{c: c, literals: literals}
	if c.Listen != "" {
		_, port, err := net.SplitHostPort(c.Listen)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			k.fault("listen", "%q is no address and port, such as 127.0.0.1:8080", c.Listen)
		}
	}
	k.oneOf("store.kind", c.Store.Kind, false, "embedded", "dynamodb", "redis", "memory")
	switch c.Store.Kind {
	case "embedded":
		if c.Store.Path == "" {
			k.fault("store.path", "the embedded store needs the path of its file")
		}
	case "dynamodb":
		if c.Store.Table == "" {
			k.fault("store.table", "a DynamoDB store needs the name of its table")
		}
	case "redis":
		switch {
		case !c.Store.URL.IsSet():
			k.fault("store.url", "a Redis store needs its address, as env:NAME or redis://host:6379/0")
		case c.Store.URL.reference(): // looked into where it is resolved
		case strings.Contains(c.Store.URL.ref, "@") && !literals:
			k.fault("store.url", "the address holds a password; name it as env:NAME")
		default:
			if err := checkRedis(c.Store.URL.ref); err != nil {
				k.fault("store.url", "%s", err)
			}
		}
	}
	k.oneOf("queue.kind", c.Queue.Kind, true, "sqs", "scf")
	if len(c.Apps) == 0 {
		k.fault("apps", "no app is configured")
	}
	seen := map[string]bool{}
	for i := range c.Apps {
		k.app(fmt.Sprintf("apps[%d]", i), &c.Apps[i])
		if id := c.Apps[i].AppID; seen[id] {
			k.fault(fmt.Sprintf("apps[%d].appid", i), "%s is configured twice", id)
		} else {
			seen[id] = true
		}
	}
	keys := map[string]bool{}
	for i, key := range c.APIKeys {
		at := fmt.Sprintf("api_keys[%d]", i)
		if keys[key.Name] || keys[key.SHA256] && key.SHA256 != "" {
			k.fault(at, "another key has this name or hash already: the log could not tell them apart")
		}
		keys[key.Name], keys[key.SHA256] = true, true
		if !IsName(key.Name) {
			k.fault(at+".name", "a key needs a name of letters, digits, '-', '_' and '.'")
		}
		if raw, err := hex.DecodeString(key.SHA256); err != nil || len(raw) != 32 {
			k.fault(at+".sha256", "is not the 64 hexadecimal digits of a SHA-256; make a key with: standalone keygen")
		}
		if len(key.Scopes) == 0 {
			k.fault(at+".scopes", "a key without scopes can do nothing; scopes are %s", strings.Join(Scopes, ", "))
		}
		for n, s := range key.Scopes {
			k.oneOf(fmt.Sprintf("%s.scopes[%d]", at, n), s, false, Scopes...)
		}
		if len(key.Apps) == 0 {
			k.fault(at+".apps", `a key without apps can do nothing; name their appids, or "*" for all`)
		}
		for n, a := range key.Apps {
			if a != "*" && !seen[a] {
				k.fault(fmt.Sprintf("%s.apps[%d]", at, n), "app %s is not configured", a)
			}
		}
	}
	k.secret("log_key", c.LogKey, false)
	return k.error()
}

func (k *checker) app(at string, a *AppConfig) {
	if !isAppID(a.AppID) {
		k.fault(at+".appid", "%q is no appid", a.AppID)
	}
	k.oneOf(at+".kind", a.Kind, true, policy.MiniProgram, policy.ServiceAccount)
	if u, err := url.Parse(a.BaseURL); a.BaseURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		k.fault(at+".base_url", "%q is no absolute http or https address", a.BaseURL)
	} else if strings.ContainsAny(a.BaseURL, "?#") {
		k.fault(at+".base_url", "%q has a query or fragment, and the paths of WeChat's API would end up in it; leave it out", a.BaseURL)
	}
	k.secret(at+".secret", a.Secret, true)
	k.oneOf(at+".push.mode", a.Push.Mode, true, "plain", "compatible", "secure")
	k.secret(at+".push.token", a.Push.Token, a.Push.Mode != "")
	k.secret(at+".push.aes_key", a.Push.AESKey, a.Push.Mode == "secure" || a.Push.Mode == "compatible")
	if z, err := time.LoadLocation(a.TimeZone); a.TimeZone != "" && (err != nil || z == time.Local) {
		k.fault(at+".time_zone", "%q is no zone of the IANA database, such as Asia/Shanghai", a.TimeZone)
	}
	if a.Rate < 0 {
		k.fault(at+".rate", "rate is a number of sends per second, or 0 for no limit of our own")
	}
	k.limits(at+".limits", a.Limits)
	k.limits(at+".template_limits", a.TemplateLimits)
	k.window(at+".quiet_hours", a.QuietHours)
	if n := a.MaxTemplatesPerPrompt; n < 0 || n > 5 {
		k.fault(at+".max_templates_per_prompt", "WeChat takes 1 to 5 templates in one prompt")
	}
	if d := time.Duration(a.UnknownAfter); (d != 0 || k.written(at+".unknown_after")) && d < submsg.MinUnknownAfter {
		k.fault(at+".unknown_after", "a sent event is waited for at least %s", submsg.MinUnknownAfter)
	}
	k.some(at+".no_burst", a.NoBurst)
	k.some(at+".refusal_wait", a.RefusalWait)
	k.duration(at+".shelf_life", &a.ShelfLife)
	k.duration(at+".spread", a.Spread)
	k.oneOf(at+".miniprogram_state", a.MiniprogramState, true, "developer", "trial", "formal")
	k.oneOf(at+".lang", a.Lang, true, "zh_CN", "en_US", "zh_HK", "zh_TW")
	k.secret(at+".provider.secret", a.Provider.Secret, len(a.Provider.Hosts) > 0)
	for i, h := range a.Provider.Hosts {
		if h == "" || strings.ContainsAny(h, "/ ") {
			k.fault(fmt.Sprintf("%s.provider.hosts[%d]", at, i), "%q is no host, such as bills.example.com or bills.example.com:8443", h)
		}
	}
	if a.Webhook.URL != "" {
		if u, err := url.Parse(a.Webhook.URL); err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(u.Host, "127.0.0.1") && u.Hostname() != "localhost" {
			k.fault(at+".webhook.url", "a webhook is an absolute https address")
		}
		k.secret(at+".webhook.secret", a.Webhook.Secret, true)
	}
	names := map[string]bool{}
	for i := range a.Templates {
		t := &a.Templates[i]
		tat := fmt.Sprintf("%s.templates[%d]", at, i)
		k.template(tat, t)
		for _, n := range []string{t.ID, t.Name} {
			if n != "" && names[n] {
				k.fault(tat, "%q is the id or name of another template already", n)
			}
			names[n] = true
		}
	}
	for _, f := range k.c.auditApp(at, a, false) {
		if f.forbidden() && !k.told(f.Path) {
			k.broken(f)
		}
	}
}

func (k *checker) template(at string, t *TemplateConfig) {
	if !IsName(t.ID) {
		k.fault(at+".id", "%q is no template id", t.ID)
	}
	if t.Name != "" && !IsName(t.Name) {
		k.fault(at+".name", "a name has letters, digits, '-', '_' and '.'")
	}
	k.oneOf(at+".kind", t.Kind, false, string(policy.OneTime), string(policy.LongTerm), string(policy.LongTermLimited), string(policy.TemplateMessage))
	k.oneOf(at+".class", t.Class, true, string(policy.Routine), string(policy.Urgent))
	k.oneOf(at+".period", t.Period, true, policy.PeriodDay, policy.PeriodWeek, policy.PeriodMonth)
	k.limits(at+".limits", t.Limits)
	k.window(at+".quiet_hours", t.QuietHours)
	if t.Content != "" {
		layout, err := fields.Parse(t.Content)
		if err != nil {
			k.fault(at+".content", "%s", err)
		} else if t.KeyField != "" && !slices.ContainsFunc(layout.Fields(), func(f fields.Field) bool { return f.Key == t.KeyField }) {
			k.fault(at+".key_field", "the content has no parameter %s", t.KeyField)
		}
	}
	for i, e := range t.Exceptions {
		if e.Word == "" || strings.TrimSpace(e.Reason) == "" {
			k.fault(fmt.Sprintf("%s.exceptions[%d]", at, i), "an exception names a word and the reason why this template needs it")
		}
	}
}

func (k *checker) limits(at string, l *LimitsConfig) {
	if l != nil && (l.PerDay < 0 || l.PerWeek < 0) {
		k.fault(at, "a limit is a number of messages, or 0 for none")
	}
}

func (k *checker) duration(at string, d *Duration) {
	if d != nil && *d < 0 {
		k.fault(at, "a duration is not negative")
	}
}

// some is duration for a setting that cannot be switched off: 0s, written down, would be its default.
func (k *checker) some(at string, d Duration) {
	k.duration(at, &d)
	if d == 0 && k.written(at) {
		k.fault(at, "0s does not switch it off; leave it out for the default, or name a time")
	}
}

// written reports whether the member at path stands in the file.
func (k *checker) written(path string) bool { return k.c.lines[path] != 0 }

func (k *checker) window(at string, s *string) {
	if s == nil {
		return
	}
	if _, err := policy.ParseWindow(*s); err != nil {
		k.fault(at, "%s", err)
	}
}
