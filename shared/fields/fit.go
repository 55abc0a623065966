package fields

import (
	"maps"
	"strings"
	"unicode"
)

// Fit returns a copy of the data in which prose that WeChat would refuse is made to fit, and
// the problems that remain, as Check reports them. In that order and only as far as needed,
// control characters are removed (line breaks and tabs become blanks), runs of blanks are
// collapsed, and the text is cut at its limit, between two characters as a reader sees them,
// with "…" at the end where the type takes symbols. Numbers, amounts, dates, codes, phone
// numbers and enumerated values are never changed, nor is a value that is valid already.
func (l Layout) Fit(data map[string]string) (map[string]string, []Problem) {
	fitted := maps.Clone(data)
	if fitted == nil {
		fitted = map[string]string{}
	}
	for i := range l.fields {
		f := &l.fields[i]
		value, ok := data[f.Key]
		if !ok || !f.kind.cut || f.allowed != nil {
			continue
		}
		if better, ok := f.fit(value); ok {
			fitted[f.Key] = better
		}
	}
	return fitted, l.Check(fitted)
}

// fit returns the value made to fit, and false when that cannot be done or need not.
func (f *field) fit(value string) (string, bool) {
	for _, step := range [...]func(string) string{f.removeControls, f.collapse, f.shorten} {
		p, bad := f.check(value)
		if !bad || p.Code != TooLong && p.Code != BadCharacter {
			break
		}
		value = step(value)
	}
	_, bad := f.check(value)
	return value, !bad
}

// removeControls drops control characters. What separates words becomes a blank, or stays a
// line break where the type has lines.
func (f *field) removeControls(value string) string {
	if f.kind.lines {
		value = strings.ReplaceAll(value, "\r\n", "\n")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !isControl(r) || r == '\n' && f.kind.lines:
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return -1
		}
	}, value)
}

// collapse trims the text and leaves one blank, or one line break, of each run.
func (f *field) collapse(value string) string {
	var b strings.Builder
	var pending rune
	for _, r := range value {
		switch {
		case r == '\n' && f.kind.lines:
			pending = '\n'
		case unicode.IsSpace(r):
			if pending == 0 {
				pending = ' '
			}
		default:
			if pending != 0 && b.Len() > 0 {
				b.WriteRune(pending)
			}
			pending = 0
			b.WriteRune(r)
		}
	}
	return b.String()
}

// shorten cuts the text to its limit. It returns it whole when not one character would be left.
func (f *field) shorten(value string) string {
	limit := f.kind.limit
	if f.kind.measure != nil {
		_, limit = f.kind.measure(value)
	}
	mark := ""
	if f.kind.ellipsis {
		mark = "…"
	}
	cut, shorter := prefix(value, limit-length(mark))
	if cut = strings.TrimRightFunc(cut, unicode.IsSpace); !shorter || cut == "" {
		return value
	}
	return cut + mark
}

// prefix returns the longest beginning of text within limit UTF-16 code units that ends
// between two characters as a reader sees them, and whether that leaves something out.
func prefix(text string, limit int) (string, bool) {
	end, used, flags := 0, 0, 0
	previous := rune(-1)
	for i, r := range text {
		if !joins(previous, r, flags) {
			end = i
		}
		if used += units(r); used > limit {
			return text[:end], true
		}
		if isFlagHalf(r) {
			flags++
		} else {
			flags = 0
		}
		previous = r
	}
	return text, false
}

const (
	zeroWidthNonJoiner = '\u200C'
	zeroWidthJoiner    = '\u200D'
)

// joins reports whether r belongs to the character before it: the rules of UAX #29 for what
// occurs in messages (accents, emoji with skin, sequences and flags, composed Hangul), without
// its tables. flags is how many flag halves stand before r.
func joins(previous, r rune, flags int) bool {
	switch {
	case previous < 0:
		return false
	case previous == zeroWidthJoiner, r == zeroWidthJoiner, r == zeroWidthNonJoiner:
		return true
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc):
		return true
	case 0x1F3FB <= r && r <= 0x1F3FF: // skin
		return true
	case 0xE0020 <= r && r <= 0xE007F: // tags: the flags of England, Scotland and Wales
		return true
	case 0x1160 <= r && r <= 0x11FF: // Hangul vowels and finals
		return true
	case isFlagHalf(previous) && isFlagHalf(r):
		return flags%2 == 1
	}
	return previous == '\r' && r == '\n'
}

func isFlagHalf(r rune) bool { return 0x1F1E6 <= r && r <= 0x1F1FF }
