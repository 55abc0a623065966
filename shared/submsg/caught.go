package submsg

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// caught does a piece of work in a goroutine of its own, where nobody else would catch a panic: it would end the process,
// and with it everybody else's work under way. It becomes an error like any other, and the work stays due.
func (s *Service) caught(ctx context.Context, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = Panicked(v)
			s.Log.ErrorContext(ctx, "panic", "error", err, "stack", string(debug.Stack()))
		}
	}()
	return work()
}

// Panicked is what may be said of a recovered panic. A runtime error tells what was wrong without quoting data; of any other
// value it is the type alone, because code panics with whatever it has at hand.
func Panicked(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic with a %T", v)
}
