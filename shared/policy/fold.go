package policy

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Folding takes away what writers change to slip past a list, and what differs
// for no reason at all: width, letter case, accents, traditional characters,
// and everything between letters, from spaces to emoji. 【優 惠·券】 and 优惠券
// fold to the same bytes. One figure is as good as another: 满 199 减 20 and
// 满100减50 both fold to 满0减0, so that a list needs one of them.

// folding is a folded text that remembers where each byte came from.
type folding struct {
	text    []byte
	from    []int32 // for each byte of text, the index of its rune in the original
	figures bool    // keep figures as they are, for names such as 360
}

// add folds s and appends it.
func (f *folding) add(s string) {
	table := foldTable()
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if lower := asciiFold[c]; lower != 0 {
				f.appendASCII(lower, i)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r >= hanFirst && r <= hanLast:
			if simple := table.han[r-hanFirst]; simple != 0 {
				r = rune(simple)
			}
			f.appendRune(r, i)
		default:
			f.addRare(s[i:i+size], r, i)
		}
		i += size
	}
}

// addRare folds a rune that is neither ASCII nor a common Han character.
func (f *folding) addRare(s string, r rune, at int) {
	if word, ok := foldTable().words[r]; ok {
		for _, w := range word {
			f.appendRune(w, at)
		}
		return
	}
	// NFKC's mapping without the composition: the accents that it would compose
	// are dropped below.
	if d := norm.NFKD.PropertiesString(s).Decomposition(); d != nil {
		for len(d) > 0 {
			r, size := utf8.DecodeRune(d)
			f.addLetter(r, at)
			d = d[size:]
		}
		return
	}
	f.addLetter(r, at)
}

// addLetter keeps letters and digits and drops the rest: signs, spaces, marks,
// zero-width characters, emoji.
func (f *folding) addLetter(r rune, at int) {
	if r >= hanFirst && r <= hanLast {
		if simple := foldTable().han[r-hanFirst]; simple != 0 {
			r = rune(simple)
		}
		f.appendRune(r, at)
		return
	}
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		f.appendRune(unicode.ToLower(r), at)
	}
}

// appendASCII appends a letter or a digit; the digits of a figure become one 0.
func (f *folding) appendASCII(c byte, at int) {
	if c <= '9' && !f.figures {
		if n := len(f.text); n > 0 && f.text[n-1] == '0' {
			return
		}
		c = '0'
	}
	f.text = append(f.text, c)
	f.from = append(f.from, int32(at))
}

func (f *folding) appendRune(r rune, at int) {
	if r < utf8.RuneSelf {
		f.appendASCII(byte(r), at)
		return
	}
	before := len(f.text)
	f.text = utf8.AppendRune(f.text, r)
	for range len(f.text) - before {
		f.from = append(f.from, int32(at))
	}
}

// fold is the folded form of s alone.
func fold(s string) string {
	var f folding
	f.add(s)
	return string(f.text)
}

// foldName is fold with the figures kept: 1号线 and 2号线 are two names.
func foldName(s string) string {
	f := folding{figures: true}
	f.add(s)
	return string(f.text)
}

// asciiFold maps ASCII to what is kept of it; 0 is dropped.
var asciiFold = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		switch b := byte(c); {
		case b >= 'a' && b <= 'z' || b >= '0' && b <= '9':
			t[c] = b
		case b >= 'A' && b <= 'Z':
			t[c] = b + 'a' - 'A'
		}
	}
	return t
}()

// The block of the common Han characters (CJK Unified Ideographs).
const (
	hanFirst = 0x4e00
	hanLast  = 0x9fff
)

// foldTables is the content of words/fold.txt.
type foldTables struct {
	han   [hanLast - hanFirst + 1]uint16 // traditional → simplified, 0 = itself
	words map[rune]string                // other signs that stand for words
}

// foldTable reads words/fold.txt once: "繁 简" on each line.
var foldTable = sync.OnceValue(func() *foldTables {
	t := &foldTables{words: make(map[rune]string)}
	for _, line := range readWords("fold") {
		from, to, _ := strings.Cut(line, " ")
		r, _ := utf8.DecodeRuneInString(from)
		s, size := utf8.DecodeRuneInString(to)
		if r >= hanFirst && r <= hanLast && size == len(to) {
			t.han[r-hanFirst] = uint16(s)
		} else {
			t.words[r] = to
		}
	}
	return t
})
