package httpapi

import (
	"context"
	"time"
)

// readyPatience bounds how long a check of health may take.
const readyPatience = 3 * time.Second

// healthz answers whether the process can serve. Why it cannot stands in the log: the answer goes to anybody.
func (a *api) healthz(c *call) (answer, error) {
	if a.Ready != nil {
		ctx, cancel := context.WithTimeout(c, readyPatience)
		defer cancel()
		if err := a.Ready(ctx); err != nil {
			p := fail(CodeUnavailable, "", "not ready: the store cannot be read; the log of this request id says why")
			p.cause = err
			return answer{}, p
		}
	}
	return ok(map[string]string{"status": "ready"})
}
