// Schedule is the tick: it finds what is due and wakes the workers. A timer invokes it every minute.
package main

import (
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

func main() {
	platform.Start("schedule", setup.Schedule)
}
