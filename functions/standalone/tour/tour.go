// Package tour plays the main job once, through the real HTTP surface and against a WeChat that keeps its own truth, and
// tells what happened: users accept, messages go out, are refused with a reason, are scheduled, are lost and found
// again. At the end it holds the ledger against WeChat's side; it has succeeded only if they agree.
package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// Stage is where the tour plays: the application, its WeChat and their clock.
type Stage struct {
	URL   string // of the application
	Key   string // API key
	AppID string
	Order string // template ids: one-time
	Bill  string // and long-term

	Sim *wechattest.Sim
	Now func() time.Time
	// Pass lets d of the stage's time go by: at once where the clock is simulated.
	Pass func(ctx context.Context, d time.Duration) error
	// Provider is the address of a content provider that the stage serves by ProvideBills.
	Provider string

	BillAt       func() time.Time // when the monthly bill goes out next
	UnknownAfter time.Duration    // the app's unknown_after
	Audience     int              // subscribers of the monthly bill
	Out          io.Writer
}

// story is one run.
type story struct {
	Stage
	ctx        context.Context
	client     http.Client
	faults     []string
	revoked    string // the subscriber who left
	unlucky    string // the one whose first bill got no answer
	schedule   string
	occurrence string
}

// Run plays the tour. The error says what stopped it, or where the two sides disagree.
func Run(ctx context.Context, stage Stage) error {
	s := &story{Stage: stage, ctx: ctx, client: http.Client{Timeout: 30 * time.Second}}
	began := time.Now()
	for _, scene := range []func() error{s.accept, s.send, s.audience, s.bills, s.rules, s.agree} {
		if err := scene(); err != nil {
			return err
		}
	}
	s.say("\nDone in %s.", time.Since(began).Round(time.Millisecond))
	if len(s.faults) > 0 {
		return errors.New("the ledger and WeChat disagree: " + strings.Join(s.faults, "; "))
	}
	return nil
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// expect notes a disagreement.
func (s *story) expect(ok bool, format string, args ...any) {
	if !ok {
		text := fmt.Sprintf(format, args...)
		s.say("  ✗ %s", text)
		s.faults = append(s.faults, text)
	}
}

// answer is a decoded JSON answer.
type answer map[string]any

func (a answer) text(path ...string) string {
	v := a.at(path...)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (a answer) at(path ...string) any {
	var v any = map[string]any(a)
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func (a answer) number(path ...string) int64 {
	n, ok := a.at(path...).(json.Number)
	if !ok {
		return 0
	}
	v, err := n.Int64()
	if err != nil {
		return 0
	}
	return v
}

func (a answer) list(name string) []answer {
	items, _ := a[name].([]any)
	out := make([]answer, 0, len(items))
	for _, it := range items {
		if m, ok := it.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// call makes one API call; path is below /v1/apps/{appid}. want lists the statuses that are no surprise.
func (s *story) call(method, path, key string, body any, want ...int) (answer, error) {
	var raw io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		raw = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(s.ctx, method, s.URL+"/v1/apps/"+s.AppID+path, raw)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	out := answer{}
	if resp.StatusCode != http.StatusNoContent {
		dec := json.NewDecoder(resp.Body)
		dec.UseNumber()
		if err := dec.Decode(&out); err != nil {
			return nil, fmt.Errorf("%s %s answered HTTP %d without JSON: %w", method, path, resp.StatusCode, err)
		}
	}
	for _, w := range want {
		if resp.StatusCode == w {
			return out, nil
		}
	}
	return out, fmt.Errorf("%s %s answered HTTP %d: %s", method, path, resp.StatusCode, out.text("detail"))
}

// until asks again and again until ok, a few stage milliseconds apart.
func (s *story) until(what string, ok func() (bool, error)) error {
	for deadline := time.Now().Add(time.Minute); ; {
		done, err := ok()
		if err != nil || done {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited in vain: %s", what)
		}
		select {
		case <-s.ctx.Done():
			return s.ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// settled waits until WeChat has delivered every push.
func (s *story) settled() error {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	return s.Sim.Wait(ctx)
}

func (s *story) credits(openid, template string) (string, error) {
	sub, err := s.call("GET", "/subscribers/"+openid, "", nil, 200)
	if err != nil {
		return "", err
	}
	for _, one := range sub.list("subscriptions") {
		if one.text("template_id") == template {
			return one.text("credits"), nil
		}
	}
	return "0", nil
}
