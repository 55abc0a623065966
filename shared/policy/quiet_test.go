package policy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseWindow(t *testing.T) {
	for _, good := range []string{"22:00-08:00", "00:00-06:30", "21:15-24:00", "08:01-08:00", ""} {
		w, err := ParseWindow(good)
		if err != nil || w.String() != good || !w.IsSet() {
			t.Errorf("ParseWindow(%q) = %v, %v", good, w, err)
		}
	}
	for _, bad := range []string{"22-8", "22:00", "25:00-08:00", "22:60-08:00", "24:00-08:00", "22:00-24:01", "08:00-08:00", "00:00-24:00", "22:00–08:00", "2２:00-08:0", "aa:bb-cc:dd", "22:00-08:00 "} {
		if w, err := ParseWindow(bad); err == nil {
			t.Errorf("ParseWindow(%q) = %v", bad, w)
		}
	}
	var unset Window
	if unset.IsSet() || unset.Contains(noon, Shanghai) {
		t.Error("the zero Window says something")
	}
}

func TestWhoseQuietHoursHold(t *testing.T) {
	own, tpl, none := mustWindow(t, "20:00-09:00"), mustWindow(t, "23:00-05:00"), mustWindow(t, "")
	tests := []struct {
		name   string
		change func(*Request)
		want   string
	}{
		{"the default where nobody says anything", func(r *Request) {}, "22:00-08:00"},
		{"the app's", func(r *Request) { r.App.QuietHours = mustWindow(t, "21:00-07:00") }, "21:00-07:00"},
		{"none of the app's", func(r *Request) { r.App.QuietHours = none }, ""},
		{"the template's before the app's", func(r *Request) { r.App.QuietHours, r.Template.QuietHours = own, &tpl }, "23:00-05:00"},
		{"the subscriber's before the template's", func(r *Request) { r.Template.QuietHours, r.QuietHours = &tpl, &own }, "20:00-09:00"},
		{"a window that says nothing is passed over", func(r *Request) { r.QuietHours = &Window{}; r.Template.QuietHours = &tpl }, "23:00-05:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bill()
			tt.change(&r)
			if got := r.quietHours().String(); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestQuietHoursAreToldInTheSubscribersZone(t *testing.T) {
	r := bill() // noon in Shanghai is 23:00 in New York
	r.Zone = mustZone(t, "America/New_York")
	if d := mustEngine(t).Decide(r); d.Outcome != Defer || !d.Due.Equal(time.Date(2026, 11, 21, 8, 0, 0, 0, r.Zone)) {
		t.Errorf("%s at %s", d.Outcome, d.Due)
	}
}

func TestWindowEndWhenClocksChange(t *testing.T) {
	tests := []struct {
		name, zone, window, from, want string
	}{
		{"an ordinary night", "Europe/Berlin", "22:00-08:00", "2026-06-10T23:00:00+02:00", "2026-06-11T08:00:00+02:00"},
		{"before midnight on the year's last day", "Asia/Shanghai", "22:00-08:00", "2026-12-31T23:59:59+08:00", "2027-01-01T08:00:00+08:00"},
		{"the short night of spring", "America/New_York", "22:00-08:00", "2026-03-07T23:00:00-05:00", "2026-03-08T08:00:00-04:00"},
		{"the long night of autumn", "America/New_York", "22:00-08:00", "2026-10-31T23:00:00-04:00", "2026-11-01T08:00:00-05:00"},
		{"an end that spring skips comes with the jump", "America/New_York", "22:00-02:30", "2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00"},
		{"a window wholly in the skipped hour does not occur", "America/New_York", "02:10-02:50", "2026-03-08T01:59:00-05:00", "2026-03-08T01:59:00-05:00"},
		{"an hour that autumn repeats is quiet twice", "America/New_York", "22:00-01:30", "2026-11-01T01:10:00-04:00", "2026-11-01T01:30:00-04:00"},
		{"and quiet again after the clock goes back", "America/New_York", "22:00-01:30", "2026-11-01T01:10:00-05:00", "2026-11-01T01:30:00-05:00"},
		{"an end at the moment of going back begins the hour again", "America/New_York", "22:00-02:00", "2026-11-01T01:10:00-04:00", "2026-11-01T02:00:00-05:00"},
		{"half an hour in Lord Howe", "Australia/Lord_Howe", "22:00-02:15", "2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from, err := time.Parse(time.RFC3339, tt.from)
			if err != nil {
				t.Fatal(err)
			}
			if got := mustWindow(t, tt.window).End(from, mustZone(t, tt.zone)).In(mustZone(t, tt.zone)).Format(time.RFC3339); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestWindowEndIsTheFirstMomentOutside(t *testing.T) {
	zones := loadZones(t)
	rapid.Check(t, func(t *rapid.T) {
		zone := zones[rapid.SampledFrom(zoneNames).Draw(t, "zone")]
		from, w := drawMoment(t, zone), drawWindow(t)
		end := w.End(from, zone)
		if w.Contains(end, zone) {
			t.Fatalf("%s: the end %s lies inside", w, end)
		}
		for m := from; m.Before(end); m = m.Add(time.Minute) {
			if !w.Contains(m, zone) {
				t.Fatalf("%s: %s lies outside already, before the end %s", w, m, end)
			}
		}
	})
}
