package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// monthly is the body of a schedule for an audience.
func monthly(change ...func(map[string]any)) map[string]any {
	body := map[string]any{
		"template": "monthly_bill", "to": map[string]any{"audience": map[string]any{}}, "rrule": "FREQ=MONTHLY;BYMONTHDAY=5;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
		"start": "2026-12-01T00:00:00+08:00", "time_zone": "Asia/Shanghai",
		"content":   map[string]any{"data": map[string]string{"character_string1": "{{year_month}}", "thing2": "账单已出"}},
		"valid_for": "2d", "catch_up": "90m", "spread": "10m",
	}
	for _, ch := range change {
		ch(body)
	}
	return body
}

func set(name string, value any) func(map[string]any) {
	return func(body map[string]any) { body[name] = value }
}

func TestAScheduleIsMadeReadReplacedAndRemoved(t *testing.T) {
	w := newWorld(t)
	made := w.call("POST", "/schedules", monthly(), "Idempotency-Key", "s1").want(201)
	for path, want := range map[string]string{
		"state": "active", "template_id": bill, "template": "monthly_bill", "next_at": "2026-12-05T09:00:00+08:00", "start": "2026-12-01T00:00:00+08:00",
		"valid_for": "48h", "catch_up": "1h30m", "spread": "10m", "time_zone": "Asia/Shanghai", "missed": "0",
	} {
		if got := made.text(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if made.at("to", "audience") == nil || made.text("content", "data", "thing2") != "账单已出" {
		t.Errorf("made: %s", made.Body)
	}
	path := "/schedules/" + made.text("id")
	if made.Header().Get("Location") != "/v1/apps/"+appid+path {
		t.Errorf("Location is %q", made.Header().Get("Location"))
	}
	again := w.call("POST", "/schedules", monthly(), "Idempotency-Key", "s1").want(200)
	if again.text("id") != made.text("id") || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("replay: %v %s", again.Header(), again.Body)
	}
	w.call("POST", "/schedules", monthly(set("spread", "20m")), "Idempotency-Key", "s1").want(422, "idempotency_key_reused")
	if got := w.call("GET", path, nil).want(200); got.text("id") != made.text("id") {
		t.Errorf("read: %s", got.Body)
	}
	replaced := w.call("PUT", path, monthly(set("rrule", "FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=10;BYMINUTE=0;BYSECOND=0"), set("catch_up", "0s"))).want(200)
	if replaced.text("next_at") != "2026-12-31T10:00:00+08:00" || replaced.text("catch_up") != "0s" || replaced.text("id") != made.text("id") {
		t.Errorf("replaced: %s", replaced.Body)
	}
	paused := w.call("POST", path+":pause", nil).want(200)
	if paused.text("state") != "paused" {
		t.Errorf("paused: %s", paused.Body)
	}
	if got := w.call("POST", path+":resume", "{}").want(200); got.text("state") != "active" {
		t.Errorf("resumed: %s", got.Body)
	}
	w.call("POST", path+":resume", `{"at":"once"}`).want(400, "invalid_json")
	w.call("DELETE", path, nil).want(204)
	w.call("GET", path, nil).want(404, "not_found")
	w.call("DELETE", path, nil).want(404, "not_found")
	w.call("POST", path+":pause", nil).want(404, "not_found")
	w.call("PUT", path, monthly()).want(404, "not_found")
	late := w.call("POST", "/schedules", monthly(), "Idempotency-Key", "s1").want(200)
	if late.text("state") != "deleted" || late.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("a late repetition: %v %s", late.Header(), late.Body)
	}
	w.call("POST", "/schedules", monthly(set("spread", "20m")), "Idempotency-Key", "s1").want(422, "idempotency_key_reused")
	w.call("GET", path, nil).want(404, "not_found")
	if n := w.call("GET", "/schedules", nil).want(200).len("schedules"); n != 0 {
		t.Errorf("%d schedules are listed", n)
	}
}

func TestTheNextOccurrencesCanBeSeenAndMonthsClamp(t *testing.T) {
	w := newWorld(t)
	made := w.call("POST", "/schedules", monthly(set("rrule", "FREQ=MONTHLY"), set("start", "2027-01-31T09:00:00+08:00")), w.newKey()...).want(201)
	got := w.call("GET", "/schedules/"+made.text("id")+"/occurrences?n=3", nil).want(200)
	for i, want := range []string{"2027-01-31T09:00:00+08:00", "2027-02-28T09:00:00+08:00", "2027-03-31T09:00:00+08:00"} {
		if got.text("next", i, "at") != want {
			t.Errorf("occurrence %d at %s, want %s", i, got.text("next", i, "at"), want)
		}
	}
	if got.len("next") != 3 || got.len("past") != 0 {
		t.Errorf("%s", got.Body)
	}
	if n := w.call("GET", "/schedules/"+made.text("id")+"/occurrences", nil).want(200).len("next"); n != 10 {
		t.Errorf("%d occurrences without n", n)
	}
	w.call("GET", "/schedules/"+made.text("id")+"/occurrences?n=201", nil).want(422, "invalid_request")
	w.call("GET", "/schedules/nosuch/occurrences", nil).want(404, "not_found")
}

func TestACountBeginsWithAnOccurrenceThatIsStillToCome(t *testing.T) {
	w := newWorld(t)
	made := w.call("POST", "/schedules", monthly(func(body map[string]any) { delete(body, "start") }, set("rrule", "FREQ=WEEKLY;COUNT=3")), "Idempotency-Key", "s1").want(201)
	if n := w.call("GET", "/schedules/"+made.text("id")+"/occurrences", nil).want(200).len("next"); n != 3 {
		t.Errorf("of three occurrences %d are to come: %s", n, made.Body)
	}
}

func TestOccurrencesKeepTheWallClockOverDaylightSaving(t *testing.T) {
	w := newWorld(t)
	made := w.call("POST", "/schedules", monthly(set("rrule", "FREQ=WEEKLY"), set("start", "2027-03-21T09:00:00+01:00"), set("time_zone", "Europe/Berlin")), w.newKey()...).want(201)
	got := w.call("GET", "/schedules/"+made.text("id")+"/occurrences?n=2", nil).want(200)
	if got.text("next", 0, "at") != "2027-03-21T09:00:00+01:00" || got.text("next", 1, "at") != "2027-03-28T09:00:00+02:00" {
		t.Errorf("%s", got.Body)
	}
}

func TestASendOfAnOccurrenceIsFoundByWhatMadeIt(t *testing.T) {
	w := newWorld(t)
	w.accept(alice, "monthly_bill", 1)
	made := w.call("POST", "/schedules", monthly(set("to", map[string]any{"openid": alice}), set("spread", "0s")), w.newKey()...).want(201)
	at, err := time.Parse(time.RFC3339, made.text("next_at"))
	if err != nil {
		t.Fatal(err)
	}
	w.advance(at.Sub(w.now()) + time.Second)
	if err := w.service.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	query := "/sends?openid=" + alice + "&schedule=" + made.text("id") + "&occurrence=2026-12-05T09:00:00+08:00" // the + becomes a blank
	got := w.call("GET", query, nil).want(200)
	if got.text("schedule") != made.text("id") || got.text("state") != "sent" || got.text("data", "character_string1") != "2026-12" {
		t.Errorf("%s", got.Body)
	}
	past := w.call("GET", "/schedules/"+made.text("id")+"/occurrences", nil).want(200)
	if past.text("past", 0, "at") != "2026-12-05T09:00:00+08:00" || past.text("past", 0, "state") != "fired" {
		t.Errorf("%s", past.Body)
	}
	w.call("GET", "/sends?openid="+bob+"&schedule="+made.text("id")+"&occurrence=2026-12-05T01:00:00Z", nil).want(404, "not_found")
	w.call("GET", "/sends?openid="+bob, nil).want(422, "invalid_request")
}

func TestASchedulesContentMayBeASeriesOrAProvider(t *testing.T) {
	w := newWorld(t)
	part := func(n string) map[string]any {
		return map[string]any{"data": map[string]string{"character_string1": n, "thing2": "复诊"}}
	}
	series := w.call("POST", "/schedules", monthly(set("content", map[string]any{"series": []any{part("W1"), part("W2")}})), w.newKey()...).want(201)
	if series.len("content", "series") != 2 || series.text("content", "series", 1, "data", "character_string1") != "W2" {
		t.Errorf("series: %s", series.Body)
	}
	if n := w.call("GET", "/schedules/"+series.text("id")+"/occurrences", nil).want(200).len("next"); n != 2 {
		t.Errorf("%d occurrences of a series of two", n)
	}
	provider := w.call("POST", "/schedules", monthly(set("content", map[string]any{"provider": map[string]string{"url": "https://bills.example.com/x"}})), w.newKey()...).want(201)
	if provider.text("content", "provider", "url") != "https://bills.example.com/x" {
		t.Errorf("provider: %s", provider.Body)
	}
	w.call("POST", "/schedules", monthly(set("content", map[string]any{"provider": map[string]string{"url": "https://elsewhere.example.com/x"}})), w.newKey()...).want(422, "host_not_allowed")
}

func TestAScheduleThatCannotBeTakenRecordsNothing(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct {
		change      func(map[string]any)
		status      int
		code, field string
	}{
		"no recipients":                {func(b map[string]any) { delete(b, "to") }, 422, "invalid_request", "to"},
		"two sorts of recipients":      {set("to", map[string]any{"openid": "o1", "audience": map[string]any{}}), 422, "invalid_request", "to"},
		"an unknown sort of recipient": {set("to", map[string]any{"everybody": true}), 400, "invalid_json", "to.everybody"},
		"an audience of one-timers":    {set("template", "order"), 422, "invalid_request", "to.audience"},
		"a template of nobody":         {set("template", "nobody"), 404, "unknown_template", "template"},
		"no rule":                      {func(b map[string]any) { delete(b, "rrule") }, 422, "bad_rrule", "rrule"},
		"a rule that is none":          {set("rrule", "FREQ=SOMETIMES"), 422, "bad_rrule", "rrule"},
		"a rule that never comes":      {set("rrule", "FREQ=YEARLY;UNTIL=20200101T000000Z"), 422, "bad_rrule", "rrule"},
		"an impossible zone":           {set("time_zone", "Mars/Olympus"), 422, "bad_time_zone", "time_zone"},
		"no content":                   {func(b map[string]any) { delete(b, "content") }, 422, "invalid_request", "content"},
		"two sorts of content":         {set("content", map[string]any{"data": map[string]string{}, "series": []any{}}), 422, "invalid_request", "content"},
		"data that does not fit":       {set("content", map[string]any{"data": map[string]string{"thing2": "x"}}), 422, "invalid_fields", "content.data.character_string1"},
		"a number in data":             {set("content", map[string]any{"data": map[string]any{"character_string1": 1, "thing2": "x"}}), 422, "invalid_fields", "content.data.character_string1"},
		"a number in a series":         {set("content", map[string]any{"series": []any{map[string]any{"data": map[string]any{"thing2": 1}}}}), 422, "invalid_fields", "content.series[0].data.thing2"},
		"a part without its data":      {set("content", map[string]any{"series": []any{map[string]any{"thing2": "x"}}}), 400, "invalid_json", "content.series[0].thing2"},
		"an unknown variable":          {set("content", map[string]any{"data": map[string]string{"character_string1": "{{age}}", "thing2": "x"}}), 422, "invalid_fields", "content.data.character_string1"},
		"a duration that is a number":  {set("valid_for", 3600), 400, "invalid_json", "valid_for"},
		"a duration without a unit":    {set("valid_for", "3600"), 422, "invalid_request", "valid_for"},
		"a duration of fractions":      {set("spread", "1.5h"), 422, "invalid_request", "spread"},
		"a negative duration":          {set("catch_up", "-1h"), 422, "invalid_request", "catch_up"},
		"a spread over a day":          {set("spread", "24h"), 422, "invalid_request", "spread"},
		"a rule that breaks the caps":  {set("rrule", "FREQ=HOURLY"), 422, "rule_broken", "rrule"},
		"a rule for the night":         {set("rrule", "FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0"), 422, "rule_broken", "rrule"},
		"marketing words":              {set("content", map[string]any{"data": map[string]string{"character_string1": "x", "thing2": "领取优惠券"}}), 422, "rule_broken", "content.data.thing2"},
	} {
		t.Run(name, func(t *testing.T) {
			got := w.call("POST", "/schedules", monthly(tt.change), w.newKey()...).want(tt.status, tt.code)
			if got.text("field") != tt.field || got.text("detail") == "" {
				t.Errorf("field %q, want %q: %s", got.text("field"), tt.field, got.Body)
			}
			if w.stored() != 0 {
				t.Errorf("%d records were written", w.stored())
			}
		})
	}
	w.call("POST", "/schedules", monthly()).want(400, "idempotency_key_required")
}

func TestSchedulesAreListedPageByPage(t *testing.T) {
	w := newWorld(t)
	made := map[string]bool{}
	for i := range 7 {
		id := w.call("POST", "/schedules", monthly(), w.newKey()...).want(201).text("id")
		made[id] = true
		if i == 0 {
			w.call("POST", "/schedules/"+id+":pause", nil).want(200)
		}
	}
	list := func(query string) map[string]bool {
		seen := map[string]bool{}
		cursor := ""
		for range 20 {
			page := w.call("GET", fmt.Sprintf("/schedules?limit=3&cursor=%s%s", cursor, query), nil).want(200)
			for i := range page.len("schedules") {
				seen[page.text("schedules", i, "id")] = true
			}
			if cursor = page.text("next_cursor"); cursor == "" {
				return seen
			}
		}
		t.Fatal("the listing does not end")
		return nil
	}
	if got := list(""); !maps.Equal(got, made) {
		t.Errorf("listed %v, made %v", got, made)
	}
	if got := list("&state=paused"); len(got) != 1 {
		t.Errorf("%d are paused", len(got))
	}
	if got := list("&state=active"); len(got) != 6 {
		t.Errorf("%d are active", len(got))
	}
	w.call("GET", "/schedules?limit=0", nil).want(422, "invalid_request")
	w.call("GET", "/schedules?state=asleep", nil).want(422, "invalid_request")
	w.call("GET", "/schedules?cursor=what", nil).want(422, "invalid_request")
}

// Stores differ in what they take as a key: a zero byte is an error to one, 5,000 characters are to another. None of
// them is asked for what no listing and no 201 ever answered.
func TestAnIDThatNothingCanHaveIsNotFoundWithoutAskingTheStore(t *testing.T) {
	w := newWorld(t)
	unreachable := errors.New("the store was asked")
	w.store.fail.Store(&unreachable)
	made := submsg.SendID(appid, "never used")
	for _, id := range []string{"%00", made + "%00", "%ff", "%2F", strings.Repeat("a", 5000), made[1:], strings.ToUpper(made), made[1:] + "1"} {
		w.call("GET", "/sends/"+id, nil).want(404, "not_found")
		w.call("DELETE", "/sends/"+id, nil).want(404, "not_found")
		w.call("GET", "/schedules/"+id, nil).want(404, "not_found")
		w.call("PUT", "/schedules/"+id, monthly()).want(404, "not_found")
		w.call("DELETE", "/schedules/"+id, nil).want(404, "not_found")
		w.call("POST", "/schedules/"+id+":pause", nil).want(404, "not_found")
		w.call("POST", "/schedules/"+id+":resume", nil).want(404, "not_found")
		w.call("GET", "/schedules/"+id+"/occurrences", nil).want(404, "not_found")
		w.call("GET", "/schedules?cursor=3."+id, nil).want(422, "invalid_request")
	}
	w.as(readKey, "DELETE", "/v1/apps/"+appid+"/sends/%00", nil).want(403, "forbidden")
	w.call("GET", "/sends/"+made, nil).want(503, "unavailable") // an id that a send may have is looked for
	w.call("GET", "/schedules?cursor=3."+made, nil).want(200)
	for _, openid := range []string{"%00", "%ff", strings.Repeat("a", 5000)} {
		w.call("GET", "/subscribers/"+openid, nil).want(422, "invalid_request")
		w.call("GET", "/prompts?scene=pay&openid="+openid, nil).want(422, "invalid_request")
	}
}
