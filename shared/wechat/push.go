package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
)

// MaxPushBody is the most bytes that a push's body may have. An event has a few hundred; the longest message a
// user can type stays far below.
const MaxPushBody = 256 << 10

// PushMode is the way in which an account has its pushes delivered (消息加解密方式).
type PushMode string

// The modes, as the configuration spells them.
const (
	PushPlain      PushMode = "plain"      // 明文模式
	PushCompatible PushMode = "compatible" // 兼容模式: plain and encrypted side by side; either body is taken
	PushSecure     PushMode = "secure"     // 安全模式
)

// PushConfig is the push configuration of one app, as entered in the account's console.
type PushConfig struct {
	AppID  string   `json:"appid"`
	Token  string   `json:"-"` // 令牌
	AESKey string   `json:"-"` // EncodingAESKey, 43 characters; not needed in plain mode
	Mode   PushMode `json:"mode"`
}

// String leaves the secrets out, so that a configuration printed by mistake gives nothing away.
func (c PushConfig) String() string { return fmt.Sprintf("push of app %s, mode %s", c.AppID, c.Mode) }

// GoString is String, for %#v.
func (c PushConfig) GoString() string { return c.String() }

// LogValue is String, for slog.
func (c PushConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Push checks and reads the pushes of one app. It is safe for concurrent use.
type Push struct {
	cfg   PushConfig
	block cipher.Block // nil in plain mode
	iv    []byte
}

// NewPush checks the configuration. Errors name what is wrong, never its value.
func NewPush(cfg PushConfig) (*Push, error) {
	switch {
	case cfg.AppID == "":
		return nil, errors.New("wechat: push configuration without an appid")
	case cfg.Token == "":
		return nil, fmt.Errorf("wechat: push token of app %s is empty: anyone could sign", cfg.AppID)
	case cfg.Mode != PushPlain && cfg.Mode != PushCompatible && cfg.Mode != PushSecure:
		return nil, fmt.Errorf("wechat: push mode %q of app %s; want plain, compatible or secure", cfg.Mode, cfg.AppID)
	}
	p := &Push{cfg: cfg}
	if cfg.Mode == PushPlain {
		return p, nil
	}
	key, err := decodeAESKey(cfg.AESKey)
	if err != nil {
		return nil, fmt.Errorf("wechat: aes_key of app %s: %w", cfg.AppID, err)
	}
	if p.block, err = aes.NewCipher(key); err != nil {
		return nil, fmt.Errorf("wechat: aes_key of app %s: %w", cfg.AppID, err)
	}
	p.iv = key[:aes.BlockSize]
	return p, nil
}

// String names the app and the mode.
func (p *Push) String() string { return p.cfg.String() }

// GoString is String, for %#v.
func (p *Push) GoString() string { return p.cfg.String() }

// LogValue is String, for slog.
func (p *Push) LogValue() slog.Value { return p.cfg.LogValue() }

// decodeAESKey makes the 32-byte key of an EncodingAESKey. Its 43 characters carry 258 bits, so the last one of a real
// key may have spare bits set, which a strict decoder would refuse.
func decodeAESKey(s string) ([]byte, error) {
	s = strings.TrimSuffix(s, "=")
	if len(s) != 43 {
		return nil, fmt.Errorf("an EncodingAESKey has 43 characters, this one %d", len(s))
	}
	key, err := base64.StdEncoding.DecodeString(s + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("an EncodingAESKey has only letters, digits, + and /")
	}
	return key, nil
}

// PushQuery is the query of a push's URL.
type PushQuery struct {
	Signature    string // covers timestamp and nonce, not the body
	MsgSignature string // covers timestamp, nonce and the encrypted body
	Timestamp    string
	Nonce        string
	EncryptType  string // "aes", or "" and "raw" for a plain body
	Echo         string // echostr of the URL check
}

// ParsePushQuery reads a raw URL query. Parameters that are not known are ignored, of repeated ones the first counts,
// and one that is badly escaped counts as absent: its signature check then fails.
func ParsePushQuery(raw string) PushQuery {
	var q PushQuery
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		var field *string
		switch name {
		case "signature":
			field = &q.Signature
		case "msg_signature":
			field = &q.MsgSignature
		case "timestamp":
			field = &q.Timestamp
		case "nonce":
			field = &q.Nonce
		case "encrypt_type":
			field = &q.EncryptType
		case "echostr":
			field = &q.Echo
		default:
			continue
		}
		if *field == "" {
			*field, _ = url.QueryUnescape(value)
		}
	}
	return q
}

// maxEcho bounds the echostr that is handed back; WeChat's has about 20 characters.
const maxEcho = 1024

// CheckURL answers the check that WeChat makes when the URL is entered in the console (GET). The echo must go back
// unchanged, as plain text with nothing around it. The check is the same in every mode.
func (p *Push) CheckURL(q PushQuery) (echo string, err error) {
	if !signed(q.Signature, p.cfg.Token, q.Timestamp, q.Nonce) {
		return "", pushError(BadSignature, "signature does not match: is the configured push token the one of the console?")
	}
	if q.Echo == "" || len(q.Echo) > maxEcho {
		return "", pushError(BadBody, "echostr is missing or longer than %d bytes", maxEcho)
	}
	return q.Echo, nil
}

// Decode checks, decrypts and parses a delivered push (POST). Every error is a *PushError; nothing of the push may
// be used then.
//
// Where the body has an encrypted part, only that part counts: its msg_signature covers it and the appid inside
// names the account, while nothing at all covers plain fields beside it. A plain body is taken in plain mode,
// and in compatible mode if neither the query nor the body speaks of encryption.
func (p *Push) Decode(q PushQuery, body []byte) (Event, error) {
	if len(body) > MaxPushBody {
		return Event{}, pushError(TooLarge, "the body has more than %d bytes", MaxPushBody)
	}
	// The cheap check comes first where it says anything, so that a stranger's body is not even parsed.
	if p.cfg.Mode == PushPlain && !signed(q.Signature, p.cfg.Token, q.Timestamp, q.Nonce) {
		return Event{}, pushError(BadSignature, "signature does not match: is the configured push token the one of the console?")
	}
	outer, err := parseBody(body)
	if err != nil {
		return Event{}, err
	}
	encrypted := outer.value("Encrypt")
	switch {
	case encrypted != "" && p.cfg.Mode == PushPlain:
		return Event{}, pushError(WrongMode, "the push is encrypted but the app is configured for plain mode: set push.mode to the console's")
	case encrypted != "":
		plain, err := p.open(q, encrypted)
		if err != nil {
			return Event{}, err
		}
		inner, err := parseBody(plain)
		if err != nil {
			return Event{}, err
		}
		return readEvent(inner)
	case p.cfg.Mode == PushSecure:
		return Event{}, pushError(WrongMode, "the push is not encrypted but the app is configured for secure mode: set push.mode to the console's")
	case q.EncryptType != "" && q.EncryptType != "raw", q.MsgSignature != "":
		return Event{}, pushError(WrongMode, "the query announces encryption but the body has no Encrypt")
	case !signed(q.Signature, p.cfg.Token, q.Timestamp, q.Nonce):
		return Event{}, pushError(BadSignature, "signature does not match: is the configured push token the one of the console?")
	}
	return readEvent(outer)
}
