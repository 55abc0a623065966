package wechat

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// DefaultBaseURL is WeChat's API host. Others exist (api2 for disaster recovery, sh, sz and hk for regions:
// developers.weixin.qq.com, 接口域名说明), which is why an app may name its own.
const DefaultBaseURL = "https://api.weixin.qq.com"

// AccountKind is the kind of WeChat account; it decides which API sends.
type AccountKind string

// The kinds of account, as the configuration spells them.
const (
	MiniProgram    AccountKind = "mini_program"
	ServiceAccount AccountKind = "service_account"
)

// SecretFunc returns an app's AppSecret. refresh asks for a reading past every cache: WeChat has just refused
// the one returned before, which is what a rotated secret looks like.
type SecretFunc func(ctx context.Context, refresh bool) (string, error)

// App is one WeChat account that the client speaks for.
type App struct {
	AppID  string
	Kind   AccountKind // "" means MiniProgram
	Secret SecretFunc

	BaseURL          string // "" means DefaultBaseURL; a path in it is kept
	MiniprogramState string // version that the card opens: developer, trial or formal; "" means formal
	Lang             string // of the card: zh_CN, en_US, zh_HK or zh_TW; "" means zh_CN

	// Miniprogram is the appid of the mini program that a service account's card opens; it must be linked to
	// the account. Then a page without "https://" is a path in that mini program.
	Miniprogram string
}

// Config is what a Client needs.
type Config struct {
	Apps []App

	// Store keeps the access tokens that all instances share, and the count of forced renewals. Required.
	Store submsg.Store

	// Timeout bounds each HTTP call; 0 means 5 s. A Send makes one call, or up to four where the token must be
	// renewed on the way; the context bounds it as a whole.
	Timeout time.Duration

	// IdleConns is how many connections per host wait for reuse; 0 means 512. It should be at least the number of
	// concurrent sends, or the surplus dials anew each time.
	IdleConns int

	Now     func() time.Time // nil means time.Now
	Log     *slog.Logger     // nil discards
	Metrics submsg.Metrics   // counts fetched access tokens as token_refresh; nil counts nothing

	RootCAs *x509.CertPool // nil means the system's
	// Dial opens connections; nil means a net.Dialer. Proxies named in the environment are not used.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client calls WeChat for a fixed set of apps. It is safe for concurrent use and implements submsg.WeChat.
type Client struct {
	apps    map[string]*account
	pooled  *http.Transport // reuses connections
	fresh   *http.Transport // never does: for the second try of a request that found its connection dead
	header  http.Header     // shared by every request and never changed
	timeout time.Duration
	now     func() time.Time
	metrics submsg.Metrics // may be nil
}

var _ submsg.WeChat = (*Client)(nil)

// account is an app as the client works with it.
type account struct {
	App
	base   *url.URL
	send   *url.URL // of the sending API, without a token
	tokens *tokenSource
}

// New checks the configuration and returns a client; it makes no call.
func New(cfg Config) (*Client, error) {
	if cfg.Store == nil {
		return nil, errors.New("wechat: Config.Store is missing: instances share access tokens in it")
	}
	c := &Client{
		apps:    make(map[string]*account, len(cfg.Apps)),
		header:  http.Header{"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"yuexin"}},
		timeout: cfg.Timeout,
		now:     cfg.Now,
		metrics: cfg.Metrics,
	}
	if c.timeout <= 0 {
		c.timeout = 5 * time.Second
	}
	if c.now == nil {
		c.now = time.Now
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c.pooled = newTransport(cfg, c.timeout)
	c.fresh = c.pooled.Clone()
	c.fresh.DisableKeepAlives = true
	for _, app := range cfg.Apps {
		acc, err := newAccount(app)
		if err != nil {
			return nil, err
		}
		if c.apps[app.AppID] != nil {
			return nil, fmt.Errorf("wechat: app %s is configured twice", app.AppID)
		}
		acc.tokens = newTokenSource(c, acc, cfg.Store, log)
		c.apps[app.AppID] = acc
	}
	return c, nil
}

// Close drops idle connections. Calls under way are not disturbed.
func (c *Client) Close() { c.pooled.CloseIdleConnections() }

func newAccount(app App) (*account, error) {
	if app.AppID == "" {
		return nil, errors.New("wechat: an app has no appid")
	}
	if app.Secret == nil {
		return nil, fmt.Errorf("wechat: app %s has no secret", app.AppID)
	}
	setDefault(&app.BaseURL, DefaultBaseURL)
	setDefault(&app.MiniprogramState, "formal")
	setDefault(&app.Lang, "zh_CN")
	base, err := url.Parse(app.BaseURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("wechat: base_url of app %s: %w", app.AppID, err)
	case base.Scheme != "https" && base.Scheme != "http", base.Host == "":
		return nil, fmt.Errorf("wechat: base_url %q of app %s must be like %s", app.BaseURL, app.AppID, DefaultBaseURL)
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("wechat: base_url of app %s may have a host and a path only", app.AppID)
	}
	acc := &account{App: app, base: base}
	switch app.Kind {
	case MiniProgram, "":
		acc.Kind = MiniProgram
		acc.send = acc.endpoint("/cgi-bin/message/subscribe/send")
	case ServiceAccount:
		acc.send = acc.endpoint("/cgi-bin/message/subscribe/bizsend")
	default:
		return nil, fmt.Errorf("wechat: app %s has kind %q; want %s or %s", app.AppID, app.Kind, MiniProgram, ServiceAccount)
	}
	return acc, nil
}

// endpoint is the address of an API path.
func (a *account) endpoint(path string) *url.URL {
	u := *a.base
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+path, ""
	return &u
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
