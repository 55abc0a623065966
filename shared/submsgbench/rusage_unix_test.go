//go:build unix

package submsgbench_test

import (
	"syscall"
	"time"
)

// processTime is the processor time that this process has used, on all processors, the kernel's share included.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
