package wechat

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// lean is a WeChat that costs as little as net/http allows: the client is to be measured.
func lean(b *testing.B) *httptest.Server {
	b.Helper()
	ok := []byte(`{"errcode":0,"errmsg":"ok","msgid":1988810812324364291}`)
	token := []byte(`{"access_token":"` + string(bytes.Repeat([]byte("x"), 136)) + `","expires_in":7200}`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == tokenPath {
			w.Write(token)
			return
		}
		w.Write(ok)
	}))
	b.Cleanup(server.Close)
	return server
}

func benchClient(b *testing.B, url string) *Client {
	c, err := New(Config{
		Apps:  []App{{AppID: testApp, BaseURL: url, Secret: func(context.Context, bool) (string, error) { return testSecret, nil }}},
		Store: &tokenStore{},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	if r := c.Send(context.Background(), testApp, testMessage); !r.Answered {
		b.Fatalf("%+v", r)
	}
	return c
}

// BenchmarkSend compares a Send with a plain http.Client.Post of the same bytes to the same server, with 32
// callers per processor. Allocations include the server's.
func BenchmarkSend(b *testing.B) {
	const callers = 32
	server := lean(b)
	c := benchClient(b, server.URL)
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(callers)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if r := c.Send(context.Background(), testApp, testMessage); !r.Answered || r.Code != 0 {
					b.Errorf("%+v", r)
				}
			}
		})
	})
	b.Run("plain post", func(b *testing.B) {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost, transport.MaxIdleConns = 512, 0
		defer transport.CloseIdleConnections()
		plain := &http.Client{Transport: transport, Timeout: 5 * time.Second}
		a := c.apps[testApp]
		url := a.tokens.current.Load().sendURL.String()
		payload := appendMessage(nil, a, testMessage)
		b.ReportAllocs()
		b.SetParallelism(callers)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				resp, err := plain.Post(url, "application/json", bytes.NewReader(payload))
				if err != nil {
					b.Error(err)
					return
				}
				if body, err := io.ReadAll(resp.Body); err != nil || len(body) == 0 {
					b.Error(err)
				}
				resp.Body.Close()
			}
		})
	})
}

func BenchmarkMessageBody(b *testing.B) {
	a := &account{App: App{Kind: MiniProgram, MiniprogramState: "formal", Lang: "zh_CN"}}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendMessage(buf[:0], a, testMessage)
	}
}

func BenchmarkAnswer(b *testing.B) {
	body := []byte(`{"errcode":0,"errmsg":"ok","msgid":1988810812324364291}`)
	b.ReportAllocs()
	for b.Loop() {
		if a, err := parseAnswer(body); err != nil || a.msgid == 0 {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecode measures a push from query and body to event.
func BenchmarkDecode(b *testing.B) {
	m := readManifest(b)
	for _, s := range m.Pushes {
		switch s.File {
		case "popup.one-object.json", "popup.two.xml", "popup.secure.json", "popup.secure.xml", "sent.secure.xml":
		default:
			continue
		}
		b.Run(s.File, func(b *testing.B) {
			p, body := m.push(b, s.Account, s.Mode), readSample(b, s.File)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Decode(ParsePushQuery(s.Query), body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A push must stay cheap: its sender waits, and WeChat sends them in bursts.
func TestDecodingASecurePushAllocatesLittle(t *testing.T) {
	const goal = 60
	m := readManifest(t)
	for _, s := range m.Pushes {
		if s.Mode != PushSecure || s.Fault != "" {
			continue
		}
		p, body := m.push(t, s.Account, s.Mode), readSample(t, s.File)
		if n := testing.AllocsPerRun(100, func() { p.Decode(ParsePushQuery(s.Query), body) }); n > goal {
			t.Errorf("%s: %.0f allocations, goal %d", s.File, n, goal)
		}
	}
}
