package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/yuexin-dev/yuexin/shared/embedded"
	"github.com/yuexin-dev/yuexin/shared/setup"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const goodConfig = `store: {kind: embedded, path: data/yuexin.db}
apps:
  - appid: wx0123456789abcdef
    secret: env:WX_SECRET
    push: {token: env:WX_TOKEN, mode: plain}
    templates:
      - {id: orderTemplate, name: order, kind: one_time}
`

var goodEnv = []string{"WX_SECRET=0f1e2d3c4b5a69788796a5b4c3d2e1f0", "WX_TOKEN=tokenOfThePush"}

// A server that cannot start says so in one line that names the place and what to do, ends with 1, and has touched nothing.
func TestServerThatCannotStartSaysWhyInOneLine(t *testing.T) {
	t.Parallel()
	sound := soundStore(t)
	damaged := bytes.Clone(sound)
	metas := 2 * os.Getpagesize()
	copy(damaged[metas:], bytes.Repeat([]byte("noise"), len(damaged)/5)) // everything else: a part of it may be free, where noise is no damage
	for name, bad := range map[string]struct {
		config string // of the text of goodConfig
		env    []string
		store  []byte
		locked bool
		args   []string
		want   []string
		never  string
	}{
		"the store is no store":               {store: []byte(strings.Repeat("not a store\n", 1000)), want: []string{"yuexin.db", "cannot be used as a store"}},
		"the store was cut off":               {store: sound[:64<<10], want: []string{"yuexin.db", "cannot be used as a store"}},
		"the store is damaged":                {store: damaged, want: []string{"yuexin.db", "cannot be used as a store"}},
		"the store is empty":                  {store: []byte{}, want: []string{"yuexin.db", "cannot be used as a store"}},
		"another process has the store":       {store: sound, locked: true, want: []string{"yuexin.db", "in use by another process"}},
		"the configuration has a key unknown": {config: strings.Replace(goodConfig, "    secret:", "    sekret: x\n    secret:", 1), store: sound, want: []string{"yuexin.yaml:4: ", `unknown key "sekret"`}},
		"a secret is written down":            {config: strings.Replace(goodConfig, "env:WX_SECRET", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", 1), store: sound, want: []string{"yuexin.yaml:4: apps[0].secret: ", "env:"}, never: "0f1e2d3c"},
		"a secret is not in the environment":  {env: goodEnv[1:], store: sound, want: []string{"yuexin.yaml:4: apps[0].secret: ", "environment variable WX_SECRET"}},
		"a secret's file is not there":        {config: strings.Replace(goodConfig, "env:WX_TOKEN", "file:nowhere/token", 1), store: sound, want: []string{"yuexin.yaml:5: apps[0].push.token: ", "nowhere/token"}},
		"the configuration is not there":      {args: []string{"--config", "elsewhere.yaml"}, store: sound, want: []string{"elsewhere.yaml", "--config"}},
		"an argument too many":                {args: []string{"now"}, store: sound, want: []string{`"now"`}},
		"a configuration for the sandbox":     {args: []string{"--sandbox", "--config", "yuexin.yaml"}, store: sound, want: []string{"--config", "--sandbox", "leave one of them out"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if bad.config == "" {
				bad.config = goodConfig
			}
			if bad.env == nil {
				bad.env = goodEnv
			}
			write(t, filepath.Join(dir, "yuexin.yaml"), []byte(bad.config))
			path := filepath.Join(dir, "data", "yuexin.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, path, bad.store)
			if bad.locked {
				other, err := embedded.Open(path, embedded.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = other.Close() }()
			}
			stdout, stderr, code := runProgramIn(t, dir, bad.env, append([]string{"serve", "--listen", freeAddress(t)}, bad.args...)...)
			oneLine(t, stdout, stderr, code, bad.want...)
			if bad.never != "" && strings.Contains(stderr, bad.never) {
				t.Errorf("the secret is shown: %s", stderr)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, bad.store) {
				t.Errorf("the store's file was changed: %v", err)
			}
		})
	}
}

func TestServerOnABusyPortSaysSoInOneLine(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	for _, args := range [][]string{{"serve", "--sandbox"}, {"serve"}} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "yuexin.yaml"), []byte(goodConfig))
		stdout, stderr, code := runProgramIn(t, dir, goodEnv, append(args, "--listen", busy.Addr().String())...)
		oneLine(t, stdout, stderr, code, busy.Addr().String(), "in use")
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("a server that never ran left %v behind (%v)", left, err)
		}
	}
}

func TestServerWithAGoodConfigurationStarts(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "yuexin.yaml")
	write(t, config, []byte(strings.Replace(goodConfig, "data/yuexin.db", filepath.Join(dir, "data", "yuexin.db"), 1)))
	s := serve(t, freeAddress(t), logFile(t), goodEnv, "--config", config)
	if code := s.stop(t); code != 0 {
		t.Errorf("after an interrupt the server ended with %d", code)
	}
}

func TestUnknownCommandShowsTheCommands(t *testing.T) {
	for _, args := range [][]string{nil, {"surf"}, {"--help"}} {
		stdout, stderr, code := runProgram(t, nil, args...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, "usage: standalone COMMAND") {
			t.Errorf("standalone %v ended with %d and said %q %q", args, code, stdout, stderr)
		}
		var shown []string
		for _, m := range regexp.MustCompile(`(?m)^  (\w+) `).FindAllStringSubmatch(stderr, -1) {
			shown = append(shown, m[1])
		}
		slices.Sort(shown)
		if there := slices.Sorted(maps.Keys(commands)); !slices.Equal(shown, there) {
			t.Errorf("the usage shows %v, and there are %v", shown, there)
		}
	}
}

var keygenAnswer = regexp.MustCompile(`(?s)\n  (yx_\S+)\nconfiguration:\n(  - \{name: shop, sha256: "([0-9a-f]{64})".*\})\n$`)

func TestKeygenMakesAKeyWhoseHashTheConfigurationTakes(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		stdout, stderr, code := runProgram(t, nil, "keygen", "--name", "shop")
		m := keygenAnswer.FindStringSubmatch(stdout)
		if code != 0 || stderr != "" || m == nil {
			t.Fatalf("keygen ended with %d and said %q %q", code, stdout, stderr)
		}
		key, line, hash := m[1], m[2], m[3]
		if sum := sha256.Sum256([]byte(key)); hex.EncodeToString(sum[:]) != hash {
			t.Errorf("the hash of the key is not the one printed: %s", stdout)
		}
		if len(key) < 40 || seen[key] {
			t.Errorf("key %s is short, or was made before", key)
		}
		seen[key] = true
		c, err := setup.Parse([]byte(goodConfig+"api_keys:\n"+line+"\n"), "yuexin.yaml", false)
		if err != nil || len(c.APIKeys) != 1 || c.APIKeys[0].SHA256 != hash {
			t.Errorf("the configuration does not take what keygen printed: %v\n%s", err, line)
		}
	}
}

func TestCheckTellsGoodConfigurationsFromBad(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	write(t, good, []byte(goodConfig))
	write(t, bad, []byte(strings.Replace(goodConfig, "one_time", "sometimes", 1)))
	if stdout, stderr, code := runProgram(t, nil, "check", "--config", good); code != 0 || stderr != "" {
		t.Errorf("check of a good configuration ended with %d and said %q %q", code, stdout, stderr)
	}
	stdout, stderr, code := runProgram(t, nil, "check", "--config", bad)
	if code != 1 || stderr != "" || !strings.Contains(stdout, "bad.yaml:7") {
		t.Errorf("check of a bad configuration ended with %d and said %q %q", code, stdout, stderr)
	}
}

// oneLine holds a failed start against what was wanted.
func oneLine(t *testing.T, stdout, stderr string, code int, want ...string) {
	t.Helper()
	if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "standalone serve: ") {
		t.Errorf("ended with %d, stdout %q, stderr %q; want 1, nothing, and one line", code, stdout, stderr)
	}
	for _, w := range want {
		if !strings.Contains(stderr, w) {
			t.Errorf("stderr %q does not hold %q", stderr, w)
		}
	}
}

// soundStore is a store's file as a server leaves it, with records in it.
func soundStore(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "yuexin.db")
	store, err := embedded.Open(path, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for w := range 32 {
		group.Go(func() {
			for n := range 20 {
				openid := fmt.Sprintf("oSound-%02d-%02d", w, n)
				if _, err := store.Save(t.Context(), submsg.Record{Key: submsg.SubscriberKey("wx", openid), Body: &submsg.Subscriber{AppID: "wx", OpenID: openid}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(fmt.Errorf("writing %s: %w", path, err))
	}
}
