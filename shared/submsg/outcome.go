package submsg

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// answerClass says what an error code of WeChat means for the send and its credit.
type answerClass int

// The classes of answers. The grant stays intact except under classGone and classDone.
const (
	classDone      answerClass = iota // accepted for delivery
	classUnknown                      // −1: the platform does not know either
	classRecipient                    // permanent for this recipient or message
	classGone                         // 43101: no grant is left
	classSoon                         // simultaneous send to one user: a moment later
	classMinute                       // minute frequency: the next minute
	classDay                          // daily quota: the next day
	classTemplate                     // the template is suspended
	classApp                          // the app is suspended
	classToken                        // the token was refused even after renewal, or the caller's address: an operator's matter
)

// codeClass classifies the errcodes of subscribe/send, bizsend and template/send. Sources: developers.weixin.qq.com,
// 发送订阅消息 (the table of 2026-07), and for codes it no longer lists the older tables. A code that is not
// here is a definite refusal of this message.
var codeClass = map[int]answerClass{
	0:     classDone,
	-1:    classUnknown,
	40001: classToken, 40014: classToken, 42001: classToken, 41001: classToken, 40164: classToken,
	40003: classRecipient, 40037: classRecipient, 41030: classRecipient, 40165: classRecipient,
	45168: classRecipient, 47001: classRecipient, 47003: classRecipient, 43004: classRecipient,
	43100: classRecipient, 43102: classRecipient, 43103: classRecipient, 43104: classRecipient, 43105: classRecipient, 43106: classRecipient,
	43101: classGone,
	43107: classTemplate,
	43108: classSoon,
	45009: classDay,
	45011: classMinute,
	48001: classApp, 48004: classApp, 50002: classApp, 61007: classApp,
}

func classify(code int) answerClass {
	if c, ok := codeClass[code]; ok {
		return c
	}
	return classRecipient
}

// maxAttempts bounds the calls of one send that WeChat keeps answering with "later" (43108, 45011).
const maxAttempts = 20

// penalty is what an answer means for the sends after this one.
type penalty struct {
	template bool // else the whole app
	day      bool // until the next day, else by the ladder of suspensions
	code     int
}

// outcome is what a call to WeChat leads to: the next state of the send, when it is due again (0: never),
// and what it means for the sends that follow, if anything.
type outcome struct {
	send    *Send
	due     Instant
	penalty *penalty
}

// conclude turns the result of the attempt that s describes (its number and beginning are set) into the
// next state of the send. It reads nothing but its arguments and a source of jitter.
func conclude(s *Send, res Result, now Instant, unknownAfter time.Duration) outcome {
	next := *s
	next.UpdatedAt, next.WeChat, next.Reason = now, nil, nil
	if !res.Answered && !res.NotSent {
		return unknown(&next, now, unknownAfter, Reason{Code: "no_answer", Detail: "WeChat did not answer the call; whether the message went out is not known yet", DetailZH: "微信没有应答，消息是否发出暂不可知"})
	}
	if res.Code != 0 || res.Answered {
		next.WeChat = &Answer{Code: res.Code, Msg: res.Msg, RID: res.RID}
	}
	if res.NotSent {
		next.State, next.Credit = SendQueued, CreditReturned
		next.Reason = &Reason{Code: "wechat_unreachable", Detail: "the call could not be made (" + notSentCause(res) + "); it is tried again", DetailZH: "无法调用微信接口，稍后重试"}
		if res.Code != 0 { // no token: the secret, the caller's address … an operator has to act
			next.Reason.Code = "wechat_" + strconv.Itoa(res.Code)
		}
		return outcome{send: &next, due: now.Add(backoff(s.Attempts, 10*time.Minute))}
	}
	code := "wechat_" + strconv.Itoa(res.Code)
	switch c := classify(res.Code); c {
	case classDone:
		next.State, next.Credit, next.MsgID = SendSent, CreditSpent, res.MsgID
		return outcome{send: &next}
	case classUnknown:
		return unknown(&next, now, unknownAfter, Reason{Code: code, Detail: "WeChat answered −1; whether the message went out is not known yet", DetailZH: "微信返回 -1，消息是否发出暂不可知"})
	case classGone:
		next.State, next.Credit = SendRejected, CreditZeroed
		next.Reason = &Reason{Code: code, Detail: "WeChat knows of no grant that is left; the balance was set to zero", DetailZH: "微信侧已无可用授权，余额清零"}
		return outcome{send: &next}
	case classSoon, classMinute, classToken:
		next.State, next.Credit = SendQueued, CreditReturned
		next.Reason = &Reason{Code: code, Detail: fmt.Sprintf("WeChat answered %d; it is tried again", res.Code), DetailZH: fmt.Sprintf("微信返回 %d，稍后重试", res.Code)}
		if c != classToken && s.Attempts >= maxAttempts {
			next.State = SendRejected
			next.Reason.Detail = fmt.Sprintf("WeChat answered %d to %d attempts", res.Code, s.Attempts)
			return outcome{send: &next}
		}
		wait := backoff(s.Attempts, 10*time.Minute)
		switch c {
		case classSoon:
			wait = jitter(backoff(s.Attempts, 5*time.Second) / 4)
		case classMinute:
			wait = time.Minute - time.Duration(now%60_000)*time.Millisecond + jitter(5*time.Second)
		}
		return outcome{send: &next, due: now.Add(wait)}
	case classDay, classTemplate, classApp:
		next.State, next.Credit = SendQueued, CreditReturned
		next.Reason = &Reason{Code: "suspended", Detail: fmt.Sprintf("WeChat answered %d: held until the suspension ends or an operator resumes", res.Code), DetailZH: fmt.Sprintf("微信返回 %d：暂停发送，至封禁结束或管理员恢复", res.Code)}
		if c == classDay {
			next.Reason = &Reason{Code: "daily_quota", Detail: "WeChat answered 45009: held until the next day in Asia/Shanghai", DetailZH: "当日配额已用完，次日继续"}
		}
		return outcome{send: &next, due: now, penalty: &penalty{template: c == classTemplate, day: c == classDay, code: res.Code}}
	default:
		next.State, next.Credit = SendRejected, CreditReturned
		next.Reason = &Reason{Code: code, Detail: fmt.Sprintf("WeChat refused this message with %d", res.Code), DetailZH: fmt.Sprintf("微信拒绝了这条消息（%d）", res.Code)}
		return outcome{send: &next}
	}
}

func unknown(next *Send, now Instant, after time.Duration, why Reason) outcome {
	next.State, next.Credit, next.Reason, next.Claim = SendUnknown, CreditNone, &why, 0
	return outcome{send: next, due: next.AttemptAt.Add(after)}
}

func notSentCause(res Result) string {
	if res.Err != nil {
		return res.Err.Error()
	}
	return "errcode " + strconv.Itoa(res.Code)
}

// backoff doubles from one second with each attempt up to most, and spreads over half to one and a half times that.
func backoff(attempts int, most time.Duration) time.Duration {
	d := min(time.Second<<min(max(attempts-1, 0), 20), most)
	return d/2 + jitter(d)
}

func jitter(most time.Duration) time.Duration { return rand.N(most + 1) }

// prevail decides which of two accounts of one send stands: what is stored, or what a worker brings from its
// call. The rule "answer": WeChat's answer replaces every other state, and nothing replaces an answer but the
// sent event. stored may be nil.
func prevail(stored, brought *Send) *Send {
	if stored == nil {
		return brought
	}
	answered := brought.State == SendSent || brought.State == SendRejected
	switch {
	case stored.EventAt != 0 && stored.Attempts == brought.Attempts: // the event came first: keep it, add what it cannot know
		next := *brought
		next.State, next.Reason, next.Credit, next.NotSent = stored.State, stored.Reason, stored.Credit, stored.NotSent
		next.EventAt, next.EventPrint, next.OpenedAt, next.UpdatedAt = stored.EventAt, stored.EventPrint, stored.OpenedAt, stored.UpdatedAt
		if stored.MsgID != 0 {
			next.MsgID = stored.MsgID
		}
		if brought.State != SendSent {
			next.WeChat = stored.WeChat
		}
		return &next
	case stored.Attempts > brought.Attempts && brought.State != SendSent:
		return stored
	case stored.wentOut() && stored.Attempts < brought.Attempts && brought.State != SendSent:
		return stored.stands(brought)
	case stored.State == SendCancelled && stored.Attempts == brought.Attempts && brought.State == SendQueued:
		return stored
	case stored.State == SendSent || stored.State == SendRejected || stored.State == SendDelivered:
		if stored.Attempts >= brought.Attempts {
			return stored
		}
	case stored.State == SendFailed && stored.Attempts == brought.Attempts && brought.State != SendSent:
		return stored // "not sent" was found out already
	case stored.State == SendUnknown && stored.Attempts == brought.Attempts && !answered && brought.State == SendUnknown:
		next := *brought
		next.CreatedAt = stored.CreatedAt
		return &next
	}
	return brought
}

// wentOut reports whether a send is known to have gone out, by its answer or its event.
func (s *Send) wentOut() bool { return s.EventAt != 0 || s.State == SendSent }

// stands is a send that went out, after a further attempt of it that did not, as far as is known: what that one did
// concerns the balance alone, where it counts as spent while nothing is known.
func (s *Send) stands(further *Send) *Send {
	next := *s
	next.Attempts, next.AttemptAt, next.UpdatedAt = further.Attempts, further.AttemptAt, further.UpdatedAt
	if next.Credit = further.Credit; next.Credit == CreditNone {
		next.Credit = CreditSpent
	}
	return &next
}
