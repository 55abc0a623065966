package wechattest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// AccountKind is the kind of a WeChat account; it decides which interfaces the account may call.
type AccountKind string

// The kinds of account that can send subscription messages.
const (
	MiniProgram    AccountKind = "mini_program"    // 小程序: subscribe/send
	ServiceAccount AccountKind = "service_account" // 服务号: subscribe/bizsend and template/send
)

// Config describes the simulated WeChat. The zero value of every field but Accounts is usable.
type Config struct {
	Accounts []Account
	Now      func() time.Time // time.Now when nil
	Seed     uint64           // makes fault percentages, shuffles, nonces and tokens repeatable

	ManualPushes bool         // pushes wait in Pending until Deliver… is called, instead of going out by themselves
	PushWorkers  int          // pushes under way at once; 16 when zero
	PushClient   *http.Client // posts to callback URLs; a plain client without proxy or redirects when nil

	KeepPerUser int  // newest messages kept per user, 1000 when zero; counts are always exact
	CountOnly   bool // keep no messages at all: for load tests
	SkipData    bool // accept any data: for load tests
}

// Account is one WeChat account.
type Account struct {
	AppID      string
	Secret     string
	OriginalID string // ToUserName of pushes (gh_…); derived from AppID when empty
	Kind       AccountKind
	Templates  []Template
	Callback   Callback // no pushes when it has neither URL nor Handler

	Quotas            map[string]Quota // by path, e.g. PathSend; others keep their default
	Pages             []string         // pages of the released mini program; another gives 41030. Empty: any page
	KnownUsersOnly    bool             // an openid that never accepted and was not added gives 40003
	AllowSimultaneous bool             // no 43108 while another send to the same user is in flight
	OmitMsgID         bool             // sends answer without msgid, as some accounts report
}

// The interfaces that the simulator answers.
const (
	PathStableToken  = "/cgi-bin/stable_token"
	PathToken        = "/cgi-bin/token"
	PathSend         = "/cgi-bin/message/subscribe/send"
	PathBizSend      = "/cgi-bin/message/subscribe/bizsend"
	PathTemplateSend = "/cgi-bin/message/template/send"
	PathGetTemplate  = "/wxaapi/newtmpl/gettemplate"
	PathQuotaGet     = "/cgi-bin/openapi/quota/get"
)

// Sim is the simulated WeChat. Its methods may be called from many goroutines.
type Sim struct {
	cfg      Config
	accounts map[string]*account
	admin    http.Handler
	script   atomic.Pointer[func(Call) Fault]
	msgIDs   atomic.Int64
	rids     atomic.Uint64
	pushes   pushQueue
	ctx      context.Context // ends at Close: releases delayed calls and pushes
	stop     context.CancelFunc

	mu     sync.Mutex // guards rng
	rng    *rand.Rand
	tokens tokenIndex
	strays strayCalls
}

// account is an Account with its state. No push is sent and no script is run while mu is held.
type account struct {
	Account
	sim *Sim

	mu        sync.Mutex
	templates []*template // in the order they were added
	callback  Callback
	users     map[string]*user
	suspended int // errcode every send gets; 0 for none
	rules     func(Call) Fault

	stable, plain *token // what each of the two isolated kinds of token currently hands out
	issued        []*token
	forcedAt      time.Time
	forcedDay     int64
	forced        int

	quotas map[string]*quotaUse
	totals tally
}

// New builds a Sim. It fails on an account without appid or with a template it cannot read.
func New(cfg Config) (*Sim, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.KeepPerUser == 0 {
		cfg.KeepPerUser = 1000
	}
	if cfg.PushWorkers <= 0 {
		cfg.PushWorkers = 16
	}
	if cfg.PushClient == nil {
		cfg.PushClient = &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: cfg.PushWorkers},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	s := &Sim{cfg: cfg, accounts: make(map[string]*account, len(cfg.Accounts)), rng: rand.New(rand.NewPCG(cfg.Seed, 0x7765636861740001))}
	s.ctx, s.stop = context.WithCancel(context.Background())
	// Neighbouring ids this large are the same float64: a client that reads msgid as a double cannot pass.
	s.msgIDs.Store(1988810812324364290)
	s.tokens.byValue = make(map[string]*token)
	for _, a := range cfg.Accounts {
		if err := s.addAccount(a); err != nil {
			s.stop()
			return nil, err
		}
	}
	s.admin = s.adminRoutes()
	return s, nil
}

func (s *Sim) addAccount(cfg Account) error {
	if cfg.AppID == "" {
		return errors.New("wechattest: account without an appid")
	}
	if s.accounts[cfg.AppID] != nil {
		return fmt.Errorf("wechattest: account %s is configured twice", cfg.AppID)
	}
	if cfg.Kind == "" {
		cfg.Kind = MiniProgram
	}
	if cfg.Kind != MiniProgram && cfg.Kind != ServiceAccount {
		return fmt.Errorf("wechattest: account %s has kind %q, want %s or %s", cfg.AppID, cfg.Kind, MiniProgram, ServiceAccount)
	}
	if cfg.OriginalID == "" {
		cfg.OriginalID = "gh_" + Signature(cfg.AppID)[:12]
	}
	a := &account{Account: cfg, sim: s, callback: cfg.Callback, users: make(map[string]*user), quotas: make(map[string]*quotaUse)}
	if err := a.callback.check(); err != nil {
		return fmt.Errorf("wechattest: account %s: %w", cfg.AppID, err)
	}
	for _, t := range cfg.Templates {
		if err := a.addTemplate(t); err != nil {
			return err
		}
	}
	s.accounts[cfg.AppID] = a
	return nil
}

func (s *Sim) account(appid string) (*account, error) {
	a := s.accounts[appid]
	if a == nil {
		return nil, fmt.Errorf("wechattest: no account %q is simulated", appid)
	}
	return a, nil
}

// Close stops pushes and releases calls that a fault is delaying; those do not act any more.
func (s *Sim) Close() {
	s.stop()
	s.pushes.close()
	s.cfg.PushClient.CloseIdleConnections()
}

// SetCallback changes where and how the account's events are pushed, from the next push on: a test server's URL is
// often known only after the Sim is.
func (s *Sim) SetCallback(appid string, cb Callback) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	if err := cb.check(); err != nil {
		return fmt.Errorf("wechattest: account %s: %w", appid, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.callback = cb
	return nil
}

// Suspend makes every send of the account answer with code, as WeChat does with 43107, 48001, 48004 or 50002 when it
// punishes an account; 0 lifts it.
func (s *Sim) Suspend(appid string, code int) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.suspended = code
	return nil
}

// ServeHTTP answers an interface call, or a /_sim/ route.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; path {
	case PathSend, PathBizSend, PathTemplateSend:
		s.serveSend(w, r)
	case PathStableToken:
		s.serveStableToken(w, r)
	case PathToken:
		s.serveToken(w, r)
	case PathGetTemplate:
		s.serveGetTemplate(w, r)
	case PathQuotaGet:
		s.serveQuotaGet(w, r)
	default:
		if len(path) >= 6 && path[:6] == "/_sim/" {
			s.admin.ServeHTTP(w, r)
			return
		}
		s.stray(w, path, 40066)
	}
}

// random fills b from the seeded source.
func (s *Sim) random(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
}

// shanghai is the zone in which WeChat counts days; fixed, so that no zone database is needed.
var shanghai = time.FixedZone("CST", 8*60*60)

// dayOf numbers the calendar day of t in Shanghai.
func dayOf(t time.Time) int64 { return (t.Unix() + 8*60*60) / (24 * 60 * 60) }
