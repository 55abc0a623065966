package wechattest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at is CreateTime 1730768400.
var at = time.Date(2024, 11, 5, 9, 0, 0, 999, shanghai)

func popup(items ...EventItem) Event {
	return Event{AppID: app, Kind: EventPopup, OpenID: "u", At: at, Items: items}
}

var (
	accepted  = EventItem{TemplateID: order, Status: StatusAccept}
	rejected  = EventItem{TemplateID: bill, Status: StatusReject, PopupScene: 2}
	changed   = Event{AppID: app, Kind: EventChange, OpenID: "u", At: at, Items: []EventItem{{TemplateID: bill, Status: StatusReject}}}
	delivered = Event{AppID: app, Kind: EventSent, OpenID: "u", At: at, Items: []EventItem{{TemplateID: order, MsgID: 1988810812324364291, ErrorStatus: "success"}}}
	finished  = Event{AppID: app, Kind: EventTemplateFinish, OpenID: "u", At: at, Items: []EventItem{{MsgID: 1988810812324364291, ErrorStatus: "failed:user block"}}}
)

// TestBodies holds the shapes to the documented samples and to the variants seen in the wild.
func TestBodies(t *testing.T) {
	const xmlHead = `<xml><ToUserName><![CDATA[gh_97417a04a28d]]></ToUserName><FromUserName><![CDATA[u]]></FromUserName>` +
		`<CreateTime>1730768400</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[`
	const jsonHead = `{"ToUserName":"gh_97417a04a28d","FromUserName":"u","CreateTime":1730768400,"MsgType":"event","Event":"`
	const one, two = `{"TemplateId":"T-order","SubscribeStatusString":"accept","PopupScene":"0"}`, `{"TemplateId":"T-bill","SubscribeStatusString":"reject","PopupScene":"2"}`
	const change = `{"TemplateId":"T-bill","SubscribeStatusString":"reject"}`
	const sent = `{"TemplateId":"T-order","MsgID":"1988810812324364291","ErrorCode":"0","ErrorStatus":"success"}`
	tests := []struct {
		name  string
		event Event
		enc   Encoding
		want  string
	}{
		{"popup in XML", popup(accepted, rejected), Encoding{}, xmlHead + `subscribe_msg_popup_event]]></Event><SubscribeMsgPopupEvent>` +
			`<List><TemplateId><![CDATA[T-order]]></TemplateId><SubscribeStatusString><![CDATA[accept]]></SubscribeStatusString><PopupScene>0</PopupScene></List>` +
			`<List><TemplateId><![CDATA[T-bill]]></TemplateId><SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString><PopupScene>2</PopupScene></List>` +
			`</SubscribeMsgPopupEvent></xml>`},
		{"change in XML", changed, Encoding{Format: XML}, xmlHead + `subscribe_msg_change_event]]></Event><SubscribeMsgChangeEvent>` +
			`<List><TemplateId><![CDATA[T-bill]]></TemplateId><SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString></List></SubscribeMsgChangeEvent></xml>`},
		{"change in XML under the popup's name", changed, Encoding{List: ListMislabelled}, xmlHead + `subscribe_msg_change_event]]></Event><SubscribeMsgPopupEvent>` +
			`<List><TemplateId><![CDATA[T-bill]]></TemplateId><SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString></List></SubscribeMsgPopupEvent></xml>`},
		{"sent in XML", delivered, Encoding{}, xmlHead + `subscribe_msg_sent_event]]></Event><SubscribeMsgSentEvent><List><TemplateId><![CDATA[T-order]]></TemplateId>` +
			`<MsgID>1988810812324364291</MsgID><ErrorCode>0</ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus></List></SubscribeMsgSentEvent></xml>`},
		{"template message's end in XML", finished, Encoding{}, xmlHead + `TEMPLATESENDJOBFINISH]]></Event><MsgID>1988810812324364291</MsgID><Status><![CDATA[failed:user block]]></Status></xml>`},
		{"the console's test in JSON", Event{AppID: app, Kind: EventDebug, OpenID: "u", At: at}, Encoding{Format: JSON}, jsonHead + `debug_demo","debug_str":"hello world"}`},
		{"one item is an object in JSON", popup(accepted), Encoding{Format: JSON}, jsonHead + `subscribe_msg_popup_event","List":` + one + `}`},
		{"two items are an array", popup(accepted, rejected), Encoding{Format: JSON}, jsonHead + `subscribe_msg_popup_event","List":[` + one + `,` + two + `]}`},
		{"one item in an array", popup(accepted), Encoding{Format: JSON, List: ListArray}, jsonHead + `subscribe_msg_popup_event","List":[` + one + `]}`},
		{"an item in a wrapper", delivered, Encoding{Format: JSON, List: ListWrapped}, jsonHead + `subscribe_msg_sent_event","SubscribeMsgSentEvent":{"List":` + sent + `}}`},
		{"an array for a wrapper", changed, Encoding{Format: JSON, List: ListWrappedArray}, jsonHead + `subscribe_msg_change_event","SubscribeMsgChangeEvent":[` + change + `]}`},
		{"a wrong wrapper", changed, Encoding{Format: JSON, List: ListMislabelled}, jsonHead + `subscribe_msg_change_event","SubscribeMsgPopupEvent":{"List":` + change + `}}`},
		{"strings only", popup(accepted), Encoding{Format: JSON, Scalars: ScalarsStrings},
			`{"ToUserName":"gh_97417a04a28d","FromUserName":"u","CreateTime":"1730768400","MsgType":"event","Event":"subscribe_msg_popup_event","List":` + one + `}`},
		{"numbers", delivered, Encoding{Format: JSON, Scalars: ScalarsNumbers},
			jsonHead + `subscribe_msg_sent_event","List":{"TemplateId":"T-order","MsgID":1988810812324364291,"ErrorCode":0,"ErrorStatus":"success"}}`},
		{"the console's test in XML", Event{AppID: app, Kind: EventDebug, OpenID: "u", At: at}, Encoding{}, xmlHead + `debug_demo]]></Event><debug_str><![CDATA[hello world]]></debug_str></xml>`},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := w.Push(tt.event, &tt.enc)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if tt.enc.Format == JSON && !json.Valid(body) {
				t.Error("body is not valid JSON")
			}
		})
	}
	if _, err := w.Push(changed, &Encoding{List: ListArray}); err == nil {
		t.Error("XML with a JSON list shape was accepted")
	}
	if _, err := w.Push(changed, &Encoding{Format: JSON, List: "odd"}); err == nil {
		t.Error("an unknown list shape was accepted")
	}
}

func TestXMLSurvivesAnyValue(t *testing.T) {
	odd := "a]]>b&<c"
	w := newWorld(t)
	req, err := w.Push(Event{AppID: app, Kind: EventPopup, OpenID: odd, At: at, Items: []EventItem{{TemplateID: odd, Status: StatusAccept}}}, nil)
	w.do(err)
	var got struct {
		From  string `xml:"FromUserName"`
		Items []struct {
			Template string `xml:"TemplateId"`
		} `xml:"SubscribeMsgPopupEvent>List"`
	}
	w.do(xml.NewDecoder(req.Body).Decode(&got))
	if got.From != odd || len(got.Items) != 1 || got.Items[0].Template != odd {
		t.Errorf("read back %+v, want %q", got, odd)
	}
}

// withCallback gives the world's account a callback in this process.
func withCallback(enc Encoding, h http.HandlerFunc) func(*Config) {
	return func(c *Config) {
		c.Accounts[0].Callback = Callback{URL: "http://yuexin.test/wechat/" + app + "?own=1", Handler: h, Token: pushToken, AESKey: aesKey, Encoding: enc}
	}
}

func TestPushesAreSignedAndEncryptedInEveryMode(t *testing.T) {
	for _, format := range []Format{XML, JSON} {
		for _, mode := range []Mode{Plain, Compatible, Secure} {
			t.Run(string(format)+" "+string(mode), func(t *testing.T) {
				w := newWorld(t, withCallback(Encoding{Mode: mode, Format: format}, nil))
				plain, err := w.Push(popup(accepted, rejected), &Encoding{Format: format})
				w.do(err)
				want, err := io.ReadAll(plain.Body)
				w.do(err)

				req, err := w.Push(popup(accepted, rejected), nil)
				w.do(err)
				if req.Method != http.MethodPost || req.URL.Host != "yuexin.test" || req.URL.Path != "/wechat/"+app {
					t.Errorf("%s %s", req.Method, req.URL)
				}
				q := req.URL.Query()
				if q.Get("own") != "1" || q.Get("openid") != "u" {
					t.Errorf("query %v lacks the URL's own part or the openid", q)
				}
				if got := Signature(pushToken, q.Get("timestamp"), q.Get("nonce")); got != q.Get("signature") {
					t.Errorf("signature %s, want %s", q.Get("signature"), got)
				}
				body, err := io.ReadAll(req.Body)
				w.do(err)
				fields := scalarsOf(t, format, body)
				if mode == Plain {
					if q.Has("msg_signature") || !bytes.Equal(body, want) {
						t.Errorf("plain push has query %v, body %s", q, body)
					}
					return
				}
				if got := Signature(pushToken, q.Get("timestamp"), q.Get("nonce"), fields["Encrypt"]); got != q.Get("msg_signature") || q.Get("encrypt_type") != "aes" {
					t.Errorf("msg_signature %s, want %s; encrypt_type %q", q.Get("msg_signature"), got, q.Get("encrypt_type"))
				}
				msg, err := Decrypt(aesKey, app, fields["Encrypt"])
				if err != nil || !bytes.Equal(msg, want) {
					t.Errorf("decrypted %s, %v, want %s", msg, err, want)
				}
				if fields["ToUserName"] != gh {
					t.Errorf("outer ToUserName %q", fields["ToUserName"])
				}
				if _, visible := fields["FromUserName"]; visible != (mode == Compatible) {
					t.Errorf("in %s mode FromUserName is visible: %t", mode, visible)
				}
			})
		}
	}
}

// scalarsOf reads the top-level scalars of a body.
func scalarsOf(t *testing.T, format Format, body []byte) map[string]string {
	t.Helper()
	got := make(map[string]string)
	if format == JSON {
		var raw map[string]any
		if err := json.Unmarshal(body, &raw); err != nil {
			t.Fatal(err)
		}
		for key, value := range raw {
			if text, ok := value.(string); ok {
				got[key] = text
			}
		}
		return got
	}
	var raw struct {
		Fields []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &raw); err != nil {
		t.Fatal(err)
	}
	for _, f := range raw.Fields {
		got[f.XMLName.Local] = f.Text
	}
	return got
}

func TestEachPushIsSignedAnew(t *testing.T) {
	w := newWorld(t, withCallback(Encoding{Mode: Secure}, nil))
	first, err := w.Push(delivered, nil)
	w.do(err)
	second, err := w.Push(delivered, nil)
	w.do(err)
	if first.URL.RawQuery == second.URL.RawQuery {
		t.Error("two pushes of one event have the same nonce and signature")
	}
}

func TestPushRaw(t *testing.T) {
	w := newWorld(t, withCallback(Encoding{Mode: Secure, Format: JSON}, nil))
	req, err := w.PushRaw(app, "u", []byte(`{"trailing":1,}`), nil)
	w.do(err)
	body, err := io.ReadAll(req.Body)
	w.do(err)
	msg, err := Decrypt(aesKey, app, scalarsOf(t, JSON, body)["Encrypt"])
	if err != nil || string(msg) != `{"trailing":1,}` {
		t.Errorf("decrypted %q, %v", msg, err)
	}
	if _, err := w.PushRaw(app, "u", []byte("nothing"), &Encoding{Mode: Compatible}); err == nil {
		t.Error("compatible mode took a body it cannot extend")
	}
	if _, err := w.PushRaw("wx", "u", nil, nil); err == nil {
		t.Error("an unknown account was accepted")
	}
}

func TestURLCheck(t *testing.T) {
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, url.Values)
		ok     bool
	}{
		{"the echostr passes", func(w http.ResponseWriter, q url.Values) { _, _ = io.WriteString(w, q.Get("echostr")) }, true},
		{"a quoted echostr fails", func(w http.ResponseWriter, q url.Values) { _, _ = io.WriteString(w, `"`+q.Get("echostr")+`"`) }, false},
		{"another status fails", func(w http.ResponseWriter, q url.Values) {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, q.Get("echostr"))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, withCallback(Encoding{}, func(rw http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				if r.Method != http.MethodGet || Signature(pushToken, q.Get("timestamp"), q.Get("nonce")) != q.Get("signature") {
					t.Errorf("%s %s is not a signed GET", r.Method, r.URL)
				}
				tt.answer(rw, q)
			}))
			if err := w.VerifyURL(t.Context(), app); (err == nil) != tt.ok {
				t.Errorf("error %v, want success: %t", err, tt.ok)
			}
		})
	}
}
