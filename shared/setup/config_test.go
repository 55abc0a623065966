package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exampleConfig is the example of the configuration's design, with a template id and a hash in place of its ellipses.
const exampleConfig = `listen: 127.0.0.1:8080                              # standalone only
store: {kind: embedded, path: data/yuexin.db}      # dynamodb {table, endpoint?} | redis {url}
apps:
  - appid: wx0123456789abcdef
    base_url: https://api.weixin.qq.com             # the default; tests and the sandbox point elsewhere
    kind: mini_program                              # service_account
    secret: env:WX_SECRET                           # env: | file: | ssm: | secretsmanager:
    push: {token: env:WX_PUSH_TOKEN, aes_key: env:WX_AES_KEY, mode: secure}   # plain; compatible takes either body
    time_zone: Asia/Shanghai
    categories: [medical]
    rate: 500                                       # sends per second, all workers together
    limits: {per_day: 3, per_week: 10}              # per subscriber over all templates
    quiet_hours: "22:00-08:00"                      # "" for none; a template's own setting wins
    max_templates_per_prompt: 3
    templates:
      - id: aBcDefghijklmnopqrstuvwxyz0123456789ABCDEFG  # WeChat's template id
        name: monthly_bill                          # what callers may use instead
        kind: long_term
        title: 账单通知
        content: "账单月份:{{time1.DATA}}\n应缴金额:{{amount2.DATA}}"
        page: pages/bill/index
        limits: {per_day: 1, per_week: 2}
        quiet_hours: "22:00-08:00"
        class: routine                              # urgent
api_keys:
  - {name: backend, sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", scopes: [grants, sends, schedules, read], apps: [wx0123456789abcdef]}
`

func TestExampleOfTheDesignIsAccepted(t *testing.T) {
	c, err := Parse([]byte(exampleConfig), "yuexin.yaml", false)
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := c.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	app, err := catalog.App("wx0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := app.Template("monthly_bill")
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case c.Listen != "127.0.0.1:8080", c.Store.Path != "data/yuexin.db":
		t.Errorf("listen %q, store %+v", c.Listen, c.Store)
	case app.Rate != 500, *app.Rules.Limits != *c.Apps[0].Limits.rules(), app.Rules.Limits.PerWeek != 10, app.Rules.Zone.String() != "Asia/Shanghai":
		t.Errorf("the app is %+v", app.Rules)
	case !tpl.LongTerm(), len(tpl.Layout.Fields()) != 2, tpl.Limits.PerWeek != 2, tpl.Page != "pages/bill/index":
		t.Errorf("the template is %+v", tpl.Template)
	}
}

// Each case is the example with one text replaced by another, and the one fault that this makes.
func TestFaultsAreNamedWithLineAndPath(t *testing.T) {
	for name, bad := range map[string]struct {
		replace, by string
		line        int
		path        string // "" for what cannot even be read
		detail      string
	}{
		"an unknown key":                          {"rate: 500 ", "rat: 500  ", 11, "", `unknown key "rat"`},
		"an unknown key deep inside":              {"{per_day: 1, per_week: 2}", "{per_day: 1, per_month: 2}", 22, "", `unknown key "per_month"`},
		"a key written twice":                     {"page: pages", "title: 账单\n        page: pages", 21, "", `"title" already defined at line 19`},
		"a text where a number belongs":           {"rate: 500", "rate: many", 11, "", "cannot unmarshal"},
		"a tab":                                   {"    rate:", "\trate:", 11, "", "cannot start any token"},
		"a secret that is written down":           {"secret: env:WX_SECRET", "secret: 0f1e2d3c4b5a69788796a5b4c3d2e1f0", 7, "apps[0].secret", "a secret is a reference"},
		"a push token that is written down":       {"token: env:WX_PUSH_TOKEN", "token: plain", 8, "apps[0].push.token", "never the secret itself"},
		"a reference to nothing":                  {"secret: env:WX_SECRET", `secret: "env:"`, 7, "apps[0].secret", "a secret is a reference"},
		"a secret that is a list":                 {"secret: env:WX_SECRET", "secret: [env, WX_SECRET]", 7, "", "a secret is a reference"},
		"no secret":                               {"    secret: env:WX_SECRET ", "    # secret: env:WX_SECRET ", 4, "apps[0].secret", "is missing"},
		"secure pushes without a key":             {", aes_key: env:WX_AES_KEY", "", 8, "apps[0].push.aes_key", "is missing"},
		"pushes without a token":                  {"token: env:WX_PUSH_TOKEN, ", "", 8, "apps[0].push.token", "is missing"},
		"a mode that there is not":                {"mode: secure", "mode: safe", 8, "apps[0].push.mode", `"safe" is none of plain, compatible, secure`},
		"a store that there is not":               {"kind: embedded", "kind: sqlite", 2, "store.kind", `"sqlite" is none of`},
		"a store without its path":                {", path: data/yuexin.db", "", 2, "store.path", "needs the path"},
		"a table without a name":                  {"{kind: embedded, path: data/yuexin.db}", "{kind: dynamodb}", 2, "store.table", "needs the name"},
		"a Redis address with a password":         {"{kind: embedded, path: data/yuexin.db}", "{kind: redis, url: 'redis://:geheim@127.0.0.1:6379/0'}", 2, "store.url", "holds a password"},
		"an address to listen on without a port":  {"listen: 127.0.0.1:8080", "listen: x", 1, "listen", `"x" is no address and port, such as 127.0.0.1:8080`},
		"a port to listen on that there is not":   {"listen: 127.0.0.1:8080", "listen: 127.0.0.1:99999", 1, "listen", "is no address and port"},
		"a queue that there is not":               {"apps:\n", "queue: {kind: kafka}\napps:\n", 3, "queue.kind", `"kafka" is none of sqs, scf`},
		"an appid with a blank":                   {"api_keys:", "  - {appid: wx 0123, secret: env:S}\napi_keys:", 25, "apps[1].appid", `"wx 0123" is no appid`},
		"a kind of account that there is not":     {"kind: mini_program", "kind: mini_game", 6, "apps[0].kind", `"mini_game" is none of`},
		"an address without a scheme":             {"base_url: https://api.weixin.qq.com", "base_url: api.weixin.qq.com", 5, "apps[0].base_url", "no absolute http or https address"},
		"an address with a query":                 {"https://api.weixin.qq.com ", "https://api.weixin.qq.com?x=1 ", 5, "apps[0].base_url", "a query or fragment"},
		"an address with a fragment":              {"https://api.weixin.qq.com ", `"https://api.weixin.qq.com/#" `, 5, "apps[0].base_url", "a query or fragment"},
		"no_burst switched off":                   {"    rate: 500", "    no_burst: 0s\n    rate: 500", 11, "apps[0].no_burst", "leave it out"},
		"a wait of nothing after a refusal":       {"    rate: 500", "    refusal_wait: 0h\n    rate: 500", 11, "apps[0].refusal_wait", "leave it out"},
		"a verdict at once":                       {"    rate: 500", "    unknown_after: 0s\n    rate: 500", 11, "apps[0].unknown_after", "at least 30s"},
		"a zone that there is not":                {"Asia/Shanghai", "Asia/Bejing", 9, "apps[0].time_zone", `"Asia/Bejing" is no zone`},
		"the zone of the machine":                 {"Asia/Shanghai", "Local", 9, "apps[0].time_zone", `"Local" is no zone`},
		"a rate below nothing":                    {"rate: 500", "rate: -1", 11, "apps[0].rate", "sends per second"},
		"a limit below nothing":                   {"{per_day: 3, per_week: 10}", "{per_day: -3}", 12, "apps[0].limits", "0 for none"},
		"quiet hours without an end":              {`quiet_hours: "22:00-08:00"                      `, `quiet_hours: "22:00" `, 13, "apps[0].quiet_hours", ""},
		"more templates than a prompt takes":      {"max_templates_per_prompt: 3", "max_templates_per_prompt: 6", 14, "apps[0].max_templates_per_prompt", "1 to 5"},
		"a verdict sooner than events come":       {"    rate: 500", "    unknown_after: 10s\n    rate: 500", 11, "apps[0].unknown_after", "at least 30s"},
		"a duration without a unit":               {"    rate: 500", "    unknown_after: 120\n    rate: 500", 11, "", `"120" is no duration such as 10m`},
		"a duration longer than time":             {"    rate: 500", "    shelf_life: 2000000d\n    rate: 500", 11, "", `"2000000d" is no duration`},
		"a duration below nothing":                {"    rate: 500", "    refusal_wait: -1h\n    rate: 500", 11, "apps[0].refusal_wait", "not negative"},
		"a spread below nothing":                  {"    rate: 500", "    spread: -1m\n    rate: 500", 11, "apps[0].spread", "not negative"},
		"a list of words that no rule has":        {"    rate: 500", "    words: {no_fun: [秒杀]}\n    rate: 500", 11, "apps[0].words.no_fun", "is no word list"},
		"a version that there is not":             {"    rate: 500", "    miniprogram_state: beta\n    rate: 500", 11, "apps[0].miniprogram_state", `"beta" is none of`},
		"providers without a key":                 {"    rate: 500", "    provider: {hosts: [bills.example.com]}\n    rate: 500", 11, "apps[0].provider.secret", "is missing"},
		"a webhook in the clear":                  {"    rate: 500", "    webhook: {url: 'http://example.com/', secret: env:W}\n    rate: 500", 11, "apps[0].webhook.url", "https"},
		"an id with a blank":                      {"- id: aBcD", "- id: aB cD", 16, "apps[0].templates[0].id", "no template id"},
		"an id left out as in the design":         {"- id: aBcDefghijklmnopqrstuvwxyz0123456789ABCDEFG", "- id: aBcD…", 16, "apps[0].templates[0].id", `"aBcD…" is no template id`},
		"a name in Chinese":                       {"name: monthly_bill", "name: 账单", 17, "apps[0].templates[0].name", "a name has letters"},
		"a kind of template that there is not":    {"kind: long_term", "kind: forever", 18, "apps[0].templates[0].kind", `"forever" is none of`},
		"a template without a kind":               {"        kind: long_term\n", "", 16, "apps[0].templates[0].kind", `"" is none of`},
		"a content that is no layout":             {"{{time1.DATA}}", "{{time1.DATA}", 20, "apps[0].templates[0].content", ""},
		"a class that there is not":               {"class: routine", "class: vip", 24, "apps[0].templates[0].class", `"vip" is none of`},
		"a key field that the content has not":    {"class: routine", "key_field: thing9", 24, "apps[0].templates[0].key_field", "no parameter thing9"},
		"an exception without a reason":           {"class: routine", "exceptions: [{word: 优惠}]", 24, "apps[0].templates[0].exceptions[0]", "the reason why"},
		"two templates of one name":               {"api_keys:", "      - {id: other, name: monthly_bill, kind: one_time}\napi_keys:", 25, "apps[0].templates[1]", `"monthly_bill" is the id or name of another template`},
		"long_term without a category":            {"categories: [medical]", "categories: [shopping]", 18, "apps[0].templates[0].kind", "long_term_category"},
		"one app twice":                           {"api_keys:", "  - {appid: wx0123456789abcdef, secret: env:S}\napi_keys:", 25, "apps[1].appid", "configured twice"},
		"no apps":                                 {exampleConfig[strings.Index(exampleConfig, "apps:"):], "apps: []\n", 3, "apps", "no app is configured"},
		"a hash that is no hash":                  {`"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`, `"…"`, 26, "api_keys[0].sha256", "standalone keygen"},
		"a hash that is cut off":                  {"15b0f00a08", "15b0f00a", 26, "api_keys[0].sha256", "64 hexadecimal digits"},
		"a key without a name":                    {"name: backend, ", "", 26, "api_keys[0].name", "needs a name"},
		"a key without scopes":                    {"scopes: [grants, sends, schedules, read], ", "", 26, "api_keys[0].scopes", "can do nothing"},
		"a scope that there is not":               {"schedules, read]", "schedules, write]", 26, "api_keys[0].scopes[3]", `"write" is none of`},
		"a key for an app that is not configured": {"apps: [wx0123456789abcdef]", "apps: [wx0123456789abcde]", 26, "api_keys[0].apps[0]", "wx0123456789abcde is not configured"},
		"a key for no apps":                       {"apps: [wx0123456789abcdef]", "apps: []", 26, "api_keys[0].apps", `"*" for all`},
		"a key that names no apps":                {", apps: [wx0123456789abcdef]", "", 26, "api_keys[0].apps", "can do nothing"},
		"a second document":                       {"api_keys:", "---\napi_keys:", 0, "", "one YAML document"},
		"a list instead of a mapping":             {exampleConfig, "- listen: 127.0.0.1:8080\n", 1, "", "a configuration is a mapping"},
		"nothing at all":                          {exampleConfig, "# later\n", 1, "", "a configuration is a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			if n := strings.Count(exampleConfig, bad.replace); n != 1 {
				t.Fatalf("the example holds %q %d times", bad.replace, n)
			}
			_, err := Parse([]byte(strings.Replace(exampleConfig, bad.replace, bad.by, 1)), "yuexin.yaml", false)
			faults := Faults(err)
			if len(faults) != 1 {
				t.Fatalf("%d faults, want one: %v", len(faults), err)
			}
			f := faults[0]
			if f.Source != "yuexin.yaml" || f.Line != bad.line || f.Path != bad.path || !strings.Contains(f.Error(), bad.detail) {
				t.Errorf("got %v; want line %d, path %q, %q", f, bad.line, bad.path, bad.detail)
			}
			for _, secret := range []string{"0f1e2d3c", "geheim"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the fault shows the secret: %v", err)
				}
			}
		})
	}
}

func TestAllFaultsAreToldAtOnceInTheOrderOfTheFile(t *testing.T) {
	text := strings.NewReplacer("kind: embedded", "kind: sqlite", "rate: 500", "rate: -500", "Asia/Shanghai", "Asia/Bejing", "    max_templates", "    no_burst: -1h\n    shelf_life: -1h\n    refusal_wait: -1h\n    max_templates", "class: routine", "class: vip", "15b0f00a08", "").Replace(exampleConfig)
	_, err := Parse([]byte(text), "yuexin.yaml", false)
	var lines []int
	for _, f := range Faults(err) {
		lines = append(lines, f.Line)
	}
	if want := []int{2, 9, 11, 14, 15, 16, 27, 29}; fmt.Sprint(lines) != fmt.Sprint(want) {
		t.Errorf("faults at %v, want %v:\n%v", lines, want, err)
	}
}

func TestSandboxMayWriteItsSecretsDown(t *testing.T) {
	text := strings.NewReplacer("env:WX_SECRET", "not-a-secret", "env:WX_PUSH_TOKEN", "token").Replace(exampleConfig)
	if _, err := Parse([]byte(text), "sandbox.yaml", true); err != nil {
		t.Error(err)
	}
}

func TestConfigurationThatIsNotThereSaysHowToNameOne(t *testing.T) {
	_, err := Read(filepath.Join(t.TempDir(), "yuexin.yaml"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "YUEXIN_CONFIG") {
		t.Errorf("got %v", err)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	const literal = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	c, err := Parse([]byte(strings.Replace(exampleConfig, "env:WX_SECRET", literal, 1)), "sandbox.yaml", true)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", c, c, c, c.Apps[0].Secret), c.Apps[0].Secret.LogValue().String()} {
		if strings.Contains(text, literal) {
			t.Errorf("the secret is printed: %s", text)
		}
	}
}

func TestMissingSecretsAreToldWithTheirLine(t *testing.T) {
	const aesKey = "a2lsbGVkLXNlcnZlci1hZXMta2V5LWZvci10ZXN0czA"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"all are there":       {map[string]string{"WX_PUSH_TOKEN": "token", "WX_AES_KEY": aesKey}, nil},
		"one is not set":      {map[string]string{"WX_AES_KEY": aesKey}, []string{"yuexin.yaml:8: apps[0].push.token: environment variable WX_PUSH_TOKEN is empty or not set"}},
		"none is set":         {nil, []string{"8: apps[0].push.token: ", "8: apps[0].push.aes_key: "}},
		"a key of wrong size": {map[string]string{"WX_PUSH_TOKEN": "token", "WX_AES_KEY": "tooshort"}, []string{"8: apps[0].push: ", "43 characters"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(exampleConfig, "env:WX_SECRET", "file:"+file, 1) + "log_key: ssm:/not/asked/for\n"
			config, err := Parse([]byte(text), "yuexin.yaml", false)
			if err != nil {
				t.Fatal(err)
			}
			err = config.CheckSecrets(context.Background(), func(name string) string { return c.env[name] })
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "tooshort") {
					t.Errorf("got %v, want %q", err, want)
				}
			}
		})
	}
}

// Sending goes on without it; but the same openid is another hash on this instance than on the others.
func TestLogKeyThatCannotBeHadIsLogged(t *testing.T) {
	for name, tt := range map[string]struct {
		key    Secret
		logged bool
	}{"is not named": {Secret{}, false}, "is there": {Secret{"env:LOG_KEY"}, false}, "is not there": {Secret{"env:LOST_KEY"}, true}} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			secrets := &vault{getenv: func(name string) string { return map[string]string{"LOG_KEY": "geheim"}[name] }}
			show := (&Config{LogKey: tt.key}).pseudonym(secrets, slog.New(slog.NewTextHandler(&log, nil)))
			if a, b := show("oA"), show("oB"); a == b || strings.Contains(a, "oA") {
				t.Errorf("pseudonyms %s and %s", a, b)
			}
			if logged := strings.Count(log.String(), "\n") == 1 && strings.Contains(log.String(), "level=ERROR") && strings.Contains(log.String(), "LOST_KEY"); logged != tt.logged || strings.Contains(log.String(), "geheim") {
				t.Errorf("logged %q", &log)
			}
		})
	}
}

func TestDurationsMayBeDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"10m": 10 * time.Minute, "48h": 48 * time.Hour, "7d": 7 * 24 * time.Hour, "1.5d": 36 * time.Hour, "0s": 0, "100000d": 100000 * 24 * time.Hour} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("ParseDuration(%q) is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "7", "1w", "7dd", "200000d", "-200000d", "1e3d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) is %s", text, got)
		}
	}
}

// lineBreaks are what ends a line in YAML besides a newline.
var lineBreaks = strings.NewReplacer("\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// FuzzParse looks for a configuration that is accepted and cannot be used, or refused without saying where.
func FuzzParse(f *testing.F) {
	f.Add(exampleConfig)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text), "yuexin.yaml", false)
		if err == nil {
			if _, err := c.Catalog(); err != nil {
				t.Errorf("accepted, and then: %v", err)
			}
			if _, err := c.keys(); err != nil {
				t.Errorf("accepted, and then: %v", err)
			}
			c.Audit()
			return
		}
		last := strings.Count(lineBreaks.Replace(text), "\n") + 1
		for _, fault := range Faults(err) {
			if fault.Source != "yuexin.yaml" || fault.Detail == "" || fault.Line < 0 || fault.Line > last {
				t.Errorf("fault %+v of a text of %d lines", fault, last)
			}
		}
	})
}
