package setup

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
	_ "time/tzdata" // functions run where there is no zone database

	"github.com/yuexin-dev/yuexin/shared/endpoint"
	"github.com/yuexin-dev/yuexin/shared/httpapi"
	"github.com/yuexin-dev/yuexin/shared/memory"
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechat"
)

// Surroundings are what a process gives to the wiring. Zero members take their defaults.
type Surroundings struct {
	Getenv    func(string) string
	Log       *slog.Logger
	Now       func() time.Time
	Bodies    Sender // carries wake-ups; nil: the one that the configuration names
	TickEvery time.Duration
}

// Wired is a configured application.
type Wired struct {
	Service *submsg.Service
	API     httpapi.Config
	Log     *slog.Logger

	closers []func() error
}

// Close flushes figures and gives everything back.
func (w *Wired) Close(ctx context.Context) error {
	errs := []error{w.Service.Flush(ctx)}
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	return errors.Join(errs...)
}

// NewLog is the log of every function: one JSON object per line, with the platform's id of the request.
func NewLog() *slog.Logger { return slog.New(platform.LogHandler(slog.NewJSONHandler(os.Stderr, nil))) }

// Wire builds the application that c describes. Nothing is called over the network yet, except where the store
// cannot be opened otherwise.
func (c *Config) Wire(s Surroundings) (*Wired, error) {
	if s.Getenv == nil {
		s.Getenv = os.Getenv
	}
	if s.Log == nil {
		s.Log = NewLog()
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	catalog, err := c.Catalog()
	if err != nil {
		return nil, err
	}
	clouds := &clouds{getenv: s.Getenv}
	secrets := &vault{getenv: s.Getenv, remotes: clouds.secrets()}
	w := &Wired{Log: s.Log}
	store, err := c.openStore(w, secrets, clouds, s.Now)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Wired, error) {
		for _, closer := range w.closers {
			err = errors.Join(err, closer())
		}
		return nil, err
	}
	metrics := newMetrics(s.Getenv, s.Now)
	client, err := wechat.New(c.weChat(store, secrets, s, metrics))
	if err != nil {
		return fail(err)
	}
	w.closers = append(w.closers, func() error { client.Close(); return nil })
	endpoints := endpoint.New(c.endpoints(secrets), s.Now)
	pseudonym := c.pseudonym(secrets, s.Log)
	if s.Bodies == nil {
		if s.Bodies, err = c.openQueue(clouds); err != nil {
			return fail(err)
		}
	}
	w.Service = &submsg.Service{
		Apps: catalog, Store: store, WeChat: client, Provider: endpoints, Webhook: endpoints, Log: s.Log, Now: s.Now,
		Pseudonym: pseudonym, TickEvery: s.TickEvery, Metrics: metrics,
	}
	if s.Bodies != nil {
		w.Service.Waker = &waker{s.Bodies}
	}
	push := make(map[string]httpapi.PushReceiver, len(c.Apps))
	for i := range c.Apps {
		if c.Apps[i].Push.Mode != "" || c.Apps[i].Push.Token.IsSet() {
			push[c.Apps[i].AppID] = &receiver{app: &c.Apps[i], secrets: secrets}
		}
	}
	keys, err := c.keys()
	if err != nil {
		return fail(err)
	}
	w.API = httpapi.Config{
		Service: w.Service, Keys: keys, Push: push, Log: s.Log, Pseudonym: pseudonym,
		Ready: func(ctx context.Context) error {
			_, err := store.Load(ctx, submsg.HealthKey(c.Apps[0].AppID))
			return err
		},
	}
	return w, nil
}

func (c *Config) openStore(w *Wired, secrets *vault, clouds *clouds, now func() time.Time) (submsg.Store, error) {
	switch c.Store.Kind {
	case "memory":
		return memory.New(now), nil
	case "embedded":
		store, closer, err := openEmbedded(c.Store.Path, now)
		if err != nil {
			return nil, err
		}
		w.closers = append(w.closers, closer)
		return store, nil
	case "dynamodb":
		return clouds.dynamo(c.Store, now)
	case "redis":
		address, err := secrets.get(context.Background(), c.Store.URL, false)
		if err != nil {
			return nil, fmt.Errorf("store.url: %w", err)
		}
		store, closer, err := openRedis(address, now)
		if err != nil {
			return nil, err
		}
		w.closers = append(w.closers, closer)
		return store, nil
	}
	return nil, fmt.Errorf("store.kind %q is not known", c.Store.Kind)
}

func (c *Config) weChat(store submsg.Store, secrets *vault, s Surroundings, metrics submsg.Metrics) wechat.Config {
	cfg := wechat.Config{Store: store, Now: s.Now, Log: s.Log, Metrics: metrics, Timeout: submsg.DefaultCallTimeout}
	for i := range c.Apps {
		a := &c.Apps[i]
		cfg.Apps = append(cfg.Apps, wechat.App{
			AppID: a.AppID, Kind: wechat.AccountKind(a.Kind), Secret: secrets.of(a.Secret), BaseURL: a.BaseURL,
			MiniprogramState: a.MiniprogramState, Lang: a.Lang, Miniprogram: a.Miniprogram,
		})
	}
	return cfg
}

func (c *Config) endpoints(secrets *vault) map[string]endpoint.App {
	apps := make(map[string]endpoint.App, len(c.Apps))
	for i := range c.Apps {
		a := &c.Apps[i]
		provider, webhook := secrets.of(a.Provider.Secret), secrets.of(a.Webhook.Secret)
		apps[a.AppID] = endpoint.App{
			Hosts: a.Provider.Hosts, WebhookURL: a.Webhook.URL,
			ProviderKey: func(ctx context.Context) (string, error) { return provider(ctx, false) },
			WebhookKey:  func(ctx context.Context) (string, error) { return webhook(ctx, false) },
		}
	}
	return apps
}

func (c *Config) keys() ([]httpapi.Key, error) {
	var keys []httpapi.Key
	for _, k := range c.APIKeys {
		raw, err := hex.DecodeString(k.SHA256)
		if err != nil {
			return nil, err
		}
		key := httpapi.Key{Name: k.Name, Scopes: k.Scopes, Apps: k.Apps}
		copy(key.SHA256[:], raw)
		keys = append(keys, key)
	}
	return keys, nil
}

// pseudonym makes the keyed hash that logs show for an openid. Without log_key the key is derived from the hashes of
// the API keys: the same on every instance, and of no use to anyone who has only the logs. So it is where log_key cannot
// be had.
func (c *Config) pseudonym(secrets *vault, log *slog.Logger) func(string) string {
	seed := sha256.New()
	seed.Write([]byte("yuexin log key"))
	for _, k := range c.APIKeys {
		seed.Write([]byte(k.SHA256))
	}
	switch key, err := secrets.get(context.Background(), c.LogKey, false); {
	case err != nil: // messages go on for want of it; whoever follows a subscriber through the logs has to know
		log.Error("log_key cannot be had: until the next start this instance shows other hashes of openids than those that have it", "error", err)
	case key != "":
		seed.Reset()
		seed.Write([]byte(key))
	}
	key := seed.Sum(nil)
	return func(openid string) string {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(openid))
		return hex.EncodeToString(m.Sum(nil)[:8])
	}
}
