package setup

import (
	"context"
	"sync"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechat"
)

// receiver reads the pushes of one app. Its secrets are fetched with the first push, not at start: a cold start
// answers sooner, and a function that never sees a push needs no right to them.
type receiver struct {
	app     *AppConfig
	secrets *vault

	mu   sync.Mutex
	push *wechat.Push
}

func (r *receiver) open(ctx context.Context) (*wechat.Push, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.push != nil {
		return r.push, nil
	}
	token, err := r.secrets.get(ctx, r.app.Push.Token, false)
	if err != nil {
		return nil, err
	}
	var key string
	if r.app.Push.AESKey.IsSet() {
		if key, err = r.secrets.get(ctx, r.app.Push.AESKey, false); err != nil {
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

// Echo answers WeChat's check of the URL.
func (r *receiver) Echo(ctx context.Context, query string) (string, error) {
	p, err := r.open(ctx)
	if err != nil {
		return "", err
	}
	return p.CheckURL(wechat.ParsePushQuery(query))
}

// Event verifies and reads one push.
func (r *receiver) Event(ctx context.Context, query string, body []byte) (submsg.PushEvent, error) {
	p, err := r.open(ctx)
	if err != nil {
		return submsg.PushEvent{}, err
	}
	ev, err := p.Decode(wechat.ParsePushQuery(query), body)
	if err != nil {
		return submsg.PushEvent{}, err
	}
	return ev.PushEvent(), nil
}
