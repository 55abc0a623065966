package wechattest

import (
	"net/http"
	"strconv"
	"time"
)

// exchange is one authenticated or credential call on its way through the simulator.
type exchange struct {
	w       http.ResponseWriter
	path    string
	account *account
	token   *token       // nil for the credential interfaces, which need none
	send    *sendRequest // nil for other interfaces
	user    *user        // the one a send has in flight
}

// reply is the true outcome of a call, before a fault falsifies it.
type reply struct {
	code  int
	text  string // errmsg without rid; the usual one of code when empty
	body  []byte // success other than of a send
	msgID int64  // success of a send
	event *Event // to be pushed; nil for none
}

// authenticate finds the account by the access token, or answers the refusal and returns false. Whether the token is
// still good is decided later, because a fault may rotate it first.
func (s *Sim) authenticate(x *exchange, r *http.Request) bool {
	value := tokenOf(r)
	if value == "" {
		s.stray(x.w, x.path, 41001)
		return false
	}
	t := s.tokens.find(value)
	if t == nil {
		s.stray(x.w, x.path, 40001)
		return false
	}
	x.token, x.account = t, t.account
	return true
}

// perform runs a call: asks the script, checks token and quota, acts, and answers. act runs without locks held and at
// most once.
func (s *Sim) perform(x *exchange, act func(now time.Time, f *Fault) reply) {
	now := s.cfg.Now()
	fault := s.faultOf(x, now)
	code := s.admit(x, now, &fault)
	if !s.pause(fault.Delay) {
		s.leave(x)
		panic(http.ErrAbortHandler)
	}
	var rep reply
	switch {
	case code != 0:
		rep.code = code
	case fault.Withhold:
		rep.code, rep.text = fault.Code, fault.Message
	default:
		rep = act(s.cfg.Now(), &fault)
	}
	if rep.event != nil && fault.Sent.When == SentBeforeAnswer {
		s.pushNow(x.account, *rep.event, fault.Sent.Copies)
		rep.event = nil
	}
	if !s.pause(fault.AnswerDelay) {
		s.leave(x)
		panic(http.ErrAbortHandler)
	}
	s.answer(x, &fault, rep)
}

// faultOf counts the call and asks the scripts: the account's own rules first, then the Sim's.
func (s *Sim) faultOf(x *exchange, now time.Time) Fault {
	a := x.account
	c := Call{AppID: a.AppID, Path: x.path, At: now}
	a.mu.Lock()
	c.N = a.totals.arrive(x.path, now)
	if x.send != nil && x.send.openID != "" {
		u := a.user(x.send.openID)
		u.calls++
		c.OpenID, c.TemplateID, c.UserN = u.openID, x.send.templateID, u.calls
	}
	rules := a.rules
	a.mu.Unlock()
	script := s.script.Load()
	if rules == nil && script == nil {
		return Fault{}
	}
	c.Roll = s.roll(&c)
	var f Fault
	if rules != nil {
		f = rules(c)
	}
	if f == (Fault{}) && script != nil {
		f = (*script)(c)
	}
	return f
}

// admit checks what comes before any acting: the token, the quota, and whether another send to this user is in flight.
// It returns 0 or the errcode of the refusal. A call that is withheld fails at the door: nothing is checked.
func (s *Sim) admit(x *exchange, now time.Time, fault *Fault) int {
	a := x.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if fault.Name != "" {
		a.totals.fault(fault.Name)
	}
	if fault.RotateToken {
		a.rotate(now)
	}
	if !fault.Withhold {
		if x.token != nil {
			if code := x.token.state(now); code != 0 {
				return code
			}
		}
		if code := a.charge(x.path, now); code != 0 {
			return code
		}
	}
	if x.send == nil || x.path == PathTemplateSend || a.AllowSimultaneous || x.send.openID == "" {
		return 0
	}
	u := a.user(x.send.openID)
	if u.inFlight > 0 && !fault.Withhold {
		return 43108
	}
	u.inFlight++
	x.user = u
	return 0
}

// leave ends the flight of a send.
func (s *Sim) leave(x *exchange) {
	if x.user == nil {
		return
	}
	x.account.mu.Lock()
	defer x.account.mu.Unlock()
	x.user.inFlight--
	x.user = nil
}

// pause waits for d; false when the Sim was closed meanwhile. It does not watch the client: WeChat acts on a request
// that it has read, whether or not the client still waits.
func (s *Sim) pause(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// outcome is what a call was answered with.
type outcome struct {
	code   int
	answer Answer
}

func (o outcome) String() string {
	switch o.answer {
	case AnswerCut:
		return "cut"
	case AnswerBadGateway:
		return "http_502"
	case AnswerNotJSON:
		return "not_json"
	}
	return strconv.Itoa(o.code)
}

// answer counts the call and writes what the fault leaves of its reply. Everything a client can observe through the
// Sim's methods — totals, the end of the flight, manual pushes — is done before the first byte goes out, so that a
// test may look as soon as it has its answer.
func (s *Sim) answer(x *exchange, fault *Fault, rep reply) {
	a := x.account
	shown := outcome{code: rep.code, answer: fault.Answer}
	if fault.Code != 0 {
		shown.code = fault.Code
	}
	a.mu.Lock()
	if x.user != nil {
		x.user.inFlight--
		x.user = nil
	}
	a.totals.count(x.path, shown)
	a.mu.Unlock()

	delivery := s.deliveryOf(rep.event, fault)
	if delivery != nil && s.cfg.ManualPushes {
		s.pushes.add(s, *delivery)
		delivery = nil
	}
	if delivery != nil {
		s.pushes.hold() // Wait must know of it from now on, though it starts only after the answer
		defer func() {
			s.pushes.add(s, *delivery)
			s.pushes.release()
		}()
	}
	s.write(x.w, shown, fault, rep)
	if f, ok := x.w.(http.Flusher); ok && delivery != nil {
		f.Flush()
	}
}

func (s *Sim) deliveryOf(event *Event, fault *Fault) *Delivery {
	if event == nil || fault.Sent.When == SentNot {
		return nil
	}
	d := &Delivery{Event: *event, Copies: fault.Sent.Copies}
	if fault.Sent.When == SentLater {
		d.delay = fault.Sent.Delay
	}
	return d
}

const htmlPage = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"

// write puts the answer on the wire.
func (s *Sim) write(w http.ResponseWriter, shown outcome, fault *Fault, rep reply) {
	switch shown.answer {
	case AnswerCut:
		panic(http.ErrAbortHandler) // net/http closes the connection without a word
	case AnswerBadGateway, AnswerNotJSON:
		w.Header().Set("Content-Type", "text/html")
		if shown.answer == AnswerBadGateway {
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = w.Write([]byte(htmlPage)) // as in writeJSON
		return
	}
	switch {
	case shown.code != rep.code:
		writeJSON(w, s.errBody(shown.code, fault.Message, s.cfg.Now()))
	case rep.code != 0:
		writeJSON(w, s.errBody(rep.code, rep.text, s.cfg.Now()))
	case rep.body != nil:
		writeJSON(w, rep.body)
	default:
		b := append(make([]byte, 0, 64), `{"errcode":0,"errmsg":"ok"`...)
		if rep.msgID != 0 && shown.answer != AnswerNoMsgID {
			b = append(b, `,"msgid":`...)
			b = strconv.AppendInt(b, rep.msgID, 10)
		}
		writeJSON(w, append(b, '}'))
	}
}
