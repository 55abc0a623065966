//go:build !unix

package submsgbench_test

import "time"

// processTime is not known here; the cpu-µs figures are 0.
func processTime() time.Duration { return 0 }
