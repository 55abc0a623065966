package fields

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what one field type demands of a value beyond being a text without control characters.
type kind struct {
	limit int // in UTF-16 code units, or what measure counts

	// measure returns the length that counts against the limit and the limit that then
	// applies. nil: UTF-16 code units against limit.
	measure func(value string) (length, limit int)

	// form returns a code and an explanation when the value is of the wrong form. nil: any text.
	form func(value string) (code, detail string)

	// cut says that Fit may shorten a value: prose stays true when shortened, while an order
	// number, an amount or a date becomes another one.
	cut bool
	// ellipsis says that "…" may stand in the value.
	ellipsis bool
	// lines says that a value may have several lines.
	lines bool
}

// unknownLimit holds for types that WeChat's table does not have. The console's list of types
// is ahead of the documentation, and a type met there must not stop sends: any printable text
// passes, up to the largest limit that the table gives to any type.
const unknownLimit = 32

var kinds = map[string]kind{
	"thing":            {limit: 20, cut: true, ellipsis: true},
	"number":           {limit: 32, measure: countDigits(32), form: number},
	"letter":           {limit: 32, form: only(isASCIILetter, "letters a–z and A–Z")},
	"symbol":           {limit: 5, form: only(isSymbol, "symbols, neither letters, digits nor Chinese")},
	"character_string": {limit: 32, form: only(isCharacterString, "letters a–z and A–Z, digits and symbols")},
	"time":             {limit: 64, form: timeForm},
	"date":             {limit: 64, form: dateForm},
	"amount":           {limit: 10, measure: countDigits(10), form: amount},
	"phone_number":     {limit: 17, form: phone},
	"phone":            {limit: 17, form: phone}, // the console's spelling of phone_number
	"car_number":       {limit: 8, form: carNumber},
	"name":             {limit: 20, measure: measureName, form: only(isName, "Chinese, letters and symbols, without digits"), cut: true, ellipsis: true},
	"phrase":           {limit: 5, form: only(isChinese, "Chinese characters"), cut: true},

	// Enumerated types. Their values come from gettemplate, or from the console for const;
	// until those are known (WithEnums) only the length can be checked. 20 is what a copy of
	// the service account's rules gives for const; for the others nothing is documented.
	"enum":        {limit: unknownLimit},
	"enum_string": {limit: unknownLimit},
	"const":       {limit: 20},

	// Not in the table; users found that about five characters pass.
	"short_thing": {limit: 5, cut: true, ellipsis: true},

	// The old template messages: one ceiling of 200 for every value, line breaks allowed,
	// though WeChat shows only the first line since 2023-05-04.
	"keyword": {limit: 200, cut: true, ellipsis: true, lines: true},
}

func kindOf(typ string) kind {
	if k, ok := kinds[typ]; ok {
		return k
	}
	return kind{limit: unknownLimit, cut: true, ellipsis: true}
}

// length counts characters as UTF-16 code units. WeChat does not say how it counts an emoji;
// of the two ways in use this is the stricter.
func length(value string) int {
	n := 0
	for _, r := range value {
		n += units(r)
	}
	return n
}

func units(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// only makes a form that allows one sort of characters.
func only(allowed func(rune) bool, sort string) func(string) (string, string) {
	detail := "may only have " + sort
	return func(value string) (string, string) {
		for _, r := range value {
			if !allowed(r) {
				return BadCharacter, detail
			}
		}
		return "", ""
	}
}

// countDigits measures a number: the table's limit is of digits, so its point and its
// decimals, or a currency sign, do not count.
func countDigits(limit int) func(string) (int, int) {
	return func(value string) (int, int) {
		n := 0
		for i := 0; i < len(value) && value[i] != '.'; i++ {
			if '0' <= value[i] && value[i] <= '9' {
				n++
			}
		}
		return n, limit
	}
}

// number: digits, decimals allowed. The table says digits only, so no sign.
func number(value string) (string, string) {
	if !isDecimal(value) {
		return BadFormat, "must be digits, with decimals after a point if need be, such as 12 or 12.50"
	}
	return "", ""
}

// amount: a currency sign, digits, decimals, 元. The table reads as if the sign were
// mandatory; "100.00元" without one is in wide use.
func amount(value string) (string, string) {
	digits := strings.TrimSuffix(value, "元")
	if sign, size := utf8.DecodeRuneInString(digits); unicode.Is(unicode.Sc, sign) {
		digits = digits[size:]
	}
	if !isDecimal(digits) {
		return BadFormat, "must be an amount without separators, such as ¥1234.50 or 1234.50元"
	}
	return "", ""
}

// maxDecimals bounds what comes after the point; no amount or number needs more.
const maxDecimals = 10

func isDecimal(text string) bool {
	whole, decimals, hasPoint := strings.Cut(text, ".")
	return isDigits(whole) && (!hasPoint || isDigits(decimals) && len(decimals) <= maxDecimals)
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// phone: digits and symbols, such as +86-0766-66888866.
func phone(value string) (string, string) {
	digits := false
	for _, r := range value {
		if !isDigit(r) && !isSymbol(r) {
			return BadCharacter, "may only have digits and symbols, such as +86-0766-66888866"
		}
		digits = digits || isDigit(r)
	}
	if !digits {
		return BadFormat, "must have digits, such as +86-0766-66888866"
	}
	return "", ""
}

// carNumber: letters and digits, where the first and the last may be Chinese: 粤A8Z888挂.
func carNumber(value string) (string, string) {
	for i, r := range value {
		border := i == 0 || i+utf8.RuneLen(r) == len(value)
		if !isASCIILetter(r) && !isDigit(r) && !(border && isChinese(r)) {
			return BadCharacter, "may only have letters and digits, and Chinese first and last, such as 粤A8Z888挂"
		}
	}
	return "", ""
}

// measureName: up to 10 characters with Chinese among them, else up to 20.
func measureName(value string) (int, int) {
	if strings.ContainsFunc(value, isChinese) {
		return length(value), 10
	}
	return length(value), 20
}

func isASCIILetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isChinese(r rune) bool { return unicode.Is(unicode.Han, r) }

// isSymbol: usual signs other than Chinese, letters and digits, in either width.
func isSymbol(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }

func isCharacterString(r rune) bool {
	return isASCIILetter(r) || isDigit(r) || isSymbol(r)
}

func isName(r rune) bool { return !isDigit(r) }
