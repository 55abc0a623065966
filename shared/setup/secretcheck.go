package setup

import (
	"context"
	"fmt"
	"strings"
)

// CheckSecrets looks for every secret that the configuration refers to on this machine, by env: or file:. The error lists
// those that are missing or empty, each with its line. A process of one's own asks at its start, so that whoever starts
// it is told, and not the first user. A function does not: it may lack the secrets that it never needs, and on SCF the
// environment is there with the first request only.
func (c *Config) CheckSecrets(ctx context.Context, getenv func(string) string) error {
	secrets, k := &vault{getenv: getenv}, &checker{c: c}
	look := func(path string, s Secret) {
		if !s.here() {
			return
		}
		if _, err := secrets.get(ctx, s, false); err != nil {
			k.fault(path, "%s", err)
		}
	}
	look("store.url", c.Store.URL)
	for i := range c.Apps {
		a := &c.Apps[i]
		at := fmt.Sprintf("apps[%d]", i)
		look(at+".secret", a.Secret)
		look(at+".push.token", a.Push.Token)
		look(at+".push.aes_key", a.Push.AESKey)
		if a.Push.Token.here() && (!a.Push.AESKey.IsSet() || a.Push.AESKey.here()) && !k.told(at+".push.token") && !k.told(at+".push.aes_key") {
			if _, err := (&receiver{app: a, secrets: secrets}).open(ctx, nil); err != nil { // a key that is none
				k.fault(at+".push", "%s", err)
			}
		}
		look(at+".provider.secret", a.Provider.Secret)
		look(at+".webhook.secret", a.Webhook.Secret)
	}
	look("log_key", c.LogKey)
	return k.error()
}

// here reports whether the secret is referred to on this machine.
func (s Secret) here() bool {
	return s.reference() && (strings.HasPrefix(s.ref, "env:") || strings.HasPrefix(s.ref, "file:"))
}
