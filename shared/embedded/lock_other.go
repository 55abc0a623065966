//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package embedded

import (
	"os"
	"time"
)

// lock does nothing where there is no flock: bbolt locks the file in its own way when it has been
// checked. A file that another process is writing may then be called damaged instead of locked.
func lock(*os.File, time.Duration) error { return nil }
