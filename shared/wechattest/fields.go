package wechattest

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Limits of field values: developers.weixin.qq.com, 发送订阅消息, table of parameter types. What counts as a character
// is not documented; the simulator counts UTF-16 code units, the strictest of the plausible readings.

// checkData returns "" when data fits the template's fields, else the errmsg of 47003. Keys that the template lacks
// are ignored: what WeChat does with them is not documented. Old template messages are not limited: WeChat cuts their
// values.
func (t *template) checkData(req *sendRequest) string {
	if req.badData {
		return "argument invalid! data invalid"
	}
	for _, f := range t.fields {
		i := slices.IndexFunc(req.data, func(d datum) bool { return d.key == f.key })
		if t.Kind == TemplateMessage {
			if i >= 0 && !req.data[i].text {
				return badField(f.key, " invalid")
			}
			continue
		}
		switch {
		case i < 0:
			return badField(f.key, " is emtpy")
		case !req.data[i].text:
			return badField(f.key, " invalid")
		case strings.TrimSpace(req.data[i].value) == "":
			return badField(f.key, " is emtpy")
		case !fits(f, t.Enums[f.key], req.data[i].value):
			return badField(f.key, " invalid")
		}
	}
	return ""
}

// badField words the refusal of a field as WeChat does: with its misspelling of "empty", and cut off when the key is
// long ("data.character_string1.value i").
func badField(key, what string) string {
	place := "data." + key + ".value" + what
	return "argument invalid! " + place[:min(len(place), 30)]
}

// fits reports whether value obeys the limits of the field's type.
func fits(f field, enum []string, value string) bool {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return false
	}
	n := length(value)
	switch f.kind {
	case "thing":
		return n <= 20
	case "number":
		return n <= 32 && numberForm.MatchString(value)
	case "letter":
		return n <= 32 && all(value, isLetter)
	case "symbol":
		return n <= 5 && all(value, isSymbol)
	case "character_string":
		return n <= 32 && !strings.ContainsFunc(value, isHan)
	case "time":
		return timeForm.MatchString(value)
	case "date":
		return dateForm.MatchString(value)
	case "amount":
		return amountForm.MatchString(value)
	case "phone_number", "phone":
		return n <= 17 && all(value, func(r rune) bool { return isDigit(r) || isSymbol(r) })
	case "car_number":
		return n <= 8 && carForm.MatchString(value)
	case "name":
		return fitsName(value, n)
	case "phrase":
		return n <= 5 && all(value, isHan)
	case "short_thing": // undocumented; about five characters work
		return n <= 5
	case "enum", "enum_string", "const":
		return n <= 20 && (len(enum) == 0 || slices.Contains(enum, value))
	}
	return n <= 20 // a type the table does not list is treated like thing
}

// fitsName: at most 10 characters with Chinese among them, or 20 letters and symbols.
func fitsName(value string, n int) bool {
	limit := 20
	if strings.ContainsFunc(value, isHan) {
		limit = 10
	}
	return n <= limit && all(value, func(r rune) bool { return isHan(r) || isLetter(r) || isSymbol(r) })
}

func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func all(s string, is func(rune) bool) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !is(r) })
}

func isHan(r rune) bool    { return unicode.Is(unicode.Han, r) }
func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// isSymbol: the usual signs, a blank among them; neither letter, nor digit, nor Chinese.
func isSymbol(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }

const (
	clock     = `([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?`
	yearDay   = `\d{4}年\d{1,2}月\d{1,2}日|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}`
	shortDate = `\d{4}年\d{1,2}月|\d{1,2}月\d{1,2}日|\d{4}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}`
	anyDate   = `(` + yearDay + `|` + shortDate + `)`
	moment    = `(` + anyDate + ` ?)?` + clock
	dayMoment = anyDate + `( ?` + clock + `)?`
)

// The forms of the typed values. A range is two of the form joined by "~"; its second part may be a bare clock time.
var (
	numberForm = regexp.MustCompile(`^\d+(\.\d+)?$`)
	amountForm = regexp.MustCompile(`^[\p{Sc}]?\d{1,10}(\.\d+)?元?$`)
	carForm    = regexp.MustCompile(`^[\p{Han}A-Za-z0-9][A-Za-z0-9]{0,6}[\p{Han}A-Za-z0-9]?$`)
	timeForm   = regexp.MustCompile(`^` + moment + `( ?~ ?` + moment + `)?$`)
	dateForm   = regexp.MustCompile(`^` + dayMoment + `( ?~ ?(` + dayMoment + `|` + clock + `))?$`)
)
