package wechat

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"testing"
)

var fuzzConfig = PushConfig{
	AppID: "wx0123456789abcdef", Token: "yuexinPushToken7",
	AESKey: "bQReqA40JOE6usrrb1Dc9T7S0N3dKv6ALd17qCSwPwk", Mode: PushSecure,
}

func fuzzPush(t testing.TB, mode PushMode) *Push {
	cfg := fuzzConfig
	cfg.Mode = mode
	p, err := NewPush(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// seal is the inverse of open for a message of our own.
func (p *Push) seal(t testing.TB, message []byte, appid string) (PushQuery, string) {
	t.Helper()
	plain := binary.BigEndian.AppendUint32([]byte("0123456789abcdef"), uint32(len(message)))
	plain = append(append(plain, message...), appid...)
	pad := paddingBlock - len(plain)%paddingBlock
	for range pad {
		plain = append(plain, byte(pad))
	}
	cipher.NewCBCEncrypter(p.block, p.iv).CryptBlocks(plain, plain)
	encrypted := base64.StdEncoding.EncodeToString(plain)
	return p.sign(encrypted), encrypted
}

func (p *Push) sign(encrypted string) PushQuery {
	q := PushQuery{Timestamp: "1763712000", Nonce: "318204971", EncryptType: "aes"}
	plain, secure := sign(p.cfg.Token, q.Timestamp, q.Nonce), sign(p.cfg.Token, q.Timestamp, q.Nonce, encrypted)
	q.Signature, q.MsgSignature = string(plain[:]), string(secure[:])
	return q
}

// FuzzDecrypt feeds any bytes as ciphertext, and as a message to be sealed and opened again.
func FuzzDecrypt(f *testing.F) {
	p := fuzzPush(f, PushSecure)
	f.Fuzz(func(t *testing.T, data []byte) {
		message, appid, ok := decrypt(p.block, p.iv, append([]byte(nil), data...))
		if ok && (len(data)%paddingBlock != 0 || header+len(message)+len(appid) >= len(data)) {
			t.Errorf("%d bytes gave a message of %d and an appid of %d bytes", len(data), len(message), len(appid))
		}
		_, encrypted := p.seal(t, data, fuzzConfig.AppID)
		again, err := p.open(p.sign(encrypted), encrypted)
		if err != nil || string(again) != string(data) {
			t.Errorf("sealed and opened: %q, %v", again, err)
		}
		// Any changed byte must be noticed by the signature.
		if _, err := p.open(p.sign(encrypted), "A"+encrypted[1:]); err == nil && encrypted[0] != 'A' {
			t.Error("a changed envelope was opened")
		}
	})
}

// FuzzParseEvent parses any body, and holds the parsers against the standard library's.
func FuzzParseEvent(f *testing.F) {
	for _, s := range readManifest(f).Pushes {
		f.Add(readSample(f, s.File))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkAgainstStandardLibrary(t, body)
		n, err := parseBody(body)
		if err != nil {
			return
		}
		e, err := readEvent(n)
		checkEvent(t, e, err)
	})
}

// FuzzPush decodes any body under any query, in all modes, as it is and in a correctly signed envelope.
func FuzzPush(f *testing.F) {
	pushes := []*Push{fuzzPush(f, PushPlain), fuzzPush(f, PushCompatible), fuzzPush(f, PushSecure)}
	for _, s := range readManifest(f).Pushes {
		f.Add(s.Query, readSample(f, s.File))
	}
	f.Fuzz(func(t *testing.T, query string, body []byte) {
		for _, p := range pushes {
			e, err := p.Decode(ParsePushQuery(query), body)
			checkEvent(t, e, err)
			if p.cfg.Mode == PushPlain {
				continue
			}
			q, encrypted := p.seal(t, body, fuzzConfig.AppID)
			outer, _ := json.Marshal(map[string]string{"ToUserName": "gh_0", "Encrypt": encrypted})
			e, err = p.Decode(q, outer)
			checkEvent(t, e, err)
			n, bodyErr := parseBody(body)
			if len(outer) <= MaxPushBody && bodyErr == nil && err == nil {
				if plain, _ := readEvent(n); plain.Fingerprint != e.Fingerprint {
					t.Error("an event reads differently inside an envelope")
				}
			}
			q.MsgSignature = q.Signature
			if _, err := p.Decode(q, outer); err == nil {
				t.Error("a body that msg_signature does not cover was accepted")
			}
		}
	})
}

// FuzzAnswer holds the fast path of answers against encoding/json.
func FuzzAnswer(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		parsed, err := parseAnswer(body)
		fast, ok := scanAnswer(body)
		if ok && (err != nil || parsed != fast) {
			t.Fatalf("fast path %+v, result %+v, %v", fast, parsed, err)
		}
		var want struct {
			Code  *int32      `json:"errcode"`
			Msg   string      `json:"errmsg"`
			MsgID json.Number `json:"msgid"`
		}
		if ok {
			if err := json.Unmarshal(body, &want); err != nil || want.Code == nil {
				t.Fatalf("fast path %+v, encoding/json: %v", fast, err)
			}
			id, _ := want.MsgID.Int64()
			if fast != (answer{int(*want.Code), want.Msg, id}) {
				t.Fatalf("fast path %+v, encoding/json %+v", fast, want)
			}
		}
		if err == nil && !json.Valid(bytes.TrimPrefix(body, bom)) {
			t.Fatal("an answer that is not JSON was taken")
		}
	})
}

func checkEvent(t *testing.T, e Event, err error) {
	t.Helper()
	var fault *PushError
	switch {
	case err != nil && (!errors.As(err, &fault) || fault.Fault == "" || e.Name != "" || e.Items != nil):
		t.Errorf("error %v with event %+v", err, e)
	case err == nil && e.Fingerprint == 0:
		t.Error("fingerprint is 0")
	case err == nil && (e.Kind == Unrelated) != (len(e.Items) == 0):
		t.Errorf("kind %d with %d items", e.Kind, len(e.Items))
	}
}

func TestSealedSizesAroundTheBlockOpen(t *testing.T) {
	p := fuzzPush(t, PushSecure)
	for size := range 4 * aes.BlockSize {
		message := make([]byte, size)
		q, encrypted := p.seal(t, message, fuzzConfig.AppID)
		if got, err := p.open(q, encrypted); err != nil || len(got) != size {
			t.Errorf("message of %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
}
