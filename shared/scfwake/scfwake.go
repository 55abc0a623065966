// Package scfwake sends wake-ups by invoking a Tencent SCF function asynchronously, where AWS has a queue.
//
// A wake-up says that something in the table is due now; the table itself is the truth. Sending is therefore
// best effort: a wake-up that is lost costs latency until the next tick, and one that arrives twice costs
// nothing.
package scfwake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	scf "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/scf/v20180416"
	"golang.org/x/sync/errgroup"
)

// Environment variables that SCF gives a function with a role. The three credentials are temporary and change
// while a process lives.
const (
	envSecretID     = "TENCENTCLOUD_SECRETID"
	envSecretKey    = "TENCENTCLOUD_SECRETKEY"
	envSessionToken = "TENCENTCLOUD_SESSIONTOKEN"
	envRegion       = "TENCENTCLOUD_REGION"
)

const (
	// eventBytes is the size limit of an asynchronous invocation's event
	// (cloud.tencent.com/document/product/583/17243: 128 KB), with room for the envelope.
	eventBytes = 127 << 10
	// parallel is how many calls are under way at a time.
	parallel = 8
	// attempts is how often a call is made that failed for reasons of the platform's own.
	attempts = 3
	// callTimeout limits one call, in seconds. The answer comes as soon as the event is queued.
	callTimeout = 5
)

// Config says which function to wake.
type Config struct {
	Function  string // its name; required
	Namespace string // "" means SCF's own default
	Qualifier string // version or alias; "" means $LATEST

	// PerInvoke is how many wake-ups one invocation carries; 0 means 1. One lets SCF run all of them side
	// by side, which is what a fan-out over many jobs wants; more saves invocations.
	PerInvoke int

	// Region is where the function lives; "" means the region that TENCENTCLOUD_REGION names, which is
	// the caller's own.
	Region string
	// Endpoint is the API's base URL; "" means https://scf.tencentcloudapi.com.
	Endpoint string
	// Getenv reads an environment variable, at each call: see the package's variables.
	Getenv func(name string) string
}

// Sender wakes one function. It is safe for concurrent use.
type Sender struct {
	config Config
	client *scf.Client
}

// New returns a Sender, or an error that says what is missing in config.
func New(config Config) (*Sender, error) {
	if config.Function == "" {
		return nil, errors.New("scfwake: no function to wake is named")
	}
	if config.Region == "" {
		config.Region = config.Getenv(envRegion)
	}
	if config.Region == "" {
		return nil, errors.New("scfwake: no region: SCF sets " + envRegion + " for every function; elsewhere name the region in the configuration")
	}
	if config.PerInvoke < 1 {
		config.PerInvoke = 1
	}
	p := profile.NewClientProfile()
	p.HttpProfile.ReqTimeout = callTimeout
	if config.Endpoint != "" {
		endpoint, err := url.Parse(config.Endpoint)
		if err != nil || endpoint.Host == "" {
			return nil, fmt.Errorf("scfwake: the endpoint %q is not a URL such as https://scf.tencentcloudapi.com", config.Endpoint)
		}
		p.HttpProfile.Scheme = strings.ToUpper(endpoint.Scheme)
		p.HttpProfile.Endpoint = endpoint.Host
	}
	client, err := scf.NewClient(rotating{config.Getenv}, config.Region, p)
	if err != nil {
		return nil, fmt.Errorf("scfwake: %w", err)
	}
	return &Sender{config: config, client: client}, nil
}

// rotating reads the credentials anew for every signature.
type rotating struct{ getenv func(string) string }

func (r rotating) GetSecretId() string  { return r.getenv(envSecretID) }
func (r rotating) GetSecretKey() string { return r.getenv(envSecretKey) }
func (r rotating) GetToken() string     { return r.getenv(envSessionToken) }

func (r rotating) GetCredential() (id, key, token string) {
	return r.GetSecretId(), r.GetSecretKey(), r.GetToken()
}

// Wake sends the bodies, which must be UTF-8 text. The function receives them as {"wakeups":["…"]}.
//
// Calls that fail for reasons of the platform's own are made again, twice. The error says how many bodies were
// not accepted and why; one whose answer was lost counts as not accepted and may still arrive.
func (s *Sender) Wake(ctx context.Context, bodies [][]byte) error {
	if id, key, _ := (rotating{s.config.Getenv}).GetCredential(); id == "" || key == "" {
		return fmt.Errorf("scfwake: no credentials: %s and %s are not set; give the function a role that may invoke %s", envSecretID, envSecretKey, s.config.Function)
	}
	events, tooLarge := s.events(bodies)
	failures := make([]error, len(events))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, event := range events {
		group.Go(func() error {
			failures[i] = s.invoke(ctx, event.payload)
			return nil
		})
	}
	_ = group.Wait() // failures has them all
	unsent := tooLarge
	var reasons []error
	if tooLarge > 0 {
		reasons = append(reasons, fmt.Errorf("%d are not UTF-8 text or exceed %d bytes", tooLarge, eventBytes))
	}
	for i, err := range failures {
		if err != nil {
			unsent += events[i].bodies
			if len(reasons) < 3 { // the others say the same
				reasons = append(reasons, err)
			}
		}
	}
	if unsent == 0 {
		return nil
	}
	return fmt.Errorf("scfwake: %d of %d wake-ups were not accepted by the function %s; the timer finds what they stood for: %w",
		unsent, len(bodies), s.config.Function, errors.Join(reasons...))
}

type event struct {
	payload string
	bodies  int
}

// events groups the bodies into the events of as many invocations, and counts those that fit into none.
func (s *Sender) events(bodies [][]byte) (events []event, unfit int) {
	var group []string
	size := 0
	flush := func() {
		if len(group) == 0 {
			return
		}
		payload, err := json.Marshal(map[string][]string{"wakeups": group})
		if err != nil {
			panic("scfwake: a list of strings cannot fail to encode: " + err.Error())
		}
		events = append(events, event{string(payload), len(group)})
		group, size = nil, 0
	}
	for _, body := range bodies {
		quoted, err := json.Marshal(string(body))
		if err != nil || !utf8.Valid(body) || len(quoted) > eventBytes {
			unfit++
			continue
		}
		if len(group) == s.config.PerInvoke || size+len(quoted) > eventBytes {
			flush()
		}
		group = append(group, string(body))
		size += len(quoted) + 1
	}
	flush()
	return events, unfit
}

// invoke makes one asynchronous invocation.
func (s *Sender) invoke(ctx context.Context, payload string) (err error) {
	for attempt := 1; attempt <= attempts; attempt++ {
		if attempt > 1 {
			select {
			case <-time.After(time.Duration(attempt-1) * 100 * time.Millisecond):
			case <-ctx.Done():
				return errors.Join(err, context.Cause(ctx))
			}
		}
		request := scf.NewInvokeRequest()
		request.FunctionName = &s.config.Function
		request.ClientContext = &payload
		asynchronous := "Event"
		request.InvocationType = &asynchronous
		if s.config.Namespace != "" {
			request.Namespace = &s.config.Namespace
		}
		if s.config.Qualifier != "" {
			request.Qualifier = &s.config.Qualifier
		}
		_, err = s.client.InvokeWithContext(ctx, request)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.Join(err, context.Cause(ctx)) // the SDK's error hides its cause
		case !temporary(err):
			return err
		}
	}
	return err
}

// temporary reports whether a call may succeed when it is made again
// (cloud.tencent.com/document/api/583/17238, common error codes).
func temporary(err error) bool {
	var failure *tcerrors.TencentCloudSDKError
	if !errors.As(err, &failure) {
		return true // not an answer of the API at all
	}
	for _, prefix := range []string{"InternalError", "RequestLimitExceeded", "ClientError.NetworkError", "ClientError.HttpStatusCodeError", "ClientError.ParseJsonError"} {
		if strings.HasPrefix(failure.Code, prefix) {
			return true
		}
	}
	return false
}
