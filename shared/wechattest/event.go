package wechattest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EventKind is the Event field of a push.
type EventKind string

// The events that the simulator pushes.
const (
	EventPopup          EventKind = "subscribe_msg_popup_event"
	EventChange         EventKind = "subscribe_msg_change_event"
	EventSent           EventKind = "subscribe_msg_sent_event"
	EventTemplateFinish EventKind = "TEMPLATESENDJOBFINISH" // of an old template message
	EventDebug          EventKind = "debug_demo"            // the console's test event
)

// Event is something WeChat tells the account's callback.
type Event struct {
	AppID  string      `json:"appid"`
	Kind   EventKind   `json:"kind"`
	OpenID string      `json:"openid"`
	At     time.Time   `json:"at"` // CreateTime, in whole seconds
	Items  []EventItem `json:"items"`
}

// EventItem is one element of an event's List.
type EventItem struct {
	TemplateID  string `json:"template_id"`
	Status      string `json:"status,omitempty"` // popup and change: accept or reject
	PopupScene  int    `json:"popup_scene,omitempty"`
	MsgID       int64  `json:"msgid,string,omitempty"` // sent
	ErrorCode   int    `json:"error_code,omitempty"`
	ErrorStatus string `json:"error_status,omitempty"`
}

// Format is the format of push bodies, chosen in WeChat's console.
type Format string

// The formats.
const (
	XML  Format = "xml"
	JSON Format = "json"
)

// ListShape is where a JSON body puts an event's items. Real payloads, older documents and SDK issues show all of these.
type ListShape string

// The shapes. XML has only ListNatural and ListMislabelled.
const (
	ListNatural      ListShape = ""             // "List": {…} with one item, [{…},{…}] with several, as WeChat says
	ListArray        ListShape = "array"        // "List": [{…}], as the samples print
	ListWrapped      ListShape = "wrapped"      // "SubscribeMsgSentEvent": {"List": {…}}
	ListWrappedArray ListShape = "wrappedArray" // "SubscribeMsgChangeEvent": [{…}]
	ListMislabelled  ListShape = "mislabelled"  // the popup event's wrapper around another event
)

// Scalars is how a JSON body writes CreateTime, PopupScene, MsgID and ErrorCode.
type Scalars string

// The ways to write them.
const (
	ScalarsMixed   Scalars = ""        // CreateTime a number, the others strings
	ScalarsStrings Scalars = "strings" // as documented
	ScalarsNumbers Scalars = "numbers" // MsgID too, beyond 2^53
)

// wrapper is the element around an event's items.
func (k EventKind) wrapper() string {
	switch k {
	case EventPopup:
		return "SubscribeMsgPopupEvent"
	case EventChange:
		return "SubscribeMsgChangeEvent"
	}
	return "SubscribeMsgSentEvent"
}

// entry is a named scalar of a push. number tells that it may be written as one.
type entry struct {
	name, value string
	number      bool
}

func (e *Event) head(originalID string) []entry {
	head := []entry{
		{"ToUserName", originalID, false},
		{"FromUserName", e.OpenID, false},
		{"CreateTime", strconv.FormatInt(e.At.Unix(), 10), true},
		{"MsgType", "event", false},
		{"Event", string(e.Kind), false},
	}
	switch {
	case e.Kind == EventDebug:
		head = append(head, entry{"debug_str", "hello world", false})
	case e.Kind == EventTemplateFinish && len(e.Items) > 0:
		head = append(head, entry{"MsgID", strconv.FormatInt(e.Items[0].MsgID, 10), true}, entry{"Status", e.Items[0].ErrorStatus, false})
	}
	return head
}

// listed reports whether the event carries a List.
func (k EventKind) listed() bool { return k != EventDebug && k != EventTemplateFinish }

func (k EventKind) entries(i *EventItem) []entry {
	if k == EventSent {
		return []entry{
			{"TemplateId", i.TemplateID, false},
			{"MsgID", strconv.FormatInt(i.MsgID, 10), true},
			{"ErrorCode", strconv.Itoa(i.ErrorCode), true},
			{"ErrorStatus", i.ErrorStatus, false},
		}
	}
	list := []entry{{"TemplateId", i.TemplateID, false}, {"SubscribeStatusString", i.Status, false}}
	if k == EventPopup {
		list = append(list, entry{"PopupScene", strconv.Itoa(i.PopupScene), true})
	}
	return list
}

// encode writes the plain body of the event.
func (e *Event) encode(originalID string, enc Encoding) ([]byte, error) {
	if enc.Format == JSON {
		return e.json(originalID, enc)
	}
	if enc.List != ListNatural && enc.List != ListMislabelled {
		return nil, fmt.Errorf("wechattest: XML has no list shape %q", enc.List)
	}
	return e.xml(originalID, enc), nil
}

func (e *Event) xml(originalID string, enc Encoding) []byte {
	b := append(make([]byte, 0, 512), "<xml>"...)
	b = appendXML(b, e.head(originalID))
	if e.Kind.listed() {
		wrapper := e.Kind.wrapper()
		if enc.List == ListMislabelled {
			wrapper = EventPopup.wrapper()
		}
		b = fmt.Appendf(b, "<%s>", wrapper)
		for i := range e.Items {
			b = append(b, "<List>"...)
			b = appendXML(b, e.Kind.entries(&e.Items[i]))
			b = append(b, "</List>"...)
		}
		b = fmt.Appendf(b, "</%s>", wrapper)
	}
	return append(b, "</xml>"...)
}

func appendXML(b []byte, entries []entry) []byte {
	for _, e := range entries {
		if e.number {
			b = fmt.Appendf(b, "<%s>%s</%s>", e.name, e.value, e.name)
			continue
		}
		value := strings.ReplaceAll(e.value, "]]>", "]]]]><![CDATA[>")
		b = fmt.Appendf(b, "<%s><![CDATA[%s]]></%s>", e.name, value, e.name)
	}
	return b
}

func (e *Event) json(originalID string, enc Encoding) ([]byte, error) {
	b := append(make([]byte, 0, 512), '{')
	b = appendJSON(b, e.head(originalID), enc.Scalars)
	if e.Kind.listed() {
		list := e.jsonList(enc)
		switch wrapper := e.Kind.wrapper(); enc.List {
		case ListNatural, ListArray:
			b = fmt.Appendf(b, `,"List":%s`, list)
		case ListWrapped:
			b = fmt.Appendf(b, `,%q:{"List":%s}`, wrapper, list)
		case ListMislabelled:
			b = fmt.Appendf(b, `,%q:{"List":%s}`, EventPopup.wrapper(), list)
		case ListWrappedArray:
			b = fmt.Appendf(b, `,%q:%s`, wrapper, list)
		default:
			return nil, fmt.Errorf("wechattest: unknown list shape %q", enc.List)
		}
	}
	return append(b, '}'), nil
}

func (e *Event) jsonList(enc Encoding) []byte {
	bare := len(e.Items) == 1 && enc.List != ListArray && enc.List != ListWrappedArray
	var b []byte
	if !bare {
		b = append(b, '[')
	}
	for i := range e.Items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = appendJSON(b, e.Kind.entries(&e.Items[i]), enc.Scalars)
		b = append(b, '}')
	}
	if !bare {
		b = append(b, ']')
	}
	return b
}

func appendJSON(b []byte, entries []entry, scalars Scalars) []byte {
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, e.name)
		b = append(b, ':')
		if e.number && (scalars == ScalarsNumbers || scalars == ScalarsMixed && e.name == "CreateTime") {
			b = append(b, e.value...)
			continue
		}
		b = appendJSONString(b, e.value)
	}
	return b
}
