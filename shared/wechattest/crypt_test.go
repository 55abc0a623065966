package wechattest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The official vectors: developers.weixin.qq.com, 消息推送. Their key is all zeros, so that key and initial vector are the
// same; the vectors of testdata/openssl.json close that gap.
const (
	officialAppID = "wxba5fad812f8e6fb9"
	officialKey   = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	officialPush  = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
	officialReply = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
)

func TestSignatureMatchesTheOfficialVectors(t *testing.T) {
	tests := []struct {
		name, want string
		parts      []string
	}{
		{"URL check", "f464b24fc39322e44b38aa78f5edd27bd1441696", []string{"AAAAA", "1714036504", "1514711492"}},
		{"plain push", "899cf89e464efb63f54ddac96b0a0a235f53aa78", []string{"AAAAA", "1714037059", "486452656"}},
		{"secure push, signature", "6c5c811b55cc85e0e1b54100749188c20beb3f5d", []string{"AAAAA", "1714112445", "415670741"}},
		{"secure push, msg_signature", "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3", []string{"AAAAA", "1714112445", "415670741", officialPush}},
		{"encrypted reply", "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1", []string{"AAAAA", "1713424427", "415670741", officialReply}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Signature(tt.parts...); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestEncryptMatchesTheOfficialVectors(t *testing.T) {
	tests := []struct{ name, random, msg, want string }{
		{"push", "a8eedb185eb2fecf",
			`{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`,
			officialPush},
		{"reply", "707722b803182950", `{"demo_resp":"good luck"}`, officialReply},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agree(t, officialKey, officialAppID, tt.random, tt.msg, tt.want)
		})
	}
}

func TestEncryptAgreesWithOpenSSL(t *testing.T) {
	b, err := os.ReadFile("testdata/openssl.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, Key, Random, AppID, Message, Encrypt string
		Pad                                        int
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	fullBlock := false
	for _, v := range vectors {
		fullBlock = fullBlock || v.Pad == padBlock
		t.Run(v.Name, func(t *testing.T) {
			agree(t, v.Key, v.AppID, v.Random, v.Message, v.Encrypt)
		})
	}
	if len(vectors) < 7 || !fullBlock {
		t.Errorf("%d vectors, with a full block of padding: %t", len(vectors), fullBlock)
	}
}

// agree checks both directions of one vector.
func agree(t *testing.T, key, appid, random, msg, encrypted string) {
	t.Helper()
	got, err := Encrypt(key, appid, random, []byte(msg))
	if err != nil || got != encrypted {
		t.Errorf("Encrypt: %q, %v, want %q", got, err, encrypted)
	}
	plain, err := Decrypt(key, appid, encrypted)
	if err != nil || string(plain) != msg {
		t.Errorf("Decrypt: %q, %v, want %q", plain, err, msg)
	}
}

func TestDecryptRefuses(t *testing.T) {
	tests := []struct{ name, key, appid, encrypted, want string }{
		{"another appid", officialKey, "wx0", officialPush, "another appid"},
		{"another key", aesKey, officialAppID, officialPush, "padding"},
		{"a key too short", "AAAA", officialAppID, officialPush, "43 base64"},
		{"no base64", officialKey, officialAppID, "§", "base64"},
		{"half a block", officialKey, officialAppID, "AAAA", "whole AES blocks"},
		{"nothing", officialKey, officialAppID, "", "whole AES blocks"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Decrypt(tt.key, tt.appid, tt.encrypted); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Encrypt(officialKey, officialAppID, "short", nil); err == nil {
		t.Error("a short random was accepted")
	}
}
