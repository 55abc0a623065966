package platform_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/platform"
)

// seen is what a function was handed.
type seen struct {
	Method, URL, Host, RemoteAddr, Body string
	Header                              map[string]string // values joined by " | "
	Messages                            []string          // "ID body"
	Ticks                               int
}

// recorder returns an App that notes what it is handed and answers with the given status and body.
func recorder(s *seen) platform.App {
	return platform.App{
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				s.Body = "unreadable: " + err.Error()
				return
			}
			s.Method, s.URL, s.Host, s.RemoteAddr, s.Body = r.Method, r.URL.String(), r.Host, r.RemoteAddr, string(body)
			if int64(len(body)) != r.ContentLength {
				s.Body = "of another length than announced: " + s.Body
			}
			s.Header = map[string]string{}
			for name, values := range r.Header {
				s.Header[name] = strings.Join(values, " | ")
			}
			w.WriteHeader(http.StatusAccepted)
		}),
		Timer: func(_ context.Context, now time.Time) error {
			if age := time.Since(now); age < 0 || age > time.Minute {
				return errTickTime
			}
			s.Ticks++
			return nil
		},
		Queue: func(_ context.Context, messages []platform.Message) ([]string, error) {
			for _, m := range messages {
				s.Messages = append(s.Messages, m.ID+" "+string(m.Body))
			}
			return nil, nil
		},
	}
}

const (
	openid   = "oABC-1d_efGHIjkLMnopQRstUVwx"
	getQuery = "signature=f464b24fc39322e44b38aa78f5edd27bd1441696&echostr=4375120948345356249&timestamp=1714036504&nonce=1514711492"
	pstQuery = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656&openid=" + openid
	pushPath = "/wechat/wx0123456789abcdef"
	appPath  = "/v1/apps/wx0123456789abcdef"

	popup = `{"ToUserName":"gh_0123456789ab","FromUserName":"` + openid + `","CreateTime":"1714037059","MsgType":"event",` +
		`"Event":"subscribe_msg_popup_event","List":{"TemplateId":"aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789_-abcde","SubscribeStatusString":"accept","PopupScene":"0"}}`
	sent = `<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[` + openid + `]]></FromUserName>` +
		`<CreateTime>1714037059</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe_msg_sent_event]]></Event>` +
		`<SubscribeMsgSentEvent><List><TemplateId><![CDATA[aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789_-abcde]]></TemplateId>` +
		`<MsgID>1864323726461255680</MsgID><ErrorCode>0</ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus></List></SubscribeMsgSentEvent></xml>`
	bill = `{"openid":"` + openid + `","template":"monthly_bill","data":{"time1":"2026年11月","amount2":"¥128.50"},"mode":"async"}`

	awsAPI     = "a1b2c3d4e5.execute-api.ap-southeast-1.amazonaws.com"
	awsURL     = "kf4x2o3yqdb7tfvq6l5w7a2mne0zjhsu.lambda-url.ap-southeast-1.on.aws"
	scfURL     = "1250000000-ab12cd34ef.ap-guangzhou.tencentscf.com"
	scfGateway = "service-0a1b2c3d-1250000000.gz.apigw.tencentcs.com"

	wakeSends = `{"keys":[["send#wx0123456789abcdef#s_01HZX3M8Q4","-"],["send#wx0123456789abcdef#s_01HZX3M8Q5","-"]]}`
	wakeJob   = `{"keys":[["job#wx0123456789abcdef#bill-reminder#1793232000000","0003"]]}`
	poison    = `{"keys":`
)

// awsHeaders and its siblings are the headers that each gateway adds to every sample.
func awsHeaders(clientIP string, more ...string) map[string]string {
	return withHeaders(map[string]string{
		"X-Amzn-Trace-Id": "Root=1-6720c3d1-0f1e2d3c4b5a69788796a5b4", "X-Forwarded-For": clientIP,
		"X-Forwarded-Port": "443", "X-Forwarded-Proto": "https",
	}, more)
}

func scfURLHeaders(clientIP string, more ...string) map[string]string {
	return withHeaders(map[string]string{
		"X-Scf-Remote-Addr": clientIP, "X-Scf-Request-Id": "3d5c9a70-5bd3-4b0c-9d4e-7a2f1c6b8e90",
	}, more)
}

func gatewayHeaders(more ...string) map[string]string {
	return withHeaders(map[string]string{
		"X-Api-Requestid": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "X-Qualifier": "$LATEST", "X-Client-Proto": "https",
	}, more)
}

func withHeaders(headers map[string]string, more []string) map[string]string {
	for i := 0; i < len(more); i += 2 {
		headers[more[i]] = more[i+1]
	}
	return headers
}

var backend = []string{"Accept", "application/json", "Authorization", "Bearer sample-key", "User-Agent", "shop-backend/1.4"}

// samples says what each file of events/ must arrive as. Query strings that a gateway took apart come back
// sorted by name.
var samples = map[string]seen{
	"aws/grant.httpapi.push-get.json": {
		Method: "GET", URL: "https://" + awsAPI + pushPath + "?" + getQuery, Host: awsAPI, RemoteAddr: "101.226.103.61:0",
		Header: awsHeaders("101.226.103.61", "User-Agent", "Mozilla/4.0"),
	},
	"aws/grant.httpapi.push-post.json": {
		Method: "POST", URL: "https://" + awsAPI + pushPath + "?" + pstQuery, Host: awsAPI, RemoteAddr: "101.226.103.61:0", Body: popup,
		Header: awsHeaders("101.226.103.61", "User-Agent", "Mozilla/4.0", "Content-Type", "application/json"),
	},
	"aws/grant.httpapi.push-post-base64.json": {
		Method: "POST", URL: "https://" + awsAPI + pushPath + "?" + pstQuery, Host: awsAPI, RemoteAddr: "101.226.103.61:0", Body: sent,
		Header: awsHeaders("101.226.103.61", "User-Agent", "Mozilla/4.0", "Content-Type", "text/xml"),
	},
	"aws/grant.functionurl.push-get.json": {
		Method: "GET", URL: "https://" + awsURL + pushPath + "?" + getQuery, Host: awsURL, RemoteAddr: "101.226.103.61:0",
		Header: awsHeaders("101.226.103.61", "User-Agent", "Mozilla/4.0"),
	},
	"aws/grant.functionurl.push-post-base64.json": {
		Method: "POST", URL: "https://" + awsURL + pushPath + "?" + pstQuery, Host: awsURL, RemoteAddr: "101.226.103.61:0", Body: sent,
		Header: awsHeaders("101.226.103.61", "User-Agent", "Mozilla/4.0", "Content-Type", "text/xml"),
	},
	"aws/send.httpapi.create.json": {
		Method: "POST", URL: "https://" + awsAPI + appPath + "/sends", Host: awsAPI, RemoteAddr: "203.0.113.7:0", Body: bill,
		Header: awsHeaders("203.0.113.7", append(backend, "Content-Type", "application/json", "Idempotency-Key", "bill-2026-11-10086")...),
	},
	"aws/send.functionurl.create.json": {
		Method: "POST", URL: "https://" + awsURL + appPath + "/sends", Host: awsURL, RemoteAddr: "[2001:db8::7]:0", Body: bill,
		Header: awsHeaders("2001:db8::7", append(backend, "Content-Type", "application/json; charset=utf-8", "Idempotency-Key", "bill-2026-11-10087")...),
	},
	"aws/manage.httpapi.schedules.json": {
		Method: "GET", URL: "https://" + awsAPI + appPath + "/schedules?limit=20&state=active", Host: awsAPI, RemoteAddr: "203.0.113.7:0",
		Header: awsHeaders("203.0.113.7", append(backend, "Cookie", "theme=dark; lang=zh-CN")...),
	},
	"aws/manage.functionurl.console.json": {
		Method: "GET", URL: "https://" + awsURL + "/console", Host: awsURL, RemoteAddr: "203.0.113.9:0",
		Header: awsHeaders("203.0.113.9", "Accept", "text/html", "User-Agent", "Mozilla/5.0"),
	},
	"aws/schedule.eventbridge.rule.json":      {Ticks: 1},
	"aws/schedule.eventbridge.scheduler.json": {Ticks: 1},
	"aws/deliver.sqs.one.json":                {Messages: []string{"059f36b4-87a3-44ab-83d2-661975830a7d " + wakeSends}},
	"aws/deliver.sqs.batch.json": {Messages: []string{
		"059f36b4-87a3-44ab-83d2-661975830a7d " + wakeSends,
		"2e1424d4-f796-459a-8184-9c92662be6da " + poison,
		"c80e8021-a70a-42c7-a470-796e1186f753 " + wakeJob,
	}},

	"scf/grant.functionurl.push-get.json": {
		Method: "GET", Host: scfURL, RemoteAddr: "101.226.103.61:0",
		URL:    "https://" + scfURL + pushPath + "?echostr=4375120948345356249&nonce=1514711492&signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504",
		Header: scfURLHeaders("101.226.103.61", "User-Agent", "Mozilla/4.0"),
	},
	"scf/grant.functionurl.push-post.json": {
		Method: "POST", Host: scfURL, RemoteAddr: "101.226.103.61:0", Body: popup,
		URL:    "https://" + scfURL + pushPath + "?nonce=486452656&openid=" + openid + "&signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059",
		Header: scfURLHeaders("101.226.103.61", "User-Agent", "Mozilla/4.0", "Content-Type", "application/json"),
	},
	"scf/grant.apigateway.push-get.json": {
		Method: "GET", Host: scfGateway, RemoteAddr: "101.226.103.61:0",
		URL:    "https://" + scfGateway + pushPath + "?echostr=4375120948345356249&nonce=1514711492&signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504",
		Header: gatewayHeaders("User-Agent", "Mozilla/4.0"),
	},
	"scf/grant.apigateway.push-post-base64.json": {
		Method: "POST", Host: scfGateway, RemoteAddr: "101.226.103.61:0", Body: sent,
		URL:    "https://" + scfGateway + pushPath + "?nonce=486452656&openid=" + openid + "&signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059",
		Header: gatewayHeaders("User-Agent", "Mozilla/4.0", "Content-Type", "text/xml"),
	},
	"scf/send.functionurl.create.json": {
		Method: "POST", URL: "https://" + scfURL + appPath + "/sends", Host: scfURL, RemoteAddr: "203.0.113.7:0", Body: bill,
		Header: scfURLHeaders("203.0.113.7", append(backend, "Content-Type", "application/json", "Idempotency-Key", "bill-2026-11-10086")...),
	},
	"scf/manage.functionurl.schedules.json": {
		Method: "GET", URL: "https://" + scfURL + appPath + "/schedules?limit=20&state=active", Host: scfURL, RemoteAddr: "203.0.113.7:0",
		Header: scfURLHeaders("203.0.113.7", backend...),
	},
	"scf/manage.apigateway.schedules.json": {
		Method: "GET", URL: "https://" + scfGateway + appPath + "/schedules?limit=20&state=active&state=paused&verbose=", Host: scfGateway, RemoteAddr: "203.0.113.7:0",
		Header: gatewayHeaders(backend...),
	},
	"scf/schedule.timer.tick.json":    {Ticks: 1},
	"scf/deliver.ckafka.batch.json":   {Messages: []string{"yuexin-wakeups/1/41 " + wakeSends, "yuexin-wakeups/1/42 " + poison, "yuexin-wakeups/1/43 " + wakeJob}},
	"scf/deliver.cmq.tag-text.json":   {Messages: []string{"7881299347947 " + wakeSends}},
	"scf/deliver.cmq.tag-list.json":   {Messages: []string{"7881299347948 " + wakeJob}},
	"scf/deliver.invoke.wakeups.json": {Messages: []string{"0 " + wakeSends, "1 " + wakeJob}},
	"scf/deliver.invoke.by-hand.json": {Messages: []string{"0 " + wakeSends}},
}

func TestEverySampleEventArrivesAsWhatItSays(t *testing.T) {
	for name, want := range samples {
		t.Run(name, func(t *testing.T) {
			var got seen
			answer, err := recorder(&got).Invoke(t.Context(), readSample(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the event arrived otherwise (-want +got):\n%s", diff)
			}
			checkAnswer(t, name, want, answer)
		})
	}
}

// checkAnswer checks that the source of the sample is answered in its own form.
func checkAnswer(t *testing.T, name string, want seen, answer []byte) {
	t.Helper()
	switch {
	case want.Method != "":
		var response struct {
			StatusCode int
			Headers    map[string]string
			Body       *string
		}
		if err := json.Unmarshal(answer, &response); err != nil || response.StatusCode != http.StatusAccepted || response.Headers == nil || response.Body == nil {
			t.Errorf("the answer %s is not one for a gateway: %v", answer, err)
		}
	case strings.Contains(name, ".sqs."):
		if string(answer) != `{"batchItemFailures":[]}` {
			t.Errorf("the answer is %s, want no batch item failures", answer)
		}
	default:
		if string(answer) != "null" {
			t.Errorf("the answer is %s, want null", answer)
		}
	}
}

func TestEverySampleFileIsReadByATest(t *testing.T) {
	var files []string
	for _, cloud := range []string{"aws", "scf"} {
		found, err := filepath.Glob(filepath.Join(samplesFolder, cloud, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			files = append(files, cloud+"/"+filepath.Base(file))
		}
	}
	slices.Sort(files)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(samples)), files); diff != "" {
		t.Errorf("expectations (-) and files (+) differ:\n%s", diff)
	}
}

const samplesFolder = "../../events"

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	payload, err := os.ReadFile(filepath.Join(samplesFolder, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return payload
}
