package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Limits of force_refresh (developers.weixin.qq.com, 获取稳定版接口调用凭据). A forced renewal ends the old token
// at once, under the feet of every other instance.
const (
	forcePerDay  = 20
	forceSpacing = 30 * time.Second
)

// china is the zone of WeChat's days. It has had no daylight saving since 1991, so no zone data is needed.
var china = time.FixedZone("Asia/Shanghai", 8*60*60)

// renew returns a token to use instead of one that WeChat refused: another instance's newer token, else what
// a normal fetch gives, and only where that is the refused token again, a forced one.
func (s *tokenSource) renew(ctx context.Context, refused *token) (*token, error) {
	return s.share(ctx, "renew "+refused.value, func(ctx context.Context) (*token, error) {
		if t := s.current.Load(); t != nil && t.value != refused.value {
			return t, nil
		}
		if f := s.failure.Load(); f != nil && s.client.now().Before(f.until) {
			return nil, f.err
		}
		rec, stored := s.load(ctx)
		if t := s.newer(rec, refused); t != nil {
			return s.use(t), nil
		}
		t, err := s.fetch(ctx, false)
		if err != nil {
			return nil, s.fail(err)
		}
		if t.value == refused.value {
			if !stored {
				return nil, s.fail(s.stuck("the table is out of reach, so a forced renewal cannot be counted"))
			}
			return s.force(ctx, rec, refused)
		}
		s.log.Info("access token was refused and has been replaced")
		if stored {
			s.save(ctx, rec, t)
		}
		return s.use(t), nil
	})
}

// newer is the table's token, if another instance put it there after the refused one.
func (s *tokenSource) newer(rec submsg.Record, refused *token) *token {
	t := s.fromRecord(rec)
	if t == nil || t.value == refused.value || t.expires.Before(refused.expires) {
		return nil
	}
	return t
}

// force asks for a new token although the old one has not ended. The count and the time are written first, on
// condition that nobody else did so meanwhile: that write is the lease.
func (s *tokenSource) force(ctx context.Context, rec submsg.Record, refused *token) (*token, error) {
	now := s.client.now()
	body := stored(rec)
	day := now.In(china).Format(time.DateOnly)
	if body.ForcedDay != day {
		body.ForcedDay, body.Forced = day, 0
	}
	if since := now.Sub(body.ForcedAt.Time()).Abs(); since < forceSpacing {
		return nil, s.fail(s.stuck(fmt.Sprintf("it was forced %s ago and WeChat allows that every %s", since.Round(time.Second), forceSpacing)))
	}
	if body.Forced >= forcePerDay {
		return nil, s.fail(s.stuck(fmt.Sprintf("it was forced %d times today, WeChat's limit; look for another program that renews it", body.Forced)))
	}
	body.AppID, body.Token, body.ExpiresAt = s.account.AppID, refused.value, submsg.At(refused.expires)
	body.Forced, body.ForcedAt = body.Forced+1, submsg.At(now)
	rec, err := s.write(ctx, rec, body)
	if err != nil {
		if errors.Is(err, submsg.ErrConflict) {
			if again, ok := s.load(ctx); ok {
				if t := s.newer(again, refused); t != nil {
					return s.use(t), nil
				}
			}
		}
		return nil, s.fail(s.stuck(fmt.Sprintf("the lease for a forced renewal was not had: %v", err)))
	}
	s.log.Warn("access token is refused although WeChat still hands it out; forcing a new one", "forced_today", body.Forced)
	t, err := s.fetch(ctx, true)
	if err != nil {
		return nil, s.fail(err)
	}
	if t.value == refused.value {
		return nil, s.fail(s.stuck("WeChat returned it again when forced"))
	}
	s.save(ctx, rec, t)
	return s.use(t), nil
}

// stuck is the error for a token that is refused and cannot be replaced now.
func (s *tokenSource) stuck(why string) error {
	return fmt.Errorf("wechat: app %s: the access token is refused and not replaced: %s", s.account.AppID, why)
}

// fetch asks WeChat for the token. If it refuses the secret, a fresh reading of the secret is tried once.
func (s *tokenSource) fetch(ctx context.Context, force bool) (*token, error) {
	secret, err := s.account.Secret(ctx, false)
	if err != nil {
		return nil, fmt.Errorf("wechat: secret of app %s: %w", s.account.AppID, err)
	}
	t, err := s.fetchWith(ctx, secret, force)
	var refused *APIError
	if !errors.As(err, &refused) || (refused.Code != 40125 && refused.Code != 40001) {
		return t, err
	}
	fresh, freshErr := s.account.Secret(ctx, true)
	switch {
	case freshErr != nil:
		return nil, fmt.Errorf("%w; the secret could not be read again to see whether there is a newer one: %s", err, redact(freshErr.Error(), secret))
	case fresh == secret:
		return nil, err
	}
	s.log.Info("the secret was refused and a newer one found")
	return s.fetchWith(ctx, fresh, force)
}

func (s *tokenSource) fetchWith(ctx context.Context, secret string, force bool) (*token, error) {
	payload, err := json.Marshal(struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}{"client_credential", s.account.AppID, secret, force})
	if err != nil {
		return nil, err
	}
	asked := s.client.now()
	body, err := s.client.do(ctx, "POST", s.account.endpoint("/cgi-bin/stable_token"), payload, maxAnswer, secret)
	if err != nil {
		return nil, fmt.Errorf("wechat: stable_token of app %s: %w", s.account.AppID, err)
	}
	var reply struct {
		Token     string `json:"access_token"`
		ExpiresIn int64  `json:"expires_in"` // seconds, at most 7200
		Code      int    `json:"errcode"`
		Msg       string `json:"errmsg"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, fmt.Errorf("wechat: stable_token of app %s: the answer is not the expected JSON", s.account.AppID)
	}
	if reply.Code != 0 {
		msg := redact(reply.Msg, secret)
		return nil, &APIError{AppID: s.account.AppID, Call: "stable_token", Code: reply.Code, Msg: msg, RID: ridOf(msg)}
	}
	if reply.Token == "" || reply.ExpiresIn <= 0 {
		return nil, fmt.Errorf("wechat: stable_token of app %s: the answer holds no token that is still good", s.account.AppID)
	}
	if m := s.client.metrics; m != nil {
		m.Count(s.account.AppID, "", "token_refresh", 1)
	}
	return s.newToken(reply.Token, asked.Add(time.Duration(min(reply.ExpiresIn, 7200))*time.Second)), nil
}
