// Deliver does the work that is due: waiting sends, verdicts, fan-out jobs. A queue invokes it.
package main

import (
	"github.com/yuexin-dev/yuexin/shared/platform"
	"github.com/yuexin-dev/yuexin/shared/setup"
)

func main() {
	platform.Start("deliver", setup.Deliver)
}
