package wechat

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The events that are about subscriptions, by WeChat's names (developers.weixin.qq.com, 小程序订阅消息开发指南,
// 订阅消息事件推送; 模板消息, 事件推送).
const (
	PopupEvent        = "subscribe_msg_popup_event"  // the user decided in a prompt
	ChangeEvent       = "subscribe_msg_change_event" // the user decided later; so far only refusals are pushed
	SentEvent         = "subscribe_msg_sent_event"   // the end of a send
	TemplateSentEvent = "TEMPLATESENDJOBFINISH"      // the end of an old template message
)

// EventKind is what an event means to the ledger.
type EventKind int

// The kinds of event. Only the event's name decides: an old page of WeChat's prints a change event in the wrapper
// of a popup event.
const (
	Unrelated EventKind = iota // to be acknowledged and ignored
	Decided                    // popup and change: each item is a user's decision on a template
	Sent                       // each item is the end of one send
)

// Event is a push in one shape, whatever the mode, format and quirks it came with.
type Event struct {
	Name   string // WeChat's name of the event; "" for a message of the user
	Kind   EventKind
	OpenID string    // FromUserName: a person's id, never to be logged
	ToUser string    // ToUserName: the account's original id, gh_…
	At     time.Time // CreateTime, in seconds, UTC; zero if left out
	Items  []Item    // none for an unrelated event

	// Fingerprint is the same for every delivery of one event, and for each of its renderings: XML or JSON, one
	// item as object or array, strings or numbers, items in any order. It covers the content, because two
	// events of one user in one second are common. Never 0.
	Fingerprint uint64
}

// Item is one template in an event: a decision, or the end of one send.
type Item struct {
	TemplateID string // "" in the event of an old template message

	Status string // decision as WeChat spells it: accept, reject, acceptWithAudio …
	Scene  string // PopupScene: 0 page of a mini program, 1 web page, 2 article

	MsgID       int64  // of the send; above 2^53. 0 where it was left out
	ErrorCode   int    // 0: delivered. -1: failed without a code
	ErrorStatus string // "success", or why it failed: "failed:user block"
}

// maxItems bounds an event; a prompt has at most five templates.
const maxItems = 100

// readEvent finds the event in a body. WeChat has sent items under a List at the top, under a wrapper
// named SubscribeMsg…Event with a List in it, and as the wrapper itself; as node shows arrays, each of them is one
// element or several of one name.
func readEvent(body *node) (Event, error) {
	e := Event{
		Name:   body.value("Event"),
		OpenID: body.value("FromUserName"),
		ToUser: body.value("ToUserName"),
	}
	if body.value("MsgType") != "event" && !isSubscription(e.Name) {
		e.Name = "" // some messages of users have a field of that name
	}
	created, err := integer(body, "CreateTime", 0, math.MaxInt32*4)
	if err != nil {
		return Event{}, err
	}
	if created != 0 {
		e.At = time.Unix(created, 0).UTC()
	}
	switch e.Name {
	case PopupEvent, ChangeEvent:
		e.Kind = Decided
	case SentEvent, TemplateSentEvent:
		e.Kind = Sent
	default:
		e.Fingerprint = fingerprint(&e)
		return e, nil
	}
	if e.OpenID == "" {
		return Event{}, pushError(BadBody, "the event %s has no FromUserName", e.Name)
	}
	if e.Name == TemplateSentEvent {
		err = e.readJob(body)
	} else {
		err = e.readItems(body)
	}
	if err != nil {
		return Event{}, err
	}
	e.Fingerprint = fingerprint(&e)
	return e, nil
}

func isSubscription(name string) bool {
	return name == PopupEvent || name == ChangeEvent || name == SentEvent || name == TemplateSentEvent
}

// readItems collects the items from wherever they are.
func (e *Event) readItems(body *node) error {
	for i := range body.kids {
		kid := &body.kids[i]
		var err error
		switch {
		case kid.name == "List":
			err = e.addItem(kid)
		case !strings.HasPrefix(kid.name, "SubscribeMsg") || !strings.HasSuffix(kid.name, "Event"):
		case kid.value("TemplateId") != "":
			err = e.addItem(kid)
		default:
			for j := range kid.kids {
				if kid.kids[j].name == "List" && err == nil {
					err = e.addItem(&kid.kids[j])
				}
			}
		}
		if err != nil {
			return err
		}
	}
	if len(e.Items) == 0 {
		return pushError(BadBody, "the event %s has no items, neither under List nor under a SubscribeMsg…Event", e.Name)
	}
	return nil
}

// addItem reads one item. One that is there already, word for word, is the same item found twice.
func (e *Event) addItem(n *node) error {
	it := Item{TemplateID: n.value("TemplateId")}
	if it.TemplateID == "" {
		return pushError(BadBody, "an item of the event %s has no TemplateId", e.Name)
	}
	if e.Kind == Decided {
		it.Status, it.Scene = n.value("SubscribeStatusString"), n.value("PopupScene")
		if it.Status == "" {
			return pushError(BadBody, "an item of the event %s has no SubscribeStatusString", e.Name)
		}
	} else {
		code, err := integer(n, "ErrorCode", math.MinInt32, math.MaxInt32)
		if err != nil {
			return err
		}
		it.ErrorCode, it.ErrorStatus = int(code), n.value("ErrorStatus")
		if it.ErrorCode == 0 && n.value("ErrorCode") == "" && it.ErrorStatus != "success" {
			it.ErrorCode = -1
		}
		if it.MsgID, err = msgID(n); err != nil {
			return err
		}
	}
	return e.add(it)
}

// readJob reads the event of an old template message, whose one outcome stands at the top: MsgID and Status,
// "success" or "failed:" with a reason.
func (e *Event) readJob(body *node) (err error) {
	it := Item{ErrorStatus: body.value("Status")}
	if it.ErrorStatus == "" {
		return pushError(BadBody, "the event %s has no Status", e.Name)
	}
	if it.ErrorStatus != "success" {
		it.ErrorCode = -1
	}
	if it.MsgID, err = msgID(body); err != nil {
		return err
	}
	return e.add(it)
}

func (e *Event) add(it Item) error {
	if slices.Contains(e.Items, it) {
		return nil
	}
	if len(e.Items) == maxItems {
		return pushError(BadBody, "the event %s has more than %d items", e.Name, maxItems)
	}
	e.Items = append(e.Items, it)
	return nil
}

// msgID reads the message id, spelled MsgID in these events and MsgId in all others.
func msgID(n *node) (int64, error) {
	name := "MsgID"
	if n.value(name) == "" {
		name = "MsgId"
	}
	return integer(n, name, 0, math.MaxInt64)
}

// integer reads a whole number that may have come as a number or as a string; 0 if there is none.
func integer(n *node, name string, low, high int64) (int64, error) {
	text := n.value(name)
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < low || v > high {
		return 0, pushError(BadBody, "%s is not a whole number in its range", name)
	}
	return v, nil
}
