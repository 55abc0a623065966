package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// What a push may take. WeChat waits five seconds for an answer and delivers a push three times in all
// (developers.weixin.qq.com, 消息推送); an event has a few hundred bytes.
const (
	maxPush      = 1 << 20
	pushPatience = 4500 * time.Millisecond
)

// pushCheck answers WeChat's check of the URL: the echo and nothing around it.
func (a *api) pushCheck(c *call) (answer, error) {
	receiver, err := a.receiver(c)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(c, pushPatience)
	defer cancel()
	echo, err := receiver.Echo(ctx, c.r.URL.RawQuery)
	if err != nil {
		return answer{}, a.pushProblem(c, err)
	}
	return plain(echo), nil
}

// push takes one message push. Whatever is not answered with success WeChat delivers again: so what is recorded only
// in part is answered with 503.
func (a *api) push(c *call) (answer, error) {
	receiver, err := a.receiver(c)
	if err != nil {
		return answer{}, err
	}
	body, err := readBody(c, maxPush)
	if p := (*problem)(nil); errors.As(err, &p) {
		if p.Code == CodeInvalidJSON {
			p = fail(CodeBadBody, "", p.Detail)
		}
		return answer{}, p
	}
	leave, err := a.limits.enter()
	if err != nil {
		return answer{}, err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(c, pushPatience)
	defer cancel()
	ev, err := receiver.Event(ctx, c.r.URL.RawQuery, body)
	if err != nil {
		return answer{}, a.pushProblem(c, err)
	}
	c.entry.concerns(ev.OpenID)
	if err := a.Service.Push(ctx, c.appid, ev); err != nil {
		return answer{}, err
	}
	return plain("success"), nil
}

func (a *api) receiver(c *call) (PushReceiver, error) {
	receiver := a.Push[c.appid]
	if receiver == nil {
		return nil, fail(submsg.CodeUnknownApp, "appid", "no app with this appid takes pushes here; see push in the configuration")
	}
	c.entry.appid = c.appid
	return receiver, nil
}

// pushProblem is the answer to what a receiver complains of. An error that is not a PushError is ours: a secret that
// could not be fetched, say.
func (a *api) pushProblem(c *call, err error) error {
	var bad PushError
	if !errors.As(err, &bad) {
		return err
	}
	p := fail(submsg.Code(bad.Code()), "", bad.Error())
	if s := bad.Status(); s >= 400 && s < 600 {
		p.Status = s
	}
	p.cause = err // an operator has to see that WeChat's pushes are refused
	return p
}

func plain(text string) answer {
	return answer{status: http.StatusOK, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(text)}
}
