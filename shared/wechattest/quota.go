package wechattest

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Quota bounds the calls of one interface; zero means unlimited.
type Quota struct {
	PerDay    int // calendar day in Shanghai; 45009 beyond
	PerMinute int // 45011 beyond
}

// defaultQuotas are the documented ones. The quota of gettemplate is real, but not documented.
var defaultQuotas = map[string]Quota{
	PathSend:         {PerDay: 30_000_000}, // with payment ability; 10,000,000 without
	PathTemplateSend: {PerDay: 100_000},
	PathStableToken:  {PerDay: 500_000, PerMinute: 10_000},
}

// quotaUse is what an account used of one interface.
type quotaUse struct {
	limit       Quota
	day, minute int64
	today, now  int
}

func (a *account) quota(path string, now time.Time) *quotaUse {
	use := a.quotas[path]
	if use == nil {
		limit, ok := a.Quotas[path]
		if !ok {
			limit = defaultQuotas[path]
		}
		use = &quotaUse{limit: limit}
		a.quotas[path] = use
	}
	if day := dayOf(now); day != use.day {
		use.day, use.today = day, 0
	}
	if minute := now.Unix() / 60; minute != use.minute {
		use.minute, use.now = minute, 0
	}
	return use
}

// charge counts one call and returns 0, or the errcode of an exhausted quota. The caller holds a.mu.
func (a *account) charge(path string, now time.Time) int {
	use := a.quota(path, now)
	if use.limit.PerDay > 0 && use.today >= use.limit.PerDay {
		return 45009
	}
	if use.limit.PerMinute > 0 && use.now >= use.limit.PerMinute {
		return 45011
	}
	use.today++
	use.now++
	return 0
}

// SetQuota changes the account's quota of one interface from the next call on; what was used today stays counted.
func (s *Sim) SetQuota(appid, path string, q Quota) error {
	a, err := s.account(appid)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.quota(path, s.cfg.Now()).limit = q
	return nil
}

func (s *Sim) serveQuotaGet(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.stray(w, PathQuotaGet, 43002)
		return
	}
	var req struct {
		Path string `json:"cgi_path"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&req); err != nil {
		s.stray(w, PathQuotaGet, 47001)
		return
	}
	x := exchange{w: w, path: PathQuotaGet}
	if !s.authenticate(&x, r) {
		return
	}
	s.perform(&x, func(now time.Time, _ *Fault) reply {
		switch req.Path {
		case PathSend, PathBizSend, PathTemplateSend, PathGetTemplate, PathStableToken, PathToken, PathQuotaGet:
		default:
			return reply{code: 76021}
		}
		x.account.mu.Lock()
		use := *x.account.quota(req.Path, now)
		x.account.mu.Unlock()
		answer := map[string]any{"errcode": 0, "errmsg": "ok", "quota": map[string]int{
			"daily_limit": use.limit.PerDay, "used": use.today, "remain": max(0, use.limit.PerDay-use.today),
		}}
		if use.limit.PerMinute > 0 {
			answer["rate_limit"] = map[string]int{"call_count": use.limit.PerMinute, "refresh_second": 60}
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return reply{code: -1, text: err.Error()}
		}
		return reply{body: body}
	})
}
