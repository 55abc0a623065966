package wechat

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/wechattest"
)

// The simulator was written apart from this package, with its own signatures, encryption and wording, so what the
// two agree on is not one author's mistake made twice.

const simTemplate = "hD-ixGOhYmUfjOnI8MCzQMPshzGVeux_2vzyvQu7O68"

func newSim(t *testing.T, cb wechattest.Callback) (*wechattest.Sim, *Client) {
	t.Helper()
	sim, err := wechattest.New(wechattest.Config{Seed: 1, ManualPushes: true, Accounts: []wechattest.Account{{
		AppID: testApp, Secret: testSecret, Callback: cb,
		Templates: []wechattest.Template{
			{ID: simTemplate, Title: "取餐提醒", Kind: wechattest.OneTime, Content: "商品:{{thing1.DATA}}\n门店:{{thing2.DATA}}"},
			{ID: "second", Title: "账单通知", Kind: wechattest.LongTerm, Content: "区域:{{enum_string1.DATA}}", Enums: map[string][]string{"enum_string1": {"东", "西"}}},
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	c, err := New(Config{
		Apps:  []App{{AppID: testApp, BaseURL: server.URL, Secret: func(context.Context, bool) (string, error) { return testSecret, nil }}},
		Store: &tokenStore{}, Timeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close(); c.Close(); server.Close() })
	return sim, c
}

func TestClientAndSimulatorAgreeOnEveryOutcome(t *testing.T) {
	cases := map[string]struct {
		fault    wechattest.Fault
		result   string // answered with a code, not sent, unknown
		received int
	}{
		"accepted":                      {wechattest.Fault{}, "0", 1},
		"accepted without msgid":        {wechattest.NoMsgID(), "0", 1},
		"token replaced elsewhere":      {wechattest.TokenRotated(), "0", 1},
		"refused":                       {wechattest.Refuse(47003), "47003", 0},
		"busy, without having acted":    {wechattest.BusyBefore(), "-1", 0},
		"busy, although it acted":       {wechattest.BusyAfter(), "-1", 1},
		"cut off before it acted":       {wechattest.CutBefore(), "unknown", 0},
		"cut off after it acted":        {wechattest.CutAfter(), "unknown", 1},
		"bad gateway before it acted":   {wechattest.BadGatewayBefore(), "unknown", 0},
		"bad gateway after it acted":    {wechattest.BadGatewayAfter(), "unknown", 1},
		"a web page before it acted":    {wechattest.NotJSONBefore(), "unknown", 0},
		"a web page after it acted":     {wechattest.NotJSONAfter(), "unknown", 1},
		"an answer later than the call": {wechattest.AnswerDelayed(2 * time.Second), "unknown", 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			sim, c := newSim(t, wechattest.Callback{})
			must(t, sim.Accept(testApp, testOpenID, simTemplate, "second"))
			m := submsg.Message{OpenID: testOpenID, TemplateID: simTemplate, Data: map[string]string{"thing1": "拿铁 \"大\"杯", "thing2": "漕河泾"}, Page: "pages/o?id=7"}
			warm := submsg.Message{OpenID: testOpenID, TemplateID: "second", Data: map[string]string{"enum_string1": "东"}}
			if r := c.Send(context.Background(), testApp, warm); !r.Answered || r.Code != 0 { // so that the call under test reuses a connection
				t.Fatalf("%+v", r)
			}
			sim.Script(wechattest.Rules(wechattest.Rule{Path: wechattest.PathSend, Times: 1, Fault: tc.fault}))
			r := c.Send(context.Background(), testApp, m)
			got := "unknown"
			switch {
			case r.NotSent:
				got = "not sent"
			case r.Answered:
				got = fmt.Sprint(r.Code)
			}
			if got != tc.result {
				t.Errorf("result %s, want %s: %+v", got, tc.result, r)
			}
			messages := slices.DeleteFunc(sim.Received(testApp, testOpenID), func(m wechattest.Message) bool { return m.TemplateID != simTemplate })
			if len(messages) != tc.received {
				t.Fatalf("%d messages reached the user, want %d", len(messages), tc.received)
			}
			if tc.received == 1 {
				if diff := cmp.Diff(m.Data, messages[0].Data); diff != "" || messages[0].Page != m.Page {
					t.Errorf("page %q, data %s", messages[0].Page, diff)
				}
				if r.Code == 0 && r.Answered && r.MsgID != messages[0].MsgID && r.MsgID != 0 {
					t.Errorf("msgid %d, want %d", r.MsgID, messages[0].MsgID)
				}
			}
		})
	}
}

func TestClientForcesATokenThatTheSimulatorBroke(t *testing.T) {
	sim, c := newSim(t, wechattest.Callback{})
	must(t, sim.Grant(testApp, testOpenID, simTemplate, 3))
	m := submsg.Message{OpenID: testOpenID, TemplateID: simTemplate, Data: map[string]string{"thing1": "a", "thing2": "b"}}
	for _, prepare := range []func(string) error{func(string) error { return nil }, sim.BreakToken, sim.ExpireTokens} {
		must(t, prepare(testApp))
		if r := c.Send(context.Background(), testApp, m); !r.Answered || r.Code != 0 {
			t.Errorf("%+v", r)
		}
	}
	if r := c.Send(context.Background(), testApp, m); !r.Answered || r.Code != 43101 || r.RID == "" {
		t.Errorf("without a credit: %+v", r)
	}
}

func TestTemplatesOfTheSimulatorAreListed(t *testing.T) {
	_, c := newSim(t, wechattest.Callback{})
	list, err := c.Templates(context.Background(), testApp)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	i := slices.IndexFunc(list, func(s submsg.SyncedTemplate) bool { return s.TemplateID == "second" })
	if got := list[i]; got.Type != 3 || got.Title != "账单通知" || !slices.Equal(got.Enums["enum_string1"], []string{"东", "西"}) {
		t.Errorf("got %+v", got)
	}
}

func TestPushesOfTheSimulatorAreReadInEveryModeAndShape(t *testing.T) {
	at := time.Unix(1763712000, 0).UTC()
	item := wechattest.EventItem{TemplateID: simTemplate, Status: "accept", PopupScene: 1}
	sent := wechattest.EventItem{TemplateID: simTemplate, MsgID: 8988810812324364291, ErrorStatus: "success"}
	events := map[string]struct {
		push wechattest.Event
		want Event
	}{
		"popup, one": {
			wechattest.Event{Kind: wechattest.EventPopup, Items: []wechattest.EventItem{item}},
			Event{Name: PopupEvent, Kind: Decided, Items: []Item{{TemplateID: simTemplate, Status: "accept", Scene: "1"}}},
		},
		"popup, two": {
			wechattest.Event{Kind: wechattest.EventPopup, Items: []wechattest.EventItem{item, {TemplateID: "second", Status: "reject", PopupScene: 1}}},
			Event{Name: PopupEvent, Kind: Decided, Items: []Item{{TemplateID: simTemplate, Status: "accept", Scene: "1"}, {TemplateID: "second", Status: "reject", Scene: "1"}}},
		},
		"change": {
			wechattest.Event{Kind: wechattest.EventChange, Items: []wechattest.EventItem{{TemplateID: simTemplate, Status: "reject"}}},
			Event{Name: ChangeEvent, Kind: Decided, Items: []Item{{TemplateID: simTemplate, Status: "reject"}}},
		},
		"sent": {
			wechattest.Event{Kind: wechattest.EventSent, Items: []wechattest.EventItem{sent}},
			Event{Name: SentEvent, Kind: Sent, Items: []Item{{TemplateID: simTemplate, MsgID: sent.MsgID, ErrorStatus: "success"}}},
		},
	}
	cb := wechattest.Callback{URL: "http://callback.test/wechat/" + testApp, Token: fuzzConfig.Token, AESKey: fuzzConfig.AESKey}
	sim, _ := newSim(t, cb)
	fingerprints := map[string]uint64{}
	for _, mode := range []wechattest.Mode{wechattest.Plain, wechattest.Compatible, wechattest.Secure} {
		p := fuzzPush(t, PushMode(mode))
		for _, enc := range encodings(mode) {
			for name, ev := range events {
				ev.push.AppID, ev.push.OpenID, ev.push.At = testApp, testOpenID, at
				req, err := sim.Push(ev.push, &enc)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(req.Body)
				must(t, err)
				got, err := p.Decode(ParsePushQuery(req.URL.RawQuery), body)
				if err != nil {
					t.Errorf("%s, %+v: %v\n%s", name, enc, err, body)
					continue
				}
				want := ev.want
				want.OpenID, want.At, want.ToUser, want.Fingerprint = testOpenID, at, got.ToUser, got.Fingerprint
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s, %+v (-want +got):\n%s\n%s", name, enc, diff, body)
				}
				if first, ok := fingerprints[name]; ok && first != got.Fingerprint {
					t.Errorf("%s, %+v: fingerprint differs from that of another rendering", name, enc)
				}
				fingerprints[name] = got.Fingerprint
				if changed := strings.Replace(req.URL.RawQuery, "nonce=", "nonce=0", 1); changed != req.URL.RawQuery {
					if _, err := p.Decode(ParsePushQuery(changed), body); err == nil {
						t.Errorf("%s, %+v: taken with another nonce", name, enc)
					}
				}
			}
		}
	}
}

// encodings are all forms of a push in one mode.
func encodings(mode wechattest.Mode) (all []wechattest.Encoding) {
	for _, list := range []wechattest.ListShape{wechattest.ListNatural, wechattest.ListMislabelled} {
		all = append(all, wechattest.Encoding{Mode: mode, Format: wechattest.XML, List: list})
	}
	for _, list := range []wechattest.ListShape{wechattest.ListNatural, wechattest.ListArray, wechattest.ListWrapped, wechattest.ListWrappedArray, wechattest.ListMislabelled} {
		for _, scalars := range []wechattest.Scalars{wechattest.ScalarsMixed, wechattest.ScalarsStrings, wechattest.ScalarsNumbers} {
			all = append(all, wechattest.Encoding{Mode: mode, Format: wechattest.JSON, List: list, Scalars: scalars})
		}
	}
	return all
}

func TestURLCheckOfTheSimulatorIsAnswered(t *testing.T) {
	sim, _ := newSim(t, wechattest.Callback{URL: "http://callback.test/wechat/" + testApp, Token: fuzzConfig.Token, AESKey: fuzzConfig.AESKey})
	req, want, err := sim.URLCheck(testApp)
	must(t, err)
	if echo, err := fuzzPush(t, PushSecure).CheckURL(ParsePushQuery(req.URL.RawQuery)); err != nil || echo != want {
		t.Errorf("%q, %v; want %q", echo, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
