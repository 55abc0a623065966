package platform

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync/atomic"
)

// Channel carries wake-ups inside one process, where a cloud has a queue. It never blocks its senders: when it
// is full, wake-ups are dropped, because the timer finds what they stood for a moment later.
type Channel struct {
	messages chan Message
	dropped  atomic.Uint64
}

// NewChannel returns a channel that holds up to size wake-ups; below 1 means 1024.
func NewChannel(size int) *Channel {
	if size < 1 {
		size = 1024
	}
	return &Channel{messages: make(chan Message, size)}
}

// Wake enqueues each body as one message. It always succeeds; see [Channel.Dropped] for what did not fit. The
// bodies are copied.
func (c *Channel) Wake(_ context.Context, bodies [][]byte) error {
	for _, body := range bodies {
		select {
		case c.messages <- Message{ID: rand.Text(), Body: bytes.Clone(body)}:
		default:
			c.dropped.Add(1)
		}
	}
	return nil
}

// Dropped returns how many wake-ups found the channel full since the start of the process.
func (c *Channel) Dropped() uint64 {
	if c == nil {
		return 0
	}
	return c.dropped.Load()
}
