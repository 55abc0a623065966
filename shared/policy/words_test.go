package policy

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFoldTakesAwayDisguises(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"spaces and signs", "优 惠-券！", "优惠券"},
		{"zero-width characters", "优\u200b惠\ufeff券", "优惠券"},
		{"emoji between characters", "优🎉惠❤️券", "优惠券"},
		{"full-width letters", "ＡＰＰ", "app"},
		{"letter case", "CouPon", "coupon"},
		{"traditional characters", "優惠紅包領取下載", "优惠红包领取下载"},
		{"accents", "prómo", "promo"},
		{"circled and squared characters", "①折 🈹", "0折割"},
		{"one figure is as good as another", "满 199 减 20.5", "满0减0"},
		{"compatibility ideographs", "\uf9b4取", "领取"},
		{"a sign that stands for a word", "🧧", "红包"},
		{"a variant character", "优惠劵", "优惠券"},
		{"invalid UTF-8", "优\xff惠", "优惠"},
		{"nothing to keep", "！？ \n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fold(tt.in); got != tt.want {
				t.Errorf("fold(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestFoldingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		once := fold(rapid.String().Draw(t, "text"))
		if twice := fold(once); twice != once {
			t.Fatalf("%q becomes %q", once, twice)
		}
	})
}

func TestCheckWords(t *testing.T) {
	type hit struct{ Code, Field, Word, Entry, List string }
	tests := []struct {
		name string
		app  App
		tpl  Template
		data map[string]string
		want []hit
	}{
		{name: "an innocent message", data: map[string]string{"thing1": "您的订单已发货"}},
		{
			name: "the word is shown as it stands in the text", data: map[string]string{"thing1": "快来【優 惠·券】"},
			want: []hit{{RuleNoMarketing, "thing1", "優 惠·券", "优惠券", "no_marketing"}},
		},
		{
			name: "the longest entry speaks for the shorter ones inside it", data: map[string]string{"thing1": "优惠券"},
			want: []hit{{RuleNoMarketing, "thing1", "优惠券", "优惠券", "no_marketing"}},
		},
		{
			name: "a word is reported once in a field and once in each field",
			data: map[string]string{"thing2": "红包红包", "thing1": "红包"},
			want: []hit{{RuleNoMarketing, "thing1", "红包", "红包", "no_marketing"}, {RuleNoMarketing, "thing2", "红包", "红包", "no_marketing"}},
		},
		{
			name: "no word runs over the border of two fields", data: map[string]string{"thing1": "质量优", "thing2": "惠州店"},
		},
		{
			name: "a lure is no_marketing by another list", data: map[string]string{"thing1": "下载APP领取"},
			want: []hit{{RuleNoMarketing, "thing1", "下载APP", "下载app", "lure"}},
		},
		{name: "活动平板", data: map[string]string{"thing1": "活动平板运动试验"}},
		{name: "康复活动", data: map[string]string{"thing1": "康复活动安排"}},
		{name: "口红包装", data: map[string]string{"thing1": "口红包装"}},
		{name: "质量优，惠州店", data: map[string]string{"thing1": "质量优，惠州店"}},
		{
			name: "an innocent word excuses only what it covers", data: map[string]string{"thing1": "口红包装内有红包"},
			want: []hit{{RuleNoMarketing, "thing1", "红包", "红包", "no_marketing"}},
		},
		{name: "a Latin word inside another", data: map[string]string{"thing1": "Boston salesman, promoted"}},
		{
			name: "a Latin word of its own", data: map[string]string{"thing1": "PROMO 8!"},
			want: []hit{{RuleNoMarketing, "thing1", "PROMO", "promo", "no_marketing"}},
		},
		{name: "a person's name is no advertisement", data: map[string]string{"name1": "红包", "phone_number2": "抽奖", "car_number3": "促销"}},
		{
			name: "an old template message is scanned in all its parts", data: map[string]string{"first": "大促", "keyword1": "红包", "remark": "抽奖"},
			want: []hit{
				{RuleNoMarketing, "first", "大促", "大促", "no_marketing"},
				{RuleNoMarketing, "keyword1", "红包", "红包", "no_marketing"},
				{RuleNoMarketing, "remark", "抽奖", "抽奖", "no_marketing"},
			},
		},
		{
			name: "an exception with a reason", tpl: Template{Exceptions: []Exception{{Word: "優惠", Reason: "税务机关的优惠办理结果"}}},
			data: map[string]string{"thing1": "增值税优惠备案已受理"},
		},
		{
			name: "an exception without a reason has no effect", tpl: Template{Exceptions: []Exception{{Word: "优惠"}}},
			data: map[string]string{"thing1": "增值税优惠备案已受理"},
			want: []hit{{RuleNoMarketing, "thing1", "优惠", "优惠", "no_marketing"}},
		},
		{
			name: "an exception does not release a longer word", tpl: Template{Exceptions: []Exception{{Word: "优惠", Reason: "税"}}},
			data: map[string]string{"thing1": "优惠券"},
			want: []hit{{RuleNoMarketing, "thing1", "优惠券", "优惠券", "no_marketing"}},
		},
		{
			name: "an exception for one field", tpl: Template{Exceptions: []Exception{{Word: "优惠", Reason: "税", Field: "thing2"}}},
			data: map[string]string{"thing1": "优惠", "thing2": "优惠"},
			want: []hit{{RuleNoMarketing, "thing1", "优惠", "优惠", "no_marketing"}},
		},
		{
			name: "a word in the template's title is on topic", tpl: Template{Title: "试听课预约提醒"},
			data: map[string]string{"thing1": "试听课明日开始"},
		},
		{
			name: "and off topic elsewhere", tpl: Template{Title: "作业通知"},
			data: map[string]string{"thing1": "试听课明日开始"},
			want: []hit{{RuleOnTopic, "thing1", "试听课", "试听课", "on_topic"}},
		},
		{
			name: "a title does not excuse advertising", tpl: Template{Title: "优惠券到期提醒"},
			data: map[string]string{"thing1": "优惠券到期"},
			want: []hit{{RuleNoMarketing, "thing1", "优惠券", "优惠券", "no_marketing"}},
		},
		{
			name: "an app's own word", app: App{AppID: "wxown", Words: map[string][]string{"no_marketing": {"欢乐送"}}},
			data: map[string]string{"thing1": "歡 樂 送"},
			want: []hit{{RuleNoMarketing, "thing1", "歡 樂 送", "欢乐送", "no_marketing"}},
		},
		{
			name: "an app's own innocent word", app: App{AppID: "wxown3", Words: map[string][]string{"no_marketing.allow": {"优惠办"}}},
			data: map[string]string{"thing1": "请到优惠办窗口"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []hit
			for _, r := range mustEngine(t, &tt.app).CheckWords(&tt.app, &tt.tpl, tt.data) {
				got = append(got, hit{r.Code, r.Field, r.Word, r.Entry, r.List})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("hits (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDisguisedWordsAreFound(t *testing.T) {
	e := mustEngine(t)
	fillers := []string{"", " ", "·", "-", "★", "\u200b", "，", "❤️", "　", "…"}
	rapid.Check(t, func(t *rapid.T) {
		list := lists()["no_marketing"]
		word := rapid.SampledFrom(list.words).Draw(t, "word").word
		if len(word) == len([]rune(word)) {
			word = strings.ReplaceAll(word, " ", "") // Latin words stand alone below
		}
		var b strings.Builder
		for _, r := range word {
			b.WriteRune(r)
			b.WriteString(rapid.SampledFrom(fillers).Draw(t, "filler"))
		}
		text := "【" + b.String() + "】"
		if len(e.CheckWords(&App{}, &Template{}, map[string]string{"thing1": text})) == 0 {
			t.Fatalf("%q (%s) was not found", text, word)
		}
	})
}

func TestReasonsQuoteTheTextTheyCameFrom(t *testing.T) {
	e := mustEngine(t)
	pieces := []string{"优", "惠", "券", "红", "包", " ", "★", "a", "P", "口", "装", "ｐ", "🧧", "下载", "領", "取", "稳", "赚", "\xff"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 20).Draw(t, "pieces"), "")
		for _, r := range e.CheckWords(&App{}, &Template{}, map[string]string{"thing1": text}) {
			if !strings.Contains(text, r.Word) || !strings.Contains(fold(r.Word), fold(r.Entry)) { // 🧧 alone is two characters
				t.Fatalf("%q: the reason quotes %q for the entry %q", text, r.Word, r.Entry)
			}
		}
	})
}

func TestTheMatcherAgreesWithPlainSearch(t *testing.T) {
	m := newMatcher(&App{})
	rapid.Check(t, func(t *rapid.T) {
		var text string
		for range rapid.IntRange(0, 8).Draw(t, "pieces") {
			l := lists()[rapid.SampledFrom(sendLists[:]).Draw(t, "list").list]
			if len(l.allowed) > 0 && rapid.Bool().Draw(t, "allowed") {
				text += rapid.SampledFrom(l.allowed).Draw(t, "innocent")
			} else {
				w := []rune(rapid.SampledFrom(l.words).Draw(t, "word").folded)
				text += string(w[rapid.IntRange(0, len(w)-1).Draw(t, "cut"):])
			}
		}
		for i, s := range sendLists {
			var want []string
			l := lists()[s.list]
			for _, w := range l.words {
				for at := 0; at+len(w.folded) <= len(text); at++ {
					if f := (found{entry: w, start: at, end: at + len(w.folded)}); text[at:f.end] == w.folded && !l.covered(text, f) {
						want = append(want, w.word)
					}
				}
			}
			var got []string
			for _, h := range m.listed([]byte(text)) {
				if h.list == i {
					got = append(got, h.word)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Fatalf("%s in %q: found %v, plain search finds %v", s.list, text, got, want)
			}
		}
	})
}

func TestWordListsAreInOrder(t *testing.T) {
	for name, l := range lists() {
		if len(l.words) == 0 {
			t.Errorf("%s is empty", name)
		}
		seen := make(map[string]bool)
		for _, w := range l.words {
			if why := checkWord(w.word); why != "" {
				t.Errorf("%s: %s", name, why)
			}
			if seen[w.folded] {
				t.Errorf("%s lists %s twice", name, w.word)
			}
			seen[w.folded] = true
		}
		allowed := make(map[string]bool)
		for _, a := range l.allowed {
			if allowed[a] {
				t.Errorf("%s.allow lists %s twice", name, a)
			}
			allowed[a] = true
			if !slices.ContainsFunc(l.words, func(w entry) bool { return strings.Contains(a, w.folded) }) {
				t.Errorf("%s.allow has %s, which holds no listed word", name, a)
			}
			if seen[a] {
				t.Errorf("%s both lists and allows %s", name, a)
			}
		}
	}
}

func TestListsAreWrittenInSimplifiedCharacters(t *testing.T) {
	for name := range lists() {
		for _, w := range append(readWords(name), readWords(name+".allow")...) {
			for _, r := range w {
				if unicode.Is(unicode.Han, r) && fold(string(r)) != string(r) {
					t.Errorf("%s: %s holds %c, which folds to %s: list the simplified form", name, w, r, fold(string(r)))
				}
			}
		}
	}
}

func TestFoldTable(t *testing.T) {
	// Traditional forms of the characters that matter most, from a native
	// writer's hand rather than from the table's own source.
	pairs := []string{
		"優优", "紅红", "領领", "劵券", "會会", "員员", "銷销", "獎奖", "獲获", "價价", "購购", "買买", "贈赠", "禮礼", "滿满",
		"減减", "現现", "發发", "熱热", "賣卖", "專专", "屬属", "轉转", "進进", "載载", "關关", "註注", "賺赚", "穩稳", "穫获",
		"險险", "證证", "兌兑", "開开", "盤盘", "貸贷", "額额", "課课", "聽听", "體体", "驗验", "請请", "業业", "單单", "積积", "團团",
	}
	for _, p := range pairs {
		r := []rune(p)
		if got := fold(string(r[0])); got != string(r[1]) {
			t.Errorf("%c folds to %s, want %c", r[0], got, r[1])
		}
	}
}

func TestAnAppsWordsAreChecked(t *testing.T) {
	for name, words := range map[string]map[string][]string{
		"an unknown list":     {"no_fun": {"玩乐"}},
		"a single character":  {"no_marketing": {"惠"}},
		"nothing to match on": {"lure": {"！！"}},
	} {
		app := &App{AppID: "wx", Words: words}
		if _, err := NewEngine(app); err == nil {
			t.Errorf("%s was accepted by NewEngine", name)
		}
		if !slices.ContainsFunc(CheckApp(*app), func(f Finding) bool { return f.Severity == Error }) {
			t.Errorf("%s was accepted by CheckApp", name)
		}
	}
}

func TestAnAppThatNewEngineDidNotSeeKeepsItsWords(t *testing.T) {
	e := mustEngine(t)
	app := &App{AppID: "late", Words: map[string][]string{"lure": {"暗号"}}}
	for range 2 {
		if len(e.CheckWords(app, &Template{}, map[string]string{"thing1": "对上暗号"})) != 1 {
			t.Fatal("the app's own word was not found")
		}
	}
	if e.CheckWords(&App{AppID: "other"}, &Template{}, map[string]string{"thing1": "对上暗号"}) != nil {
		t.Error("one app's word stopped another's message")
	}
}

func FuzzCheckWords(f *testing.F) {
	e := mustEngine(f)
	for _, s := range []string{"优惠券", "ＡＰＰ下载", "\xff\xfe", "🧧", "①折", "a\u0301promo"} {
		f.Add("thing1", s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		for _, r := range e.CheckWords(&App{}, &Template{Title: "通知"}, map[string]string{key: value}) {
			if r.Field != key || !strings.Contains(value, r.Word) || r.Word == "" {
				t.Errorf("%q: reason %+v", value, r)
			}
		}
	})
}
