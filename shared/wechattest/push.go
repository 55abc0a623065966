package wechattest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Mode is how pushes are protected, chosen in WeChat's console.
type Mode string

// The modes.
const (
	Plain      Mode = "plain"      // 明文
	Compatible Mode = "compatible" // 兼容: the plain fields and Encrypt in one body
	Secure     Mode = "secure"     // 安全: Encrypt only
)

// Encoding is the form of a push. The zero value is plain XML.
type Encoding struct {
	Mode    Mode
	Format  Format
	List    ListShape
	Scalars Scalars
}

// Callback is where and how an account's events are pushed.
type Callback struct {
	URL     string       // what the account's operator entered in the console
	Handler http.Handler // called in this process instead of going over the network, with URL's path and query
	Token   string
	AESKey  string // EncodingAESKey; needed in compatible and secure mode
	Encoding

	Copies  int           // times every push is sent although it was acknowledged; 1 when zero
	Timeout time.Duration // how long an attempt waits for its answer; WeChat's 5 seconds when zero
}

func (c *Callback) set() bool { return c.URL != "" || c.Handler != nil }

func (c *Callback) check() error {
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
			return errors.New("its callback URL is not an absolute URL")
		}
	}
	return c.Encoding.check(c.AESKey)
}

func (e Encoding) check(aesKey string) error {
	switch e.Format {
	case "", XML, JSON:
	default:
		return fmt.Errorf("push format %q is neither %s nor %s", e.Format, XML, JSON)
	}
	switch e.Mode {
	case "", Plain:
		return nil
	case Compatible, Secure:
		_, _, err := cipherOf(aesKey)
		return err
	}
	return fmt.Errorf("push mode %q is none of %s, %s, %s", e.Mode, Plain, Compatible, Secure)
}

// Push builds the request that would push an event to its account's callback, for tests that deliver it themselves:
// as it is, twice, altered, or out of order. enc overrides the callback's encoding unless it is nil. Each call signs
// anew, as each of WeChat's attempts does. Without a callback URL the request goes to http://callback.invalid/.
func (s *Sim) Push(event Event, enc *Encoding) (*http.Request, error) {
	a, err := s.account(event.AppID)
	if err != nil {
		return nil, err
	}
	cb := a.callbackWith(enc)
	body, err := event.encode(a.OriginalID, cb.Encoding)
	if err != nil {
		return nil, err
	}
	return s.seal(a, &cb, event.OpenID, body)
}

// PushRaw is Push for any body: signed, and encrypted where the mode says so.
func (s *Sim) PushRaw(appid, openID string, body []byte, enc *Encoding) (*http.Request, error) {
	a, err := s.account(appid)
	if err != nil {
		return nil, err
	}
	cb := a.callbackWith(enc)
	return s.seal(a, &cb, openID, body)
}

// URLCheck builds the GET request by which WeChat checks a callback URL, and the echostr it must be answered with.
func (s *Sim) URLCheck(appid string) (req *http.Request, echostr string, err error) {
	a, err := s.account(appid)
	if err != nil {
		return nil, "", err
	}
	cb := a.callbackWith(nil)
	timestamp, nonce := s.stamp()
	echostr = strconv.FormatUint(mix(s.rids.Add(1))>>1, 10)
	q := url.Values{
		"signature": {Signature(cb.Token, timestamp, nonce)}, "timestamp": {timestamp}, "nonce": {nonce}, "echostr": {echostr},
	}
	req, err = cb.request(http.MethodGet, q, nil)
	return req, echostr, err
}

// VerifyURL checks the account's callback as the console does when an operator saves it: a signed GET that must be
// answered with its echostr and nothing else.
func (s *Sim) VerifyURL(ctx context.Context, appid string) error {
	req, want, err := s.URLCheck(appid)
	if err != nil {
		return err
	}
	cb := s.accounts[appid].callbackWith(nil)
	if !cb.set() {
		return fmt.Errorf("wechattest: account %s has no callback to check", appid)
	}
	resp, err := s.callbackClient(&cb).Do(req.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("wechattest: URL check: %w", err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return fmt.Errorf("wechattest: URL check: %w", err)
	}
	if resp.StatusCode != http.StatusOK || string(got) != want {
		return fmt.Errorf("wechattest: Token校验失败: the callback answered %d %.60q, want 200 %q", resp.StatusCode, got, want)
	}
	return nil
}

// callbackClient is what reaches the callback: its handler in this process, or the network.
func (s *Sim) callbackClient(cb *Callback) *http.Client {
	if cb.Handler != nil {
		return &http.Client{Transport: inProcess{cb.Handler}}
	}
	return s.cfg.PushClient
}

func (a *account) callbackWith(enc *Encoding) Callback {
	a.mu.Lock()
	cb := a.callback
	a.mu.Unlock()
	if enc != nil {
		cb.Encoding = *enc
	}
	return cb
}

// stamp returns the timestamp and nonce of one push.
func (s *Sim) stamp() (timestamp, nonce string) {
	return strconv.FormatInt(s.cfg.Now().Unix(), 10), strconv.FormatUint(mix(s.rids.Add(1))%1_000_000_000, 10)
}

// seal signs and, where the mode says so, encrypts a body.
func (s *Sim) seal(a *account, cb *Callback, openID string, body []byte) (*http.Request, error) {
	if err := cb.Encoding.check(cb.AESKey); err != nil {
		return nil, fmt.Errorf("wechattest: account %s: %w", a.AppID, err)
	}
	timestamp, nonce := s.stamp()
	q := url.Values{"signature": {Signature(cb.Token, timestamp, nonce)}, "timestamp": {timestamp}, "nonce": {nonce}, "openid": {openID}}
	if cb.Mode == Compatible || cb.Mode == Secure {
		var raw [8]byte
		s.random(raw[:])
		encrypted, err := Encrypt(cb.AESKey, a.AppID, hex.EncodeToString(raw[:]), body)
		if err != nil {
			return nil, err
		}
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", Signature(cb.Token, timestamp, nonce, encrypted))
		if body, err = wrap(a.OriginalID, cb.Encoding, body, encrypted); err != nil {
			return nil, err
		}
	}
	return cb.request(http.MethodPost, q, body)
}

// wrap puts the encrypted text into a body: alone in secure mode, beside the plain fields in compatible mode.
func wrap(originalID string, enc Encoding, plain []byte, encrypted string) ([]byte, error) {
	open, field, end := "<xml><ToUserName><![CDATA["+originalID+"]]></ToUserName>", "<Encrypt><![CDATA["+encrypted+"]]></Encrypt>", "</xml>"
	if enc.Format == JSON {
		open, field, end = `{"ToUserName":"`+originalID+`"`, `,"Encrypt":"`+encrypted+`"`, "}"
	}
	if enc.Mode == Secure {
		return []byte(open + field + end), nil
	}
	head, ok := bytes.CutSuffix(bytes.TrimSpace(plain), []byte(end))
	if !ok {
		return nil, fmt.Errorf("wechattest: compatible mode needs a body that ends in %q", end)
	}
	return append(append(bytes.Clone(head), field...), end...), nil
}

func (c *Callback) request(method string, q url.Values, body []byte) (*http.Request, error) {
	target := c.URL
	if target == "" {
		target = "http://callback.invalid/"
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, errors.New("wechattest: the callback URL cannot be parsed")
	}
	if own := u.RawQuery; own != "" {
		u.RawQuery = own + "&" + q.Encode()
	} else {
		u.RawQuery = q.Encode()
	}
	req, err := http.NewRequestWithContext(context.Background(), method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("wechattest: callback request: %w", err)
	}
	req.Header.Set("User-Agent", "Mozilla/4.0")
	if body != nil {
		req.Header.Set("Content-Type", "text/xml")
		if c.Format == JSON {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	return req, nil
}
