package platformtest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// SCFAPI is Tencent's cloud API as far as invoking functions asynchronously goes. Signatures are verified
// (cloud.tencent.com/document/api/583/33846, TC3-HMAC-SHA256) against the secret key "fake", which the fakes
// of SCF's runtimes give to their functions.
type SCFAPI struct {
	// Endpoint is the base URL for the client.
	Endpoint string

	functions map[string]Runtime
	running   sync.WaitGroup

	mu     sync.Mutex
	faults []string
	calls  []SCFCall
}

// SCFCall is one accepted asynchronous invocation.
type SCFCall struct {
	Function, Namespace, Qualifier string
	Region, SecretID, Token        string
	Event                          string
}

// retries is how often SCF repeats an asynchronous invocation that failed.
const retries = 2

// NewSCFAPI returns the API on a loopback address. functions are the functions by name; an invocation of one
// that is nil is only noted.
func NewSCFAPI(t testing.TB, functions map[string]Runtime) *SCFAPI {
	a := &SCFAPI{functions: functions}
	server := httptest.NewServer(http.HandlerFunc(a.handle))
	t.Cleanup(server.Close)
	t.Cleanup(a.Wait)
	a.Endpoint = server.URL
	return a
}

// FailCalls makes the next n calls fail with an error code, as "InternalError"; the code "cut" cuts the
// connection instead.
func (a *SCFAPI) FailCalls(n int, code string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range n {
		a.faults = append(a.faults, code)
	}
}

// Calls returns the invocations accepted so far, in the order of their arrival.
func (a *SCFAPI) Calls() []SCFCall {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]SCFCall(nil), a.calls...)
}

// Wait returns when every invocation accepted so far has come to its end.
func (a *SCFAPI) Wait() { a.running.Wait() }

func (a *SCFAPI) handle(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	answer := func(response map[string]any) {
		response["RequestId"] = "00000000-0000-4000-8000-000000000000"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"Response": response}) // a client that has gone away needs no answer
	}
	fail := func(code, message string) {
		answer(map[string]any{"Error": map[string]string{"Code": code, "Message": message}})
	}
	secretID, err := verifyTC3(r, body, "fake")
	if err != nil {
		fail("AuthFailure.SignatureFailure", err.Error())
		return
	}
	var input struct{ FunctionName, InvocationType, ClientContext, Namespace, Qualifier string }
	if err := json.Unmarshal(body, &input); err != nil || r.Header.Get("X-Tc-Action") != "Invoke" || r.Header.Get("X-Tc-Version") != "2018-04-16" || input.InvocationType != "Event" {
		fail("InvalidAction", "only asynchronous Invoke is known here")
		return
	}
	function, known := a.functions[input.FunctionName]
	switch {
	case !known:
		fail("ResourceNotFound.Function", "no such function")
		return
	case len(input.ClientContext) > 128<<10:
		fail("InvalidParameter.Payload", "the event is too large")
		return
	case !json.Valid([]byte(input.ClientContext)):
		fail("InvalidParameter.Payload", "the event is not JSON")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.faults) > 0 {
		code := a.faults[0]
		a.faults = a.faults[1:]
		if code == "cut" {
			panic(http.ErrAbortHandler)
		}
		fail(code, "by request of the test")
		return
	}
	a.calls = append(a.calls, SCFCall{
		Function: input.FunctionName, Namespace: input.Namespace, Qualifier: input.Qualifier,
		Region: r.Header.Get("X-Tc-Region"), SecretID: secretID, Token: r.Header.Get("X-Tc-Token"), Event: input.ClientContext,
	})
	if function != nil {
		a.running.Go(func() {
			for range 1 + retries {
				if _, err := function.Invoke(context.Background(), []byte(input.ClientContext)); err == nil {
					return
				}
			}
		})
	}
	answer(map[string]any{"Result": map[string]any{"FunctionRequestId": "00000000-0000-4000-8000-000000000001", "RetMsg": ""}})
}

// verifyTC3 checks a request's signature and returns the secret ID it was made with.
func verifyTC3(r *http.Request, body []byte, secretKey string) (secretID string, err error) {
	var scope, signature string
	for _, part := range strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "TC3-HMAC-SHA256 "), ", ") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "Credential":
			secretID, scope, _ = strings.Cut(value, "/")
		case "Signature":
			signature = value
		}
	}
	stamp := r.Header.Get("X-Tc-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "", fmt.Errorf("the timestamp %q is no number", stamp)
	}
	date := time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	if scope != date+"/scf/tc3_request" {
		return "", fmt.Errorf("the scope is %q", scope)
	}
	canonical := "POST\n/\n\ncontent-type:" + r.Header.Get("Content-Type") + "\nhost:" + r.Host + "\n\ncontent-type;host\n" + sha256Hex(body)
	toSign := "TC3-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + sha256Hex([]byte(canonical))
	key := hmacSHA256(hmacSHA256(hmacSHA256([]byte("TC3"+secretKey), date), "scf"), "tc3_request")
	if want := hex.EncodeToString(hmacSHA256(key, toSign)); signature != want {
		return "", errors.New("the signature is wrong")
	}
	return secretID, nil
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(data))
	return mac.Sum(nil)
}
