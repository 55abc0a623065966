//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package embedded

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lock takes the exclusive lock that bbolt takes too; on one open file the two are the same lock. The
// kernel lets go of it when the process ends, in whatever way.
func lock(f *os.File, patience time.Duration) error {
	const pause = 20 * time.Millisecond
	for deadline := time.Now().Add(patience); ; time.Sleep(pause) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(deadline) {
			return ErrLocked
		}
	}
}
