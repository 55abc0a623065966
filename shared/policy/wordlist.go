package policy

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// The word lists, one file for each rule: one word a line, # for comments. Next
// to list.txt, list.allow.txt holds the innocent words that contain a listed one.
//
//go:embed words/*.txt
var wordFiles embed.FS

// wordList is one list with the words that excuse it, folded and in file order.
type wordList struct {
	words   []entry
	allowed []string // folded
}

// entry is one listed word as its file spells it and as it is searched for.
type entry struct {
	word   string
	folded string
}

// sendLists are the lists that the data of every message is held against, with
// the rule each belongs to.
var sendLists = [...]struct{ list, rule string }{
	{"no_marketing", RuleNoMarketing},
	{"lure", RuleNoMarketing},
	{"no_yield_promise", RuleNoYieldPromise},
	{"on_topic", RuleOnTopic},
}

// auditLists are the lists that only the audit reads.
var auditLists = [...]string{
	"title_brand", "title_broadcast", "title_frequent", "title_marketing",
	"medical_disclaimer", "medical_content", "unasked", "prompt_copy", "prompt_copy_off",
}

// extendable reports whether an app may add words to the list.
func extendable(list string) bool {
	list = strings.TrimSuffix(list, ".allow")
	for _, l := range sendLists {
		if l.list == list {
			return true
		}
	}
	return slices.Contains(auditLists[:], list)
}

// lists are the built-in word lists by name, parsed when first asked for.
var lists = sync.OnceValue(func() map[string]wordList {
	all := make(map[string]wordList)
	for _, l := range sendLists {
		all[l.list] = loadList(l.list)
	}
	for _, name := range auditLists {
		all[name] = loadList(name)
	}
	return all
})

func loadList(name string) wordList {
	var l wordList
	for _, w := range readWords(name) {
		l.words = append(l.words, entry{word: w, folded: fold(w)})
	}
	for _, w := range readWords(name + ".allow") {
		l.allowed = append(l.allowed, fold(w))
	}
	return l
}

// readWords reads one embedded list; a list without a file is empty.
func readWords(name string) []string {
	text, err := wordFiles.ReadFile("words/" + name + ".txt")
	if err != nil {
		return nil
	}
	var words []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			words = append(words, line)
		}
	}
	return words
}

// extended is the built-in list with the app's own words after it.
func extended(name string, app *App) wordList {
	l := lists()[name]
	if len(app.Words) == 0 {
		return l
	}
	l.words, l.allowed = slices.Clip(l.words), slices.Clip(l.allowed)
	for _, w := range app.Words[name] {
		if f := fold(w); f != "" {
			l.words = append(l.words, entry{word: w, folded: f})
		}
	}
	for _, w := range app.Words[name+".allow"] {
		if f := fold(w); f != "" {
			l.allowed = append(l.allowed, f)
		}
	}
	return l
}

// checkWord says why a word cannot stand in a list, or "".
func checkWord(w string) string {
	switch n := utf8.RuneCountInString(foldName(w)); n {
	case 0:
		return fmt.Sprintf("%q holds no letter or digit, so it would match nothing", w)
	case 1:
		return fmt.Sprintf("%q is one character, which would stop innocent messages; give a longer word", w)
	default:
		return ""
	}
}

// found is one occurrence of a listed word in a folded text.
type found struct {
	entry      entry
	start, end int // bytes of the folded text
}

// find is the first occurrence in the text of a listed word that no allowed
// word covers, longest entry first. It serves the audit, where speed does not
// matter; messages go through the matcher.
func (l wordList) find(text string) (found, bool) {
	var best found
	for _, e := range l.words {
		for from := 0; ; {
			i := strings.Index(text[from:], e.folded)
			if i < 0 {
				break
			}
			f := found{entry: e, start: from + i, end: from + i + len(e.folded)}
			if len(e.folded) > len(best.entry.folded) && !l.covered(text, f) {
				best = f
			}
			from = f.start + 1
		}
	}
	return best, best.end > 0
}

// covered reports whether an allowed word stands in the text around f.
func (l wordList) covered(text string, f found) bool {
	for _, a := range l.allowed {
		if covers(text, a, f.start, f.end) {
			return true
		}
	}
	return false
}

// covers reports whether word occurs in text so that it covers [start, end).
func covers[T string | []byte](text T, word string, start, end int) bool {
	if len(word) < end-start || len(word) > len(text) {
		return false
	}
	for i := max(end-len(word), 0); i <= start && i+len(word) <= len(text); i++ {
		if string(text[i:i+len(word)]) == word {
			return true
		}
	}
	return false
}
