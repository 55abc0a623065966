package setup

import (
	"os"
	"time"

	"github.com/yuexin-dev/yuexin/shared/emf"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// newMetrics writes metrics into the log of a function, from where CloudWatch or CLS takes them. A process of one's own
// has none: its figures are on the console page.
func newMetrics(getenv func(string) string, now func() time.Time) submsg.Metrics {
	switch {
	case getenv("AWS_LAMBDA_FUNCTION_NAME") != "":
		return emf.New(os.Stdout, emf.CloudWatch, now)
	case getenv("SCF_FUNCTIONNAME") != "":
		return emf.New(os.Stdout, emf.Plain, now)
	}
	return nil
}

// flushMetrics writes what one invocation has counted.
func (w *Wired) flushMetrics() {
	gathered, ok := w.Service.Metrics.(*emf.Writer)
	if !ok {
		return
	}
	if err := gathered.Flush(); err != nil {
		w.Log.Warn("metrics could not be written", "error", err)
	}
}
