package setup

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Sender carries wake-ups: an SQS queue, an asynchronous invocation, or a channel of this process.
type Sender interface {
	Wake(ctx context.Context, bodies [][]byte) error
}

// sendsPerWake is how many sends one wake-up names; a job has one of its own.
const sendsPerWake = 10

// wakeup is the body of a wake-up: the keys of records that are due.
type wakeup struct {
	Keys [][2]string `json:"keys"`
}

// waker announces due records over a Sender.
type waker struct{ to Sender }

// Wake groups the keys into as few bodies as a worker can do in good time.
func (w *waker) Wake(ctx context.Context, keys []submsg.Key) error {
	var bodies [][]byte
	var group wakeup
	flush := func() {
		if len(group.Keys) > 0 {
			body, _ := json.Marshal(group) // strings only: it cannot fail
			bodies = append(bodies, body)
			group = wakeup{}
		}
	}
	for _, k := range keys {
		pair := [2]string{k.Partition, k.Sort}
		if submsg.IsJob(k) {
			body, _ := json.Marshal(wakeup{Keys: [][2]string{pair}})
			bodies = append(bodies, body)
			continue
		}
		if group.Keys = append(group.Keys, pair); len(group.Keys) == sendsPerWake {
			flush()
		}
	}
	flush()
	if len(bodies) == 0 {
		return nil
	}
	return w.to.Wake(ctx, bodies)
}

// queue is the deliver function's handler: it works on what each message names, and returns those messages of which
// something failed for now.
func queue(s *submsg.Service) func(context.Context, []platform.Message) ([]string, error) {
	return func(ctx context.Context, messages []platform.Message) ([]string, error) {
		type owner struct {
			key submsg.Key
			id  string
		}
		var keys []submsg.Key
		var owners []owner
		for _, m := range messages {
			var body wakeup
			if err := json.Unmarshal(m.Body, &body); err != nil {
				// Delivered again it would be no better; the tick finds whatever it stood for.
				s.Log.ErrorContext(ctx, "wake-up that cannot be read is dropped", "message", m.ID, "error", fmt.Sprint(err))
				continue
			}
			for _, pair := range body.Keys {
				k := submsg.Key{Partition: pair[0], Sort: pair[1]}
				keys = append(keys, k)
				owners = append(owners, owner{k, m.ID})
			}
		}
		failedKeys := map[submsg.Key]bool{}
		for _, k := range s.Deliver(ctx, keys) {
			failedKeys[k] = true
		}
		var failed []string
		told := map[string]bool{}
		for _, o := range owners {
			if failedKeys[o.key] && !told[o.id] {
				told[o.id] = true
				failed = append(failed, o.id)
			}
		}
		return failed, nil
	}
}
