package setup

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechat"
)

// receiver reads the pushes of one app. Its secrets are fetched with the first push, not at start: a cold start
// answers sooner, and a function that never sees a push needs no right to them. They are fetched again for a push that
// does not fit them: an operator may have changed them, and WeChat checks the URL the moment they enter new ones.
type receiver struct {
	app     *AppConfig
	secrets *vault

	mu      sync.Mutex
	push    *wechat.Push
	fetched time.Time
}

// renewEvery bounds how often strangers' pushes can make the secrets be fetched again.
const renewEvery = time.Minute

// open returns what reads pushes. misfit, if not nil, has just failed to: the secrets are fetched anew, or nil is returned
// where that was done only just now.
func (r *receiver) open(ctx context.Context, misfit *wechat.Push) (*wechat.Push, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.push != misfit {
		return r.push, nil // another push has brought the new ones
	}
	if misfit != nil && time.Since(r.fetched) < renewEvery {
		return nil, nil
	}
	r.fetched = time.Now() // or tried to
	token, err := r.secrets.get(ctx, r.app.Push.Token, misfit != nil)
	if err != nil {
		return nil, err
	}
	var key string
	if r.app.Push.AESKey.IsSet() {
		if key, err = r.secrets.get(ctx, r.app.Push.AESKey, misfit != nil); err != nil {
			return nil, err
		}
	}
	mode := wechat.PushMode(r.app.Push.Mode)
	if mode == "" {
		mode = wechat.PushPlain
		if key != "" {
			mode = wechat.PushSecure
		}
	}
	push, err := wechat.NewPush(wechat.PushConfig{AppID: r.app.AppID, Token: token, AESKey: key, Mode: mode})
	if err == nil {
		r.push = push
	}
	return push, err
}

// read gives what reads pushes to use, and once more where the push did not fit and the secrets are new.
func (r *receiver) read(ctx context.Context, use func(*wechat.Push) error) error {
	p, err := r.open(ctx, nil)
	if err != nil {
		return err
	}
	err = use(p)
	var fault *wechat.PushError
	if !errors.As(err, &fault) || fault.Fault != wechat.BadSignature && fault.Fault != wechat.BadEncryption {
		return err
	}
	p, oerr := r.open(ctx, p)
	if p == nil || oerr != nil {
		return errors.Join(err, oerr)
	}
	return use(p)
}

// Echo answers WeChat's check of the URL.
func (r *receiver) Echo(ctx context.Context, query string) (echo string, err error) {
	err = r.read(ctx, func(p *wechat.Push) (err error) {
		echo, err = p.CheckURL(wechat.ParsePushQuery(query))
		return err
	})
	return echo, err
}

// Event verifies and reads one push.
func (r *receiver) Event(ctx context.Context, query string, body []byte) (event submsg.PushEvent, err error) {
	err = r.read(ctx, func(p *wechat.Push) error {
		ev, err := p.Decode(wechat.ParsePushQuery(query), body)
		if err == nil {
			event = ev.PushEvent()
		}
		return err
	})
	return event, err
}
