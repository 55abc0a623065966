package httpapi

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestTheConsoleRunsItsOwnScriptAndNothingElse(t *testing.T) {
	w := newWorld(t)
	got := w.as("", "GET", "/console", nil).want(200)
	page, policy := got.Body.String(), got.Header().Get("Content-Security-Policy")
	if got.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("its type is %q", got.Header().Get("Content-Type"))
	}
	for _, tag := range []string{"script", "style"} {
		if strings.Count(page, "<"+tag) != 1 || strings.Count(page, "</"+tag+">") != 1 {
			t.Errorf("the page has not exactly one %s, as its hash needs", tag)
		}
		if hash := hashOf(page, "<"+tag+">", "</"+tag+">"); !contains(policy, tag+"-src '"+hash+"'") || len(hash) != len("sha256-")+44 {
			t.Errorf("%s with hash %s is not allowed by %s", tag, hash, policy)
		}
	}
	if contains(policy, "unsafe") || !contains(policy, "default-src 'none'") || !contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the policy is loose: %s", policy)
	}
	for what, form := range map[string]string{
		"an address elsewhere": `(?i)https?://|src=|url\(|@import`, "a handler in markup": `(?i)\son[a-z]+="`, "a style in markup": `(?i)\sstyle="`,
		"markup made of text": `innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function`, "a lasting place": `localStorage|document\.cookie`,
	} {
		if m := regexp.MustCompile(form).FindString(page); m != "" {
			t.Errorf("the page holds %s: %q", what, m)
		}
	}
}

func TestTheConsoleAsksOnlyForRoutesThereAre(t *testing.T) {
	calls := regexp.MustCompile(`api\('([A-Z]+)', ([^,;{]*?)\)?[,;)]`).FindAllStringSubmatch(consolePage, -1)
	if len(calls) < 8 {
		t.Fatalf("only %d calls were found", len(calls))
	}
	rt := newRouter(inAll)
	for _, call := range calls {
		// '/schedules/' + s.id + ':' + verb → /schedules/xx:xx: what is not quoted stands for some value.
		path := ""
		for _, part := range strings.Split(call[2], " + ") {
			if literal, quoted := strings.CutPrefix(strings.TrimSpace(part), "'"); quoted {
				path += strings.TrimSuffix(literal, "'")
			} else if strings.HasSuffix(path, ":") {
				path += "pause"
			} else {
				path += "x"
			}
		}
		path, _, _ = strings.Cut(path, "?")
		u, err := url.Parse("/v1/apps/" + appid + path)
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := rt.find(u); p == nil || p.route(call[1]) == nil {
			t.Errorf("%s %s (from %s) leads nowhere", call[1], path, call[2])
		}
	}
}
