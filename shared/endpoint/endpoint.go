// Package endpoint calls an app's own HTTPS endpoints: content providers, which are asked what a schedule sends, and
// webhooks, which are told what an operator should know. Calls go to listed hosts only, are signed, bounded in time
// and size, and never follow a redirect.
package endpoint

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Names of the headers that carry the signature, and bounds of a call.
const (
	HeaderTimestamp = "Yuexin-Timestamp" // Unix seconds; a receiver refuses what is minutes old
	HeaderSignature = "Yuexin-Signature" // "v1=" and the hex HMAC-SHA-256 of timestamp, ".", body
	maxAnswer       = 1 << 20
)

// App is what the endpoints of one app are called with.
type App struct {
	Hosts       []string // allow list of providers: "bills.example.com" or with a port
	ProviderKey func(ctx context.Context) (string, error)
	WebhookURL  string
	WebhookKey  func(ctx context.Context) (string, error)
}

// Caller calls the endpoints of every app. It implements submsg.Provider and submsg.Webhook.
type Caller struct {
	Apps    map[string]App
	Timeout time.Duration // of one call; 0 means 5 s
	Now     func() time.Time
	client  *http.Client
}

var (
	_ submsg.Provider = (*Caller)(nil)
	_ submsg.Webhook  = (*Caller)(nil)
)

// New makes a Caller.
func New(apps map[string]App, now func() time.Time) *Caller {
	return &Caller{Apps: apps, Now: now, client: &http.Client{
		Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 3 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Allowed answers why an address may not be asked for content; nil if it may.
func (a App) Allowed(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("a provider is an absolute https address without user and fragment")
	}
	if !slices.ContainsFunc(a.Hosts, func(h string) bool { return strings.EqualFold(h, u.Host) }) {
		return fmt.Errorf("host %s is not on the app's allow list (provider.hosts)", u.Host)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return errors.New("a provider is asked over https; plain http is for a listed loopback host only")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// providerQuestion is the body a provider gets.
type providerQuestion struct {
	AppID       string       `json:"appid"`
	TemplateID  string       `json:"template_id"`
	ScheduleID  string       `json:"schedule_id"`
	Occurrence  string       `json:"occurrence"`
	Subscribers []subscriber `json:"subscribers"`
}

type subscriber struct {
	OpenID string `json:"openid"`
}

// providerAnswer is the body a provider gives: for each subscriber data, or skip.
type providerAnswer struct {
	Results []struct {
		OpenID string            `json:"openid"`
		Skip   bool              `json:"skip"`
		Data   map[string]string `json:"data"`
		Page   string            `json:"page"`
	} `json:"results"`
}

// Provide asks the provider for up to 100 subscribers. Each must be answered, with data or skip.
func (c *Caller) Provide(ctx context.Context, r submsg.ProviderRequest) (map[string]submsg.Provided, error) {
	app := c.Apps[r.AppID]
	if err := app.Allowed(r.URL); err != nil {
		return nil, fmt.Errorf("provider of app %s: %w", r.AppID, err)
	}
	q := providerQuestion{AppID: r.AppID, TemplateID: r.TemplateID, ScheduleID: r.ScheduleID, Occurrence: r.Occurrence.Time().Format(time.RFC3339)}
	for _, o := range r.OpenIDs {
		q.Subscribers = append(q.Subscribers, subscriber{o})
	}
	raw, err := c.post(ctx, app.ProviderKey, r.URL, q)
	if err != nil {
		return nil, fmt.Errorf("provider of app %s: %w", r.AppID, err)
	}
	var a providerAnswer
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&a); err != nil {
		return nil, fmt.Errorf("provider of app %s: its answer is not {\"results\":[{\"openid\",\"data\" or \"skip\"}]} with texts as data", r.AppID)
	}
	out := make(map[string]submsg.Provided, len(a.Results))
	for _, one := range a.Results {
		if !one.Skip && len(one.Data) == 0 {
			return nil, fmt.Errorf("provider of app %s: a result has neither data nor skip", r.AppID)
		}
		out[one.OpenID] = submsg.Provided{Skip: one.Skip, Data: one.Data, Page: one.Page}
	}
	missing := 0
	for _, o := range r.OpenIDs {
		if _, ok := out[o]; !ok {
			missing++
		}
	}
	if missing > 0 {
		return nil, fmt.Errorf("provider of app %s: %d of %d subscribers are missing from its answer", r.AppID, missing, len(r.OpenIDs))
	}
	return out, nil
}

// notice is the body a webhook gets.
type notice struct {
	ID         string            `json:"id"`
	AppID      string            `json:"appid"`
	Event      string            `json:"event"`
	TemplateID string            `json:"template_id,omitempty"`
	At         string            `json:"at"`
	Detail     map[string]string `json:"detail,omitempty"`
}

// Post delivers a notice; any 2xx takes it.
func (c *Caller) Post(ctx context.Context, n submsg.Notice) error {
	app := c.Apps[n.AppID]
	if app.WebhookURL == "" {
		return nil
	}
	_, err := c.post(ctx, app.WebhookKey, app.WebhookURL, notice{ID: n.ID, AppID: n.AppID, Event: n.Event, TemplateID: n.TemplateID, At: n.At.Time().Format(time.RFC3339), Detail: n.Detail})
	if err != nil {
		return fmt.Errorf("webhook of app %s: %w", n.AppID, err)
	}
	return nil
}

// Sign is the value of HeaderSignature for a body at a time; receivers compute the same.
func Sign(key string, timestamp string, body []byte) string {
	m := hmac.New(sha256.New, []byte(key))
	io.WriteString(m, timestamp)
	m.Write([]byte{'.'})
	m.Write(body)
	return "v1=" + hex.EncodeToString(m.Sum(nil))
}

func (c *Caller) post(ctx context.Context, sign func(context.Context) (string, error), address string, question any) ([]byte, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("its address cannot be read")
	}
	key, err := sign(ctx)
	if err != nil {
		return nil, fmt.Errorf("the key to sign with cannot be had: %w", err)
	}
	stamp := strconv.FormatInt(c.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "yuexin")
	req.Header.Set(HeaderTimestamp, stamp)
	req.Header.Set(HeaderSignature, Sign(key, stamp, body))
	resp, err := c.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address: its query may hold a secret
		}
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, fmt.Errorf("it answered HTTP %d", resp.StatusCode)
	case len(raw) > maxAnswer:
		return nil, fmt.Errorf("its answer has more than %d bytes", maxAnswer)
	}
	return raw, nil
}
