package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// scratch is the working memory of one scan, kept between scans so that a
// message that passes allocates next to nothing.
type scratch struct {
	folding
	fields []fieldSpan
}

// fieldSpan is where a field's value lies in the folded text and in itself.
type fieldSpan struct {
	key, value string
	end        int // of its folded text
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// release gives the scratch back without any reference to the message.
func (s *scratch) release() {
	clear(s.fields)
	s.fields = s.fields[:0]
	s.text, s.from = s.text[:0], s.from[:0]
	scratches.Put(s)
}

// fieldGap parts the folded fields: no word holds it, so none runs over the border.
const fieldGap = '\n'

// CheckWords holds the data of a message against the word lists, the app's own
// words among them, and answers one reason for each listed word in each field,
// ordered by field. It is nil where nothing was found, and for an app or
// template that is nil.
func (e *Engine) CheckWords(app *App, tpl *Template, data map[string]string) []Reason {
	if app == nil || tpl == nil {
		return nil
	}
	return e.appendWords(nil, app, tpl, data)
}

// appendWords appends the reasons of all word rules, the medical disclaimer's included.
func (e *Engine) appendWords(reasons []Reason, app *App, tpl *Template, data map[string]string) []Reason {
	reasons = appendDisclaimer(reasons, app, tpl, data)

	s := scratches.Get().(*scratch)
	defer s.release()
	for key, value := range data {
		if !scanned(key) {
			continue
		}
		s.add(value)
		s.fields = append(s.fields, fieldSpan{key: key, value: value, end: len(s.text)})
		s.text = append(s.text, fieldGap)
		s.from = append(s.from, 0)
	}
	hits := e.matcher(app).listed(s.text)
	if len(hits) == 0 {
		return reasons
	}
	return append(reasons, s.explain(hits, app, tpl)...)
}

// scanned reports whether a field's value can carry words. Names of people,
// numbers, amounts, dates and plates are what their types say: WeChat itself
// refuses anything else in them, and a surname is no advertisement.
func scanned(key string) bool {
	switch strings.TrimRight(key, "0123456789") {
	case "name", "phone_number", "phone", "car_number", "number", "amount", "time", "date":
		return false
	default:
		return true
	}
}

// explain turns hits into reasons: without those that are part of a word, part
// of a longer hit, on topic or excepted.
func (s *scratch) explain(hits []hit, app *App, tpl *Template) []Reason {
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(a.start-b.start, b.end-a.end, a.list-b.list, strings.Compare(a.word, b.word))
	})
	topic := ""
	var reasons []Reason
	reach := make([]int, len(sendLists)) // end of the last word reported from each list
	type once struct {
		field, word string
		list        int
	}
	seen := make(map[once]bool)
	for _, h := range hits {
		field := s.fields[slices.IndexFunc(s.fields, func(f fieldSpan) bool { return h.end <= f.end })]
		rule := sendLists[h.list].rule
		if s.insideLatin(h, field.value) || h.end <= reach[h.list] || seen[once{field.key, h.word, h.list}] {
			continue
		}
		if rule == RuleOnTopic {
			if topic == "" {
				topic = fold(tpl.Title) + string(fieldGap) + fold(tpl.Content)
			}
			if strings.Contains(topic, string(s.text[h.start:h.end])) {
				continue
			}
		}
		if s.excepted(h, field.key, tpl) {
			continue
		}
		reach[h.list] = h.end
		seen[once{field.key, h.word, h.list}] = true
		reasons = append(reasons, reasonWord(rule, sendLists[h.list].list, h.word, field.key, s.quote(h, field.value)))
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int { return strings.Compare(a.Field, b.Field) })
	return reasons
}

// quote is the hit as it stands in the value.
func (s *scratch) quote(h hit, value string) string {
	last := int(s.from[h.end-1])
	_, size := utf8.DecodeRuneInString(value[last:])
	end := last + size
	if s.text[h.end-1] == '0' { // one byte for a figure of any length
		for end < len(value) && value[end] >= '0' && value[end] <= '9' {
			end++
		}
	}
	return value[s.from[h.start]:end]
}

// insideLatin reports whether a hit is the middle of a longer word in Latin
// letters: "on sale" is no part of "Boston salesman".
func (s *scratch) insideLatin(h hit, value string) bool {
	latin := func(i int) bool { return i >= 0 && i < len(s.text) && s.text[i] >= 'a' && s.text[i] <= 'z' }
	adjacent := func(i, j int) bool { // the letters at i and j stand side by side in the value
		_, size := utf8.DecodeRuneInString(value[s.from[i]:])
		return int(s.from[i])+size == int(s.from[j])
	}
	return latin(h.start) && latin(h.start-1) && adjacent(h.start-1, h.start) ||
		latin(h.end-1) && latin(h.end) && adjacent(h.end-1, h.end)
}

// excepted reports whether the template's configuration allows the word, with a
// reason, in this field.
func (s *scratch) excepted(h hit, field string, tpl *Template) bool {
	text := s.text
	for _, x := range tpl.Exceptions {
		if !x.valid() || x.Field != "" && x.Field != field {
			continue
		}
		if covers(text, fold(x.Word), h.start, h.end) {
			return true
		}
	}
	return false
}

// valid reports whether the exception names a word and says why.
func (x Exception) valid() bool {
	return strings.TrimSpace(x.Reason) != "" && fold(x.Word) != ""
}

func reasonWord(rule, list, word, field, text string) Reason {
	r := Reason{Code: rule, Field: field, Word: text, Entry: word, List: list}
	as, asZH := "", ""
	if text != word {
		as, asZH = fmt.Sprintf(" (listed as %q)", word), fmt.Sprintf("（即词表中的“%s”）", word)
	}
	switch rule {
	case RuleNoYieldPromise:
		r.Detail = fmt.Sprintf("%s contains %q%s: finance messages promise no yield; state facts only.", field, text, as)
		r.DetailZH = fmt.Sprintf("%s 含“%s”%s：金融类消息不得承诺收益，请只陈述事实。", field, text, asZH)
	case RuleOnTopic:
		r.Detail = fmt.Sprintf("%s contains %q%s, which is not what this template's title and keywords are about; send only what the user subscribed to.", field, text, as)
		r.DetailZH = fmt.Sprintf("%s 含“%s”%s，与模板标题和关键词无关；只能发送用户订阅的内容。", field, text, asZH)
	default:
		r.Detail = fmt.Sprintf("%s contains %q%s: subscription messages carry no advertising or lures. Remove it, or list it under the template's exceptions with the reason.", field, text, as)
		r.DetailZH = fmt.Sprintf("%s 含“%s”%s：订阅消息不得含营销、诱导内容。请删除，或在模板的 exceptions 中写明理由。", field, text, asZH)
	}
	return r
}

// appendDisclaimer asks for 非医疗诊断,仅供参考 in the field that a template
// sets aside for it.
func appendDisclaimer(reasons []Reason, app *App, tpl *Template, data map[string]string) []Reason {
	if tpl.DisclaimerField == "" {
		return reasons
	}
	if _, ok := disclaimer(app, data[tpl.DisclaimerField]); ok {
		return reasons
	}
	return append(reasons, Reason{
		Code:     RuleMedicalDisclaimer,
		Detail:   fmt.Sprintf("%s is to carry the disclaimer of medical content; write 非医疗诊断，仅供参考.", tpl.DisclaimerField),
		DetailZH: fmt.Sprintf("%s 应载明医疗类内容的声明：“非医疗诊断，仅供参考”。", tpl.DisclaimerField),
		Field:    tpl.DisclaimerField,
	})
}

// disclaimer finds the medical disclaimer in a text.
func disclaimer(app *App, text string) (found, bool) {
	return extended("medical_disclaimer", app).find(fold(text))
}
