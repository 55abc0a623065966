package wechat

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const eventsDir = "../../events/wechat"

// manifest is events/wechat/manifest.json; README.md there explains it.
type manifest struct {
	Accounts map[string]struct {
		AppID  string `json:"appid"`
		Token  string `json:"token"`
		AESKey string `json:"aes_key"`
	} `json:"accounts"`
	Pushes []sample `json:"pushes"`
}

type sample struct {
	File    string     `json:"file"`
	About   string     `json:"about"`
	Account string     `json:"account"`
	Mode    PushMode   `json:"mode"`
	Query   string     `json:"query"`
	Want    *wantEvent `json:"want"`
	SameAs  string     `json:"same_as"`
	Fault   PushFault  `json:"fault"`
}

type wantEvent struct {
	Name   string    `json:"name"`
	Kind   string    `json:"kind"`
	OpenID string    `json:"openid"`
	ToUser string    `json:"to_user"`
	At     time.Time `json:"at"`
	Items  []struct {
		TemplateID  string `json:"template_id"`
		Status      string `json:"status"`
		Scene       string `json:"scene"`
		MsgID       int64  `json:"msgid"`
		ErrorCode   int    `json:"error_code"`
		ErrorStatus string `json:"error_status"`
	} `json:"items"`
}

func (w *wantEvent) event(t testing.TB) Event {
	kinds := map[string]EventKind{"unrelated": Unrelated, "decided": Decided, "sent": Sent}
	kind, ok := kinds[w.Kind]
	if !ok {
		t.Fatalf("manifest: kind %q", w.Kind)
	}
	e := Event{Name: w.Name, Kind: kind, OpenID: w.OpenID, ToUser: w.ToUser, At: w.At}
	for _, it := range w.Items {
		e.Items = append(e.Items, Item(it))
	}
	return e
}

func readManifest(t testing.TB) manifest {
	t.Helper()
	var m manifest
	f, err := os.Open(filepath.Join(eventsDir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m manifest) push(t testing.TB, account string, mode PushMode) *Push {
	t.Helper()
	a, ok := m.Accounts[account]
	if !ok {
		t.Fatalf("manifest: no account %q", account)
	}
	p, err := NewPush(PushConfig{AppID: a.AppID, Token: a.Token, AESKey: a.AESKey, Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readSample(t testing.TB, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(eventsDir, file))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestEverySampleIsReadAsTheManifestSays(t *testing.T) {
	m := readManifest(t)
	prints := map[string]uint64{}
	for _, s := range m.Pushes {
		t.Run(s.File, func(t *testing.T) {
			got, err := m.push(t, s.Account, s.Mode).Decode(ParsePushQuery(s.Query), readSample(t, s.File))
			if s.Fault != "" {
				var fault *PushError
				if !errors.As(err, &fault) || fault.Fault != s.Fault {
					t.Fatalf("%s: got %+v, %v; want fault %s", s.About, got, err, s.Fault)
				}
				if !cmp.Equal(got, Event{}) {
					t.Errorf("a refused push gave the event %+v", got)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", s.About, err)
			}
			want := s.Want.event(t)
			want.Fingerprint = got.Fingerprint
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", s.About, diff)
			}
			if got.Fingerprint == 0 {
				t.Error("fingerprint is 0")
			}
			prints[s.File] = got.Fingerprint
		})
	}
	// Renderings of one event share a fingerprint; no two other samples with items do.
	first := map[uint64]string{}
	for _, s := range m.Pushes {
		if s.Want == nil {
			continue
		}
		switch {
		case s.SameAs != "":
			if prints[s.File] != prints[s.SameAs] {
				t.Errorf("%s and %s are one event but have different fingerprints", s.File, s.SameAs)
			}
		case s.Want.Kind != "unrelated":
			if other, taken := first[prints[s.File]]; taken {
				t.Errorf("%s and %s are different events with one fingerprint", s.File, other)
			}
			first[prints[s.File]] = s.File
		}
	}
}

func TestEverySampleFileIsReadByATest(t *testing.T) {
	read := map[string]bool{"manifest.json": true, "url-check.official.json": true, "reply.official.json": true}
	for _, s := range readManifest(t).Pushes {
		if read[s.File] {
			t.Errorf("%s stands in the manifest twice", s.File)
		}
		read[s.File] = true
		if (s.Want == nil) == (s.Fault == "") {
			t.Errorf("%s needs either want or fault", s.File)
		}
	}
	files, err := os.ReadDir(eventsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); (ext == ".json" || ext == ".xml") && !read[f.Name()] {
			t.Errorf("events/wechat/%s is in no test: add it to manifest.json", f.Name())
		}
	}
}

func TestURLCheckEchoesTheOfficialVector(t *testing.T) {
	var v struct{ About, Account, Query, Echo string }
	if err := json.Unmarshal(readSample(t, "url-check.official.json"), &v); err != nil {
		t.Fatal(err)
	}
	m := readManifest(t)
	for _, mode := range []PushMode{PushPlain, PushCompatible, PushSecure} {
		p := m.push(t, v.Account, mode)
		echo, err := p.CheckURL(ParsePushQuery(v.Query))
		if err != nil || echo != v.Echo {
			t.Errorf("%s mode: %q, %v; want %q", mode, echo, err, v.Echo)
		}
		refused := map[string]string{
			"a changed nonce":      strings.Replace(v.Query, "nonce=1", "nonce=2", 1),
			"a signature cut off":  strings.Replace(v.Query, "signature=f", "signature=", 1),
			"no query":             "",
			"no echostr":           strings.Replace(v.Query, "echostr", "x", 1),
			"an endless echostr":   strings.Replace(v.Query, "echostr=", "echostr="+strings.Repeat("1", maxEcho), 1),
			"a signature of zeros": strings.Replace(v.Query, "f464b24fc39322e44b38aa78f5edd27bd1441696", strings.Repeat("0", 40), 1),
		}
		for name, query := range refused {
			if echo, err := p.CheckURL(ParsePushQuery(query)); err == nil || echo != "" {
				t.Errorf("%s mode, %s: %q, %v; want an error", mode, name, echo, err)
			}
		}
	}
}

// The reply's vector is the only official one with a known random part, so it also pins the layout in front
// of the message.
func TestOfficialReplyVectorOpens(t *testing.T) {
	var v struct {
		Encrypt, MsgSignature, Nonce string
		TimeStamp                    int64
	}
	if err := json.Unmarshal(readSample(t, "reply.official.json"), &v); err != nil {
		t.Fatal(err)
	}
	p := readManifest(t).push(t, "official", PushSecure)
	q := PushQuery{MsgSignature: v.MsgSignature, Timestamp: fmt.Sprint(v.TimeStamp), Nonce: v.Nonce}
	message, err := p.open(q, v.Encrypt)
	if err != nil || string(message) != `{"demo_resp":"good luck"}` {
		t.Errorf("got %q, %v", message, err)
	}
}

// A wrong IV would spoil the random part only, which nothing else looks at.
func TestEnvelopesMadeByOpenSSLShowTheirRandomPart(t *testing.T) {
	m := readManifest(t)
	for _, file := range []string{"popup.secure.json", "popup.spare-bits.secure.json"} {
		s := m.Pushes[slices.IndexFunc(m.Pushes, func(s sample) bool { return s.File == file })]
		outer, err := parseBody(readSample(t, file))
		if err != nil {
			t.Fatal(err)
		}
		data, err := base64.StdEncoding.DecodeString(outer.value("Encrypt"))
		if err != nil {
			t.Fatal(err)
		}
		p := m.push(t, s.Account, s.Mode)
		if _, _, ok := decrypt(p.block, p.iv, data); !ok || string(data[:16]) != "0123456789abcdef" {
			t.Errorf("%s: random part %q", file, data[:16])
		}
	}
}

func TestQueryOfAPushIsParsed(t *testing.T) {
	got := ParsePushQuery("signature=a%2Fb&x=1&timestamp=1&nonce=2&nonce=3&openid=o&encrypt_type=aes&msg_signature=c+d&echostr=%zz&flag")
	want := PushQuery{Signature: "a/b", Timestamp: "1", Nonce: "2", EncryptType: "aes", MsgSignature: "c d"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTooLargeABodyIsNotRead(t *testing.T) {
	p := readManifest(t).push(t, "shop", PushPlain)
	_, err := p.Decode(PushQuery{}, make([]byte, MaxPushBody+1))
	var fault *PushError
	if !errors.As(err, &fault) || fault.Fault != TooLarge {
		t.Errorf("got %v", err)
	}
}

func TestPushConfigurationIsChecked(t *testing.T) {
	good := PushConfig{AppID: "wx0", Token: "tok", AESKey: strings.Repeat("A", 43), Mode: PushSecure}
	if _, err := NewPush(good); err != nil {
		t.Fatal(err)
	}
	with := func(change func(*PushConfig)) PushConfig { c := good; change(&c); return c }
	cases := map[string]PushConfig{
		"no appid":            with(func(c *PushConfig) { c.AppID = "" }),
		"no token":            with(func(c *PushConfig) { c.Token = "" }),
		"an unknown mode":     with(func(c *PushConfig) { c.Mode = "secret" }),
		"no key":              with(func(c *PushConfig) { c.AESKey = "" }),
		"a key cut short":     with(func(c *PushConfig) { c.AESKey = c.AESKey[1:] }),
		"a key not in base64": with(func(c *PushConfig) { c.AESKey = "*" + c.AESKey[1:] }),
	}
	for name, cfg := range cases {
		if p, err := NewPush(cfg); err == nil || p != nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := NewPush(with(func(c *PushConfig) { c.Mode, c.AESKey = PushPlain, "" })); err != nil {
		t.Errorf("plain mode needs no key: %v", err)
	}
}

func TestPushSecretsAreNeverPrinted(t *testing.T) {
	cfg := PushConfig{AppID: "wx0", Token: "tokenTokenToken", AESKey: strings.Repeat("Kk", 21) + "A", Mode: PushSecure}
	p, err := NewPush(cfg)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg), fmt.Sprintf("%v %+v %#v %s", p, p, p, p),
		cfg.LogValue().String(), p.LogValue().String(), string(asJSON),
	} {
		if strings.Contains(text, cfg.Token) || strings.Contains(text, cfg.AESKey) || !strings.Contains(text, "wx0") {
			t.Errorf("printed as %s", text)
		}
	}
}

func TestFingerprintsFollowTheContent(t *testing.T) {
	base := Event{Name: PopupEvent, Kind: Decided, OpenID: "o1", At: time.Unix(1763712000, 0),
		Items: []Item{{TemplateID: "a", Status: "accept"}, {TemplateID: "b", Status: "reject"}}}
	changes := map[string]func(*Event){
		"another name":      func(e *Event) { e.Name = ChangeEvent },
		"another user":      func(e *Event) { e.OpenID = "o2" },
		"another second":    func(e *Event) { e.At = e.At.Add(time.Second) },
		"another template":  func(e *Event) { e.Items[0].TemplateID = "c" },
		"another decision":  func(e *Event) { e.Items[0].Status = "reject" },
		"swapped decisions": func(e *Event) { e.Items[0].Status, e.Items[1].Status = "reject", "accept" },
		"another scene":     func(e *Event) { e.Items[1].Scene = "1" },
		"another msgid":     func(e *Event) { e.Items[1].MsgID = 1 },
		"another code":      func(e *Event) { e.Items[1].ErrorCode = 1 },
		"another reason":    func(e *Event) { e.Items[1].ErrorStatus = "x" },
		"one item less":     func(e *Event) { e.Items = e.Items[:1] },
		"text moved over":   func(e *Event) { e.Items[0].TemplateID, e.Items[0].Status = "aacc", "ept" },
	}
	seen := map[uint64]string{fingerprint(&base): "the event itself"}
	for name, change := range changes {
		e := base
		e.Items = append([]Item(nil), base.Items...)
		change(&e)
		print := fingerprint(&e)
		if other := seen[print]; other != "" {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[print] = name
	}
	// The fingerprint is stored, so its value must survive any change of this code.
	if got, want := fingerprint(&base), uint64(0x6964f75a4dbfd6ff); got != want {
		t.Errorf("fingerprint is %#x, was %#x: events stored before would count again", got, want)
	}
}

func TestEventsAreHandedToTheCoreInItsWords(t *testing.T) {
	at := time.Unix(1763712000, 0)
	decided := Event{Name: PopupEvent, Kind: Decided, OpenID: "o1", ToUser: "gh_1", At: at, Fingerprint: 7,
		Items: []Item{{TemplateID: "a", Status: "accept", Scene: "0"}, {TemplateID: "b", Status: "reject"}}}
	sent := Event{Name: SentEvent, Kind: Sent, OpenID: "o1", At: at, Fingerprint: 8,
		Items: []Item{{TemplateID: "a", MsgID: 9, ErrorCode: -1, ErrorStatus: "failed:user block"}}}
	want := []submsg.PushEvent{
		{Name: PopupEvent, OpenID: "o1", At: submsg.At(at), Fingerprint: 7,
			Items: []submsg.PushItem{{TemplateID: "a", Status: "accept", Scene: "0"}, {TemplateID: "b", Status: "reject"}}},
		{Name: SentEvent, OpenID: "o1", At: submsg.At(at), Fingerprint: 8,
			Items: []submsg.PushItem{{TemplateID: "a", MsgID: 9, Code: -1, Status: "failed:user block"}}},
	}
	if diff := cmp.Diff(want, []submsg.PushEvent{decided.PushEvent(), sent.PushEvent()}); diff != "" {
		t.Error(diff)
	}
}
