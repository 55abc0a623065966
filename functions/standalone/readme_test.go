package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/functions/standalone/sandbox"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

const (
	readme      = "../../README.md"
	readmeZH    = "../../README.zh-CN.md"
	readmeHost  = "127.0.0.1:8080"
	expectation = "# → " // a comment that says what the command above it prints
)

// command is one command of a README, with what it is said to print.
type command struct {
	block int // which ```sh block it stands in
	text  string
	want  []string
}

// commandsOf are those of the ```sh blocks of a README, in order. A command goes on over lines that end in a backslash.
func commandsOf(t *testing.T, path string) []command {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []command
	for block, m := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(raw), -1) {
		open := false
		for line := range strings.Lines(m[1]) {
			fragment, expects := strings.CutPrefix(line, expectation)
			last := len(list) - 1
			switch {
			case open:
				list[last].text += line
			case strings.TrimSpace(line) == "":
				continue
			case expects:
				if last < 0 || list[last].block != block {
					t.Fatalf("%s: %q stands above any command", path, line)
				}
				list[last].want = append(list[last].want, strings.TrimSpace(fragment))
				continue
			default:
				list = append(list, command{block: block, text: line})
			}
			open = strings.HasSuffix(line, "\\\n")
		}
	}
	return list
}

// A newcomer who types what the README says sees what the README promises.
func TestCommandsOfTheReadmePrintWhatItSays(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			unavailable(t, "the README's commands need "+tool)
		}
	}
	address := readmeHost
	if l, err := net.Listen("tcp", address); err != nil {
		address = freeAddress(t)
	} else if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log := logFile(t)
	s := serve(t, address, log, nil, "--sandbox")
	ran, promised, block := 0, 0, -1
	for _, c := range commandsOf(t, readme) {
		if !strings.HasPrefix(c.text, "curl ") {
			continue
		}
		if c.block != block { // who reads on to the next block gives WeChat's pushes the time to arrive
			pushesArrived(t, s.url)
			block = c.block
		}
		out, err := exec.Command("bash", "-c", strings.ReplaceAll(c.text, readmeHost, address)).CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", c.text, err, out)
		}
		for _, want := range c.want {
			promised++
			if !strings.Contains(string(out), want) {
				t.Errorf("%s\nprinted %s\nwithout %s", c.text, out, want)
			}
		}
		ran++
	}
	if ran < 9 || promised < 7 {
		t.Errorf("%d commands with %d promises were found: is the README still read as it is written?", ran, promised)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("after an interrupt the server ended with %d", code)
	}
	// "me" is the README's openid; as a word it stands in any log.
	quiet(t, contents(t, log), append(sandboxSecrets, `"me"`, "E20261201-88", "已发货", "预计明日送达", "¥128.50"))
}

// pushesArrived waits until the sandbox's WeChat has delivered an event for every tap and every accepted message.
func pushesArrived(t *testing.T, base string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get(base + "/_sim/" + sandbox.AppID + "/totals")
		if err != nil {
			t.Fatal(err)
		}
		var totals wechattest.Totals
		err = json.NewDecoder(resp.Body).Decode(&totals)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if totals.Pushes.Events == totals.Grants+totals.Rejects+totals.Accepted {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("WeChat's events did not arrive: %+v", totals)
		}
	}
}

func TestBothReadmesHaveTheSameCommands(t *testing.T) {
	english, chinese := commandsOf(t, readme), commandsOf(t, readmeZH)
	if len(english) < 12 {
		t.Fatalf("the README has %d commands; the test looked in the wrong place", len(english))
	}
	for i := range max(len(english), len(chinese)) {
		switch {
		case i >= len(english):
			t.Errorf("%s has one more command:\n%s", readmeZH, chinese[i].text)
		case i >= len(chinese):
			t.Errorf("%s lacks the command:\n%s", readmeZH, english[i].text)
		case english[i].text != chinese[i].text || !slices.Equal(english[i].want, chinese[i].want):
			t.Errorf("%s has\n%s%q\nwhere %s has\n%s%q", readmeZH, chinese[i].text, chinese[i].want, readme, english[i].text, english[i].want)
		}
	}
}

var markdownLink = regexp.MustCompile(`\]\(([^)#]+)`)

// Both READMEs lead to the same places in the same order, each to its own language where there are two, and to each other.
func TestLinksOfBothReadmesAgree(t *testing.T) {
	links := func(path, other string) []string {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), "]("+other+")") {
			t.Errorf("%s does not link to %s", path, other)
		}
		var list []string
		for _, m := range markdownLink.FindAllStringSubmatch(string(raw), -1) {
			if m[1] != other {
				list = append(list, strings.TrimSuffix(strings.TrimSuffix(m[1], ".md"), ".zh-CN"))
			}
		}
		return list
	}
	english, chinese := links(readme, "README.zh-CN.md"), links(readmeZH, "README.md")
	if !slices.Equal(english, chinese) {
		t.Errorf("%s links to\n%v\n%s to\n%v", readme, english, readmeZH, chinese)
	}
}
