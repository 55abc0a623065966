//go:build !tencentonly

package setup

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/yuexin-dev/yuexin/shared/platformtest"
)

// heard is what a service was asked.
type heard struct {
	Method, Path, Target, ContentType, Scope string // Scope is that of the signature: date left out
	Body                                     any
	Session                                  string
}

// service answers every request alike and notes what it heard.
type service struct {
	url string

	mu    sync.Mutex
	heard []heard
}

func newService(t *testing.T, answer string) *service {
	s := &service{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h := heard{Method: r.Method, Path: r.URL.Path, Target: r.Header.Get("X-Amz-Target"), ContentType: r.Header.Get("Content-Type"), Session: r.Header.Get("X-Amz-Security-Token")}
		if err := json.Unmarshal(raw, &h.Body); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		scope, _, _ = strings.Cut(scope, ",")
		if parts := strings.Split(scope, "/"); len(parts) == 5 {
			h.Scope = parts[0] + " " + strings.Join(parts[2:], "/")
		}
		s.mu.Lock()
		s.heard = append(s.heard, h)
		s.mu.Unlock()
		_, _ = io.WriteString(w, answer) // a client that has gone needs none
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func environment(more map[string]string) func(string) string {
	all := map[string]string{"AWS_REGION": "ap-southeast-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key", "AWS_SESSION_TOKEN": "session"}
	for name, value := range more {
		all[name] = value
	}
	return func(name string) string { return all[name] }
}

// The calls are written by hand. For SQS the SDK says what is right: the service must hear the same from both. For the two
// others it is the API reference (docs.aws.amazon.com: GetParameter, GetSecretValue), whose samples are what is wanted here.
func TestAServiceHearsWhatIsDocumented(t *testing.T) {
	const answer = `{"Parameter":{"Value":"the secret"},"SecretString":"the secret"}`
	tests := map[string]struct {
		variable string
		want     heard
	}{
		"ssm": {"AWS_ENDPOINT_URL_SSM", heard{
			Method: "POST", Path: "/", Target: "AmazonSSM.GetParameter", ContentType: "application/x-amz-json-1.1",
			Scope: "AKID ap-southeast-1/ssm/aws4_request", Session: "session", Body: map[string]any{"Name": "/yuexin/x", "WithDecryption": true},
		}},
		"secretsmanager": {"AWS_ENDPOINT_URL_SECRETS_MANAGER", heard{
			Method: "POST", Path: "/", Target: "secretsmanager.GetSecretValue", ContentType: "application/x-amz-json-1.1",
			Scope: "AKID ap-southeast-1/secretsmanager/aws4_request", Session: "session", Body: map[string]any{"SecretId": "/yuexin/x"},
		}},
	}
	for kind, test := range tests {
		t.Run(kind, func(t *testing.T) {
			s := newService(t, answer)
			c := &clouds{getenv: environment(map[string]string{test.variable: s.url})}
			if value, err := c.secrets()[kind](t.Context(), "/yuexin/x"); value != "the secret" || err != nil {
				t.Fatalf("got %q, %v", value, err)
			}
			if diff := cmp.Diff([]heard{test.want}, s.heard); diff != "" {
				t.Errorf("(-want +heard):\n%s", diff)
			}
		})
	}
	t.Run("sqs", func(t *testing.T) {
		s := newService(t, `{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"900150983cd24fb0d6963f7d28e17f72"}]}`)
		c := &clouds{getenv: environment(nil)}
		queue, err := c.amazon.queue(c, QueueConfig{}, s.url+"/1/wake")
		if err != nil {
			t.Fatal(err)
		}
		if err := queue.Wake(t.Context(), [][]byte{[]byte("abc")}); err != nil {
			t.Fatal(err)
		}
		sdk := sqs.New(sqs.Options{Region: "ap-southeast-1", BaseEndpoint: &s.url, Credentials: credentials.NewStaticCredentialsProvider("AKID", "key", "session")})
		if _, err := sdk.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{
			QueueUrl: aws.String(s.url + "/1/wake"), Entries: []types.SendMessageBatchRequestEntry{{Id: aws.String("0"), MessageBody: aws.String("abc")}},
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.heard[1], s.heard[0]); diff != "" {
			t.Errorf("(-SDK +own):\n%s", diff)
		}
	})
}

func TestAnSQSCallReportsWhatWasNotAccepted(t *testing.T) {
	queue := platformtest.NewSQS(t)
	queue.RefuseFirstEntry(1, false)
	c := &clouds{getenv: environment(nil)}
	sender, err := c.amazon.queue(c, QueueConfig{}, queue.QueueURL)
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Wake(t.Context(), [][]byte{[]byte("first"), []byte("second")}); err != nil {
		t.Fatal(err)
	}
	if got := queue.Bodies(); len(got) != 2 || queue.Calls() != 2 {
		t.Errorf("%d calls brought %q, want both in two calls", queue.Calls(), got)
	}
}

// scripted is a service in process: each answer in turn, the last for ever.
type scripted struct {
	answers []func() (*http.Response, error)
	calls   []time.Duration
	began   time.Time
}

func (s *scripted) Do(*http.Request) (*http.Response, error) {
	s.calls = append(s.calls, time.Since(s.began))
	next := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return next()
}

func answers(status int, body string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func cut() (*http.Response, error) { return nil, errors.New("connection reset") }

func TestACallIsMadeAgainWhereThatMayHelp(t *testing.T) {
	fine := answers(200, `{"ok":true}`)
	tests := map[string]struct {
		answers []func() (*http.Response, error)
		calls   int
		want    string // in the error; "" for success
	}{
		"success":                    {[]func() (*http.Response, error){fine}, 1, ""},
		"throttling":                 {[]func() (*http.Response, error){answers(400, `{"__type":"com.amazonaws.ssm#ThrottlingException","message":"Rate exceeded"}`), fine}, 2, ""},
		"a failure of the service's": {[]func() (*http.Response, error){answers(503, "<html>"), answers(500, ""), fine}, 3, ""},
		"a connection that broke":    {[]func() (*http.Response, error){cut, fine}, 2, ""},
		"a failure that lasts":       {[]func() (*http.Response, error){answers(503, "")}, 4, "answered 503"},
		"a refusal":                  {[]func() (*http.Response, error){answers(400, `{"__type":"ParameterNotFound","message":"no such"}`)}, 1, "ParameterNotFound: no such"},
		"an answer that is no JSON":  {[]func() (*http.Response, error){answers(200, "the secret")}, 4, "cannot be read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{answers: test.answers, began: time.Now()}
				c := &awsCaller{client: s, credentials: credentials.NewStaticCredentialsProvider("AKID", "key", ""), region: "cn-north-1", now: time.Now}
				var out struct{ OK bool }
				err := c.call(t.Context(), awsAction{service: "ssm", target: "AmazonSSM.GetParameter", version: "1.1"}, struct{}{}, &out)
				if len(s.calls) != test.calls {
					t.Errorf("%d calls, want %d", len(s.calls), test.calls)
				}
				switch {
				case test.want == "" && (err != nil || !out.OK):
					t.Errorf("got %+v, %v", out, err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "the secret")):
					t.Errorf("the error is %v, want %q", err, test.want)
				}
				if total := time.Since(s.began); total > 700*time.Millisecond {
					t.Errorf("it took %v, want 0.7 s at most", total)
				}
			})
		})
	}
}

func TestTryingAgainEndsWithTheCallersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
		defer cancel()
		s := &scripted{answers: []func() (*http.Response, error){answers(503, "")}, began: time.Now()}
		c := &awsCaller{client: s, credentials: credentials.NewStaticCredentialsProvider("AKID", "key", ""), region: "r", now: time.Now}
		err := c.call(ctx, awsAction{service: "ssm", version: "1.1"}, struct{}{}, &struct{}{})
		if err == nil || time.Since(s.began) > 100*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(s.began))
		}
	})
}

func TestWhereAServiceIs(t *testing.T) {
	tests := []struct{ region, endpoint, want string }{
		{"ap-southeast-1", "", "https://ssm.ap-southeast-1.amazonaws.com/"},
		{"cn-northwest-1", "", "https://ssm.cn-northwest-1.amazonaws.com.cn/"},
		{"ap-southeast-1", "https://vpce-1.ssm.example:8443/path", "https://vpce-1.ssm.example:8443/"},
	}
	for _, test := range tests {
		c := &awsCaller{region: test.region}
		if got, err := c.address(awsAction{service: "ssm", endpoint: test.endpoint}); got != test.want || err != nil {
			t.Errorf("in %s: %s, %v; want %s", test.region, got, err, test.want)
		}
	}
	for region, endpoint := range map[string]string{"": "", "r": "no URL"} {
		if got, err := (&awsCaller{region: region}).address(awsAction{service: "ssm", endpoint: endpoint}); err == nil {
			t.Errorf("region %q, endpoint %q: %s", region, endpoint, got)
		}
	}
}

func TestASecretThatCannotBeHadIsNamedWithWhatToDo(t *testing.T) {
	tests := map[string]string{
		`{"__type":"ParameterNotFound"}`: "/yuexin/x does not exist in this region and account; create it with aws ssm put-parameter",
		`{"__type":"com.amazonaws.ssm#AccessDeniedException:http://internal","message":"no"}`: "this function's role may not read /yuexin/x",
		`{"__type":"InternalServerError","message":"oh"}`:                                     "/yuexin/x: ssm answered 400 InternalServerError: oh",
	}
	for body, want := range tests {
		err := readAWSError("ssm", &http.Response{StatusCode: 400, Header: http.Header{}}, []byte(body))
		if got := named(err, "/yuexin/x", "aws ssm put-parameter"); got == nil || !strings.HasPrefix(got.Error(), want) {
			t.Errorf("%s: %v, want %q", body, got, want)
		}
	}
}

func TestWithoutCredentialsNothingIsAsked(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // no profile of whoever runs this
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s := newService(t, "{}")
	c := &clouds{getenv: func(name string) string {
		return map[string]string{"AWS_REGION": "r", "AWS_ENDPOINT_URL_SSM": s.url}[name]
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := c.secrets()["ssm"](ctx, "x"); err == nil || len(s.heard) > 0 {
		t.Errorf("got %v after %d calls", err, len(s.heard))
	}
}
