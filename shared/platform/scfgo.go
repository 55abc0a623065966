//go:build !noscfgo

package platform

import (
	"context"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"
)

// serveSCFGo hands over to scf-go-lib, which serves net/rpc and sets the environment at each invocation.
func serveSCFGo(b *builder) error {
	b.closeOnSIGTERM()
	cloudfunction.StartHandler(scfGoHandler{b})
	return errEnded
}

type scfGoHandler struct{ b *builder }

// Invoke implements cloudfunction.Handler.
func (h scfGoHandler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var requestID string
	limit := scfDefaultLimit
	if fc, ok := functioncontext.FromContext(ctx); ok {
		requestID = fc.RequestID
		if fc.TimeLimitInMs > 0 {
			limit = time.Duration(fc.TimeLimitInMs) * time.Millisecond
		}
	}
	// scf-go-lib makes a deadline of whatever it is sent. One that was left at zero lies in 1970 and would
	// end every invocation before it begins.
	if deadline, ok := ctx.Deadline(); !ok || deadline.Unix() <= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
	}
	return h.b.invoke(ctx, requestID, payload)
}
