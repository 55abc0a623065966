package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/platformtest"
	"github.com/yuexin-dev/yuexin/shared/policy"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// samples are the sample events of each cloud with what their function makes of them, in the order in which they are fed:
// the user accepts before a message is sent. A test fails for a sample that is not here.
var samples = map[string][]struct {
	file   string
	expect func(t *testing.T, d *deployment, event []byte)
}{
	"aws": {
		{"grant.httpapi.push-get.json", echoes},
		{"grant.functionurl.push-get.json", echoes},
		{"grant.httpapi.push-post.json", takesAGrant},
		{"grant.httpapi.push-post-base64.json", takesAPush},
		{"grant.functionurl.push-post-base64.json", takesAPush},
		{"send.httpapi.create.json", takesASend},
		{"send.functionurl.create.json", refusesTheSameTwice},
		{"deliver.sqs.one.json", reportsNoFailure},
		{"deliver.sqs.batch.json", reportsNoFailure},
		{"schedule.eventbridge.rule.json", ticks},
		{"schedule.eventbridge.scheduler.json", ticks},
		{"manage.httpapi.schedules.json", listsSchedules},
		{"manage.functionurl.console.json", showsTheConsole},
	},
	"scf": {
		{"grant.functionurl.push-get.json", echoes},
		{"grant.apigateway.push-get.json", echoes},
		{"grant.functionurl.push-post.json", takesAGrant},
		{"grant.apigateway.push-post-base64.json", takesAPush},
		{"send.functionurl.create.json", takesASend},
		{"deliver.invoke.wakeups.json", answersNothing},
		{"deliver.invoke.by-hand.json", answersNothing},
		{"deliver.ckafka.batch.json", answersNothing},
		{"deliver.cmq.tag-list.json", answersNothing},
		{"deliver.cmq.tag-text.json", answersNothing},
		{"schedule.timer.tick.json", ticks},
		{"manage.functionurl.schedules.json", listsSchedules},
		{"manage.apigateway.schedules.json", listsSchedules},
	},
}

func TestEveryFunctionAnswersItsSampleEventsOnEveryCloud(t *testing.T) {
	for name, c := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, c, "", nil)
			for _, s := range samples[c.events] {
				t.Run(s.file, func(t *testing.T) { s.expect(t, d, d.sample(s.file)) })
			}
			for function, f := range d.running {
				for what, text := range map[string]string{"the app's secret": secret, "an API key": apiKey, "an openid": openID} {
					if strings.Contains(f.Logs(), text) {
						t.Errorf("%s wrote %s into its log:\n%s", function, what, f.Logs())
					}
				}
			}
		})
	}
}

// TestASendPassesFromFunctionToFunctionThroughTheQueue: nothing but the queue tells deliver of the send, and WeChat's push
// of the grant is what allows it.
func TestASendPassesFromFunctionToFunctionThroughTheQueue(t *testing.T) {
	t.Run("SQS", func(t *testing.T) {
		t.Parallel()
		queue := platformtest.NewSQS(t)
		d := deploy(t, clouds["Lambda with DynamoDB"], "", map[string]string{"YUEXIN_QUEUE_URL": queue.QueueURL})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		deliver := d.function("deliver")
		go func() {
			defer close(done)
			queue.Deliver(ctx, deliver, platformtest.SQSTrigger{Duplicate: 0.5, Seed: 1})
		}()
		defer func() {
			cancel()
			<-done
		}()
		passes(t, d, "grant.httpapi.push-post.json", "send.httpapi.create.json")
	})
	t.Run("SCF", func(t *testing.T) {
		t.Parallel()
		functions := map[string]platformtest.Runtime{}
		api := platformtest.NewSCFAPI(t, functions)
		d := deploy(t, clouds["SCF's Go runtime with Redis"], fmt.Sprintf("queue: {kind: scf, endpoint: %q}\n", api.Endpoint),
			map[string]string{"YUEXIN_DELIVER_FUNCTION": "yuexin-deliver"})
		functions["yuexin-deliver"] = d.function("deliver")
		passes(t, d, "grant.functionurl.push-post.json", "send.functionurl.create.json")
	})
}

func passes(t *testing.T, d *deployment, grant, create string) {
	t.Helper()
	if err := d.sim.SilentAccept(appID, openID, template); err != nil {
		t.Fatal(err)
	}
	if got := d.request("grant", d.sample(grant)); got.body != "success" {
		t.Fatalf("got %+v", got)
	}
	send := readSend(t, d.request("send", d.sample(create)))
	for deadline := time.Now().Add(20 * time.Second); send.State != "sent"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the send is still %s", send.State)
		}
		send = readSend(t, d.request("send", d.get("/v1/apps/"+appID+"/sends/"+send.ID)))
	}
	if got := d.sim.Received(appID, openID); len(got) != 1 {
		t.Errorf("WeChat has %d messages, want one", len(got))
	}
}

func TestNoSampleEventIsLeftOut(t *testing.T) {
	for cloud, fed := range samples {
		files, err := filepath.Glob(filepath.Join("..", "events", cloud, "*"))
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, s := range fed {
			known[s.file] = true
		}
		for _, file := range files {
			if !known[filepath.Base(file)] {
				t.Errorf("%s is fed to no function", file)
			}
		}
		if len(files) != len(known) {
			t.Errorf("events/%s has %d files, and the test knows %d", cloud, len(files), len(known))
		}
	}
}

func echoes(t *testing.T, d *deployment, event []byte) {
	if got := d.request("grant", event); got.status != 200 || got.body != "4375120948345356249" {
		t.Errorf("got %+v, want the echostr", got)
	}
}

func takesAPush(t *testing.T, d *deployment, event []byte) {
	if got := d.request("grant", event); got.status != 200 || got.body != "success" {
		t.Errorf("got %+v, want success", got)
	}
}

// takesAGrant: what the push says is then known of the subscriber.
func takesAGrant(t *testing.T, d *deployment, event []byte) {
	takesAPush(t, d, event)
	got := d.request("grant", d.get("/v1/apps/"+appID+"/subscribers/"+openID))
	var subscriber struct {
		Subscriptions []struct {
			Template, State string
		}
	}
	if err := json.Unmarshal([]byte(got.body), &subscriber); err != nil || got.status != 200 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if s := subscriber.Subscriptions; len(s) != 1 || s[0].Template != "monthly_bill" || s[0].State != "active" {
		t.Errorf("the subscriptions are %+v, want an active monthly_bill", s)
	}
}

// takesASend: the send waits, the wake-up that the test writes has deliver send it, and WeChat has it once.
func takesASend(t *testing.T, d *deployment, event []byte) {
	t.Helper()
	if send := carried(t, d, event, 1); send.State != "sent" {
		t.Errorf("the send is %s, want sent", send.State)
	}
	d.expectLog(t, "deliver", `"Outcome":"sent","Sends":1`, 1)
}

// refusesTheSameTwice: the same text to the same user a moment later is held back by a rule, under another key too.
func refusesTheSameTwice(t *testing.T, d *deployment, event []byte) {
	t.Helper()
	if send := carried(t, d, event, 0); send.State != "refused" || send.Reason.Code != policy.RuleNoBurst {
		t.Errorf("the send is %s, %s; want refused, %s", send.State, send.Reason.Code, policy.RuleNoBurst)
	}
	d.expectLog(t, "deliver", `"Outcome":"refused","Sends":1`, 1)
}

// carried creates the send of an event, twice, and has deliver work on it, twice. WeChat must have received so many
// messages by that. It returns the send as it is then.
func carried(t *testing.T, d *deployment, event []byte, messages int) sendAnswer {
	t.Helper()
	if err := d.sim.SilentAccept(appID, openID, template); err != nil {
		t.Fatal(err)
	}
	before := len(d.sim.Received(appID, openID))
	got := d.request("send", event)
	send := readSend(t, got)
	if got.status != 201 || send.State != "queued" {
		t.Fatalf("got %+v, want a queued send", got)
	}
	if again := readSend(t, d.request("send", event)); again.ID != send.ID {
		t.Errorf("the same request again made send %s, want %s", again.ID, send.ID)
	}
	key := submsg.SendKey(appID, send.ID)
	for range 2 {
		d.invoke("deliver", d.wakeup([][2]string{{key.Partition, key.Sort}}))
	}
	after := d.sim.Received(appID, openID)
	if len(after) != before+messages {
		t.Errorf("WeChat has %d messages more, want %d: %v", len(after)-before, messages, after)
	}
	return readSend(t, d.request("send", d.get("/v1/apps/"+appID+"/sends/"+send.ID)))
}

func reportsNoFailure(t *testing.T, d *deployment, event []byte) {
	if got := string(d.invoke("deliver", event)); got != `{"batchItemFailures":[]}` {
		t.Errorf("got %s; wake-ups for what is not there, and one that cannot be read, are done with", got)
	}
}

func answersNothing(t *testing.T, d *deployment, event []byte) {
	if got := string(d.invoke("deliver", event)); got != "null" {
		t.Errorf("got %s, want null", got)
	}
}

func ticks(t *testing.T, d *deployment, event []byte) {
	const line = `"OldestDueSeconds":`
	before := 0
	if f := d.running["schedule"]; f != nil {
		before = strings.Count(f.Logs(), line)
	}
	if got := string(d.invoke("schedule", event)); got != "null" {
		t.Errorf("got %s, want null", got)
	}
	d.expectLog(t, "schedule", line, before+1)
}

func listsSchedules(t *testing.T, d *deployment, event []byte) {
	got := d.request("manage", event)
	var list struct{ Schedules []any }
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || got.status != 200 || list.Schedules == nil || len(list.Schedules) > 0 {
		t.Errorf("got %+v, want an empty list", got)
	}
}

func showsTheConsole(t *testing.T, d *deployment, event []byte) {
	if got := d.request("manage", event); got.status != 200 || !strings.HasPrefix(got.kind, "text/html") || !strings.Contains(got.body, "<html") {
		t.Errorf("got %d, %s, and %d bytes; want a page", got.status, got.kind, len(got.body))
	}
}

// expectLog waits until a function's log has a text so many times: what a process wrote arrives a moment after its answer.
func (d *deployment) expectLog(t *testing.T, name, text string, times int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		logs := d.function(name).Logs()
		if strings.Count(logs, text) == times {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s wrote %s not %d times:\n%s", name, text, times, logs)
			return
		}
	}
}

type sendAnswer struct {
	ID, State string
	Reason    struct{ Code string }
}

func readSend(t *testing.T, got httpAnswer) (s sendAnswer) {
	t.Helper()
	if err := json.Unmarshal([]byte(got.body), &s); err != nil || s.ID == "" {
		t.Fatalf("got %+v, want a send", got)
	}
	return s
}

// get is the event of a request, made from a sample of the same cloud.
func (d *deployment) get(path string) []byte {
	d.t.Helper()
	file, pathMember := "manage.httpapi.schedules.json", "rawPath"
	if d.cloud.events == "scf" {
		file, pathMember = "manage.functionurl.schedules.json", "path"
	}
	return d.changed(file, map[string]any{pathMember: path, "rawQueryString": "", "queryString": map[string]any{}})
}

// wakeup is the event that brings keys to deliver, made from a sample of the same cloud.
func (d *deployment) wakeup(keys [][2]string) []byte {
	d.t.Helper()
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		d.t.Fatal(err)
	}
	if d.cloud.events == "scf" {
		return d.changed("deliver.invoke.wakeups.json", map[string]any{"wakeups": []string{string(body)}})
	}
	var batch struct{ Records []map[string]any }
	if err := json.Unmarshal(d.sample("deliver.sqs.one.json"), &batch); err != nil {
		d.t.Fatal(err)
	}
	batch.Records[0]["body"] = string(body)
	event, err := json.Marshal(batch)
	if err != nil {
		d.t.Fatal(err)
	}
	return event
}

// changed is a sample with some members replaced.
func (d *deployment) changed(file string, members map[string]any) []byte {
	d.t.Helper()
	var event map[string]any
	if err := json.Unmarshal(d.sample(file), &event); err != nil {
		d.t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if _, there := event[name]; there {
			event[name] = members[name]
		}
	}
	raw, err := json.Marshal(event)
	if err != nil {
		d.t.Fatal(err)
	}
	return raw
}
