package policy

import (
	"fmt"
	"time"
)

// defaultQuietHours is the night of an app that sets none (实战指南: 避免在深夜或凌晨
// 发送非紧急通知).
var defaultQuietHours = Window{start: 22 * 60, end: 8 * 60, state: windowSet}

// DefaultSpread is how far sends that quiet hours held back are strewn after
// their end, so that 08:00 is not a cliff for the platform, the app's own
// servers or the user's phone.
const DefaultSpread = 10 * time.Minute

// Window is a daily span of wall-clock time, such as 22:00-08:00: its start
// belongs to it, its end does not. The zero Window says nothing, so that the
// next setting in line applies; ParseWindow("") says that there is none.
type Window struct {
	start, end uint16 // minutes of the day; end may be 1440
	state      windowState
}

type windowState uint8

const (
	windowUnset windowState = iota
	windowNone
	windowSet
)

// ParseWindow reads "22:00-08:00". The empty string is a window that never
// applies. Hours go from 00:00 to 24:00; a window of a whole day is an error,
// since no message could ever pass it.
func ParseWindow(s string) (Window, error) {
	if s == "" {
		return Window{state: windowNone}, nil
	}
	if len(s) != len("22:00-08:00") || s[5] != '-' {
		return Window{}, fmt.Errorf("quiet hours %q: want HH:MM-HH:MM such as 22:00-08:00, or \"\" for none", s)
	}
	start, ok1 := parseMinute(s[:5])
	end, ok2 := parseMinute(s[6:])
	switch {
	case !ok1 || !ok2 || start == 24*60:
		return Window{}, fmt.Errorf("quiet hours %q: hours go from 00 to 23 (an end may be 24:00), minutes from 00 to 59", s)
	case start == end, start == 0 && end == 24*60:
		return Window{}, fmt.Errorf("quiet hours %q cover the whole day: nothing could be sent; write \"\" for none", s)
	}
	return Window{start: start, end: end, state: windowSet}, nil
}

// parseMinute reads HH:MM as the minute of the day.
func parseMinute(s string) (uint16, bool) {
	for _, i := range [...]int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	h := uint16(s[0]-'0')*10 + uint16(s[1]-'0')
	m := uint16(s[3]-'0')*10 + uint16(s[4]-'0')
	if s[2] != ':' || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, false
	}
	return h*60 + m, true
}

// IsSet reports whether the window says anything, be it "none".
func (w Window) IsSet() bool { return w.state != windowUnset }

// Equal reports whether both windows say the same.
func (w Window) Equal(o Window) bool { return w == o }

// String is what ParseWindow reads; "" for none and for the zero Window.
func (w Window) String() string {
	if w.state != windowSet {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", w.start/60, w.start%60, w.end/60, w.end%60)
}

// Contains reports whether the wall clock of the zone shows a time inside the
// window at t.
func (w Window) Contains(t time.Time, zone *time.Location) bool {
	return w.state == windowSet && w.untilEnd(t.In(zone)) > 0
}

// End is the first moment, t or later, that lies outside the window. Where the
// zone's clock changes inside the window, the wall clock decides: the hour that
// is repeated in autumn is quiet both times, and an end that spring skips comes
// as soon as the clock is past it.
func (w Window) End(t time.Time, zone *time.Location) time.Time {
	if w.state != windowSet {
		return t
	}
	for {
		local := t.In(zone)
		left := w.untilEnd(local)
		if left <= 0 {
			return t
		}
		end := t.Add(left)
		// The offset holds until the next change of the zone's clock; there the
		// question is asked anew, even at the very end of the window: the clock may
		// go back into it.
		if _, change := local.ZoneBounds(); !change.IsZero() && !change.After(end) {
			t = change.In(t.Location())
			continue
		}
		return end
	}
}

// untilEnd is how long the window goes on at the given local time if no clock
// changes meanwhile; 0 outside it.
func (w Window) untilEnd(local time.Time) time.Duration {
	h, m, s := local.Clock()
	now := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute +
		time.Duration(s)*time.Second + time.Duration(local.Nanosecond())
	start, end := time.Duration(w.start)*time.Minute, time.Duration(w.end)*time.Minute
	switch {
	case start < end:
		if now >= start && now < end {
			return end - now
		}
	case now >= start: // the evening of a window over midnight
		return 24*time.Hour - now + end
	case now < end: // its morning
		return end - now
	}
	return 0
}

// quietHours is the window that holds for the request: the subscriber's own
// word first, then the template's, then the app's, then the default.
func (r *Request) quietHours() Window {
	switch {
	case r.QuietHours != nil && r.QuietHours.IsSet():
		return *r.QuietHours
	default:
		return templateQuietHours(r.App, r.Template, answers(r.Template, r.Scheduled))
	}
}

func templateQuietHours(app *App, tpl *Template, answer bool) Window {
	switch {
	case tpl.QuietHours != nil && tpl.QuietHours.IsSet():
		return *tpl.QuietHours
	case app.QuietHours.IsSet():
		return app.QuietHours
	case answer:
		return Window{}
	default:
		return defaultQuietHours
	}
}

// jitter strews a moment over the app's spread. It never reaches validUntil,
// and where it would fall into the next quiet hours it is halved until it does not.
func (r *Request) jitter(due time.Time, quiet Window) time.Time {
	spread := r.App.Spread
	if spread == 0 {
		spread = DefaultSpread
	}
	if !r.ValidUntil.IsZero() {
		spread = min(spread, r.ValidUntil.Sub(due))
	}
	if spread <= 0 || r.JitterSeed == 0 {
		return due
	}
	zone := r.zone()
	for add := time.Duration(mix(r.JitterSeed) % uint64(spread)).Truncate(time.Millisecond); add > 0; add /= 2 {
		if moved := due.Add(add); !quiet.Contains(moved, zone) {
			return moved
		}
	}
	return due
}
