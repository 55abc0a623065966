package setup

import (
	"fmt"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// A program carries what its cloud needs, and nothing of the other one: the build tag awsonly leaves out the Redis and
// embedded stores and Tencent's SDK, tencentonly the embedded store and AWS's. Without a tag everything is in.
// docs/adr/0005-one-source-two-bundles.md has the figures. This file is in every build; what differs is in
//
//	aws.go awscall.go awsqueue.go         unless tencentonly;     otherwise aws_absent.go
//	tencent.go                            unless awsonly;         otherwise tencent_absent.go
//	machine.go                            where there is no tag;  otherwise machine_absent.go, machine_absent_aws.go

// clouds opens what a cloud provides. Nothing is asked of the network, and nothing is made, before it is needed.
type clouds struct {
	getenv func(string) string
	amazon amazon
}

// absentError says that the program was built without something that the configuration asks for.
type absentError struct{ what, tag string } //nolint:unused // of the builds that leave a cloud out

func (e *absentError) Error() string { //nolint:unused // see above
	return fmt.Sprintf("%s is not part of this program, which was built with -tags %s; build it without the tag, or change the configuration", e.what, e.tag)
}

// secrets are the kinds of references that a cloud resolves.
func (c *clouds) secrets() map[string]remote { return c.amazon.secrets(c) }

// dynamo opens the DynamoDB store.
func (c *clouds) dynamo(s StoreConfig, now func() time.Time) (submsg.Store, error) {
	return c.amazon.dynamo(c, s, now)
}

// openQueue returns what carries wake-ups between functions, or nil where none is named: the tick then does the work
// that it finds, which is also right for a function that wakes nobody.
func (c *Config) openQueue(clouds *clouds) (Sender, error) {
	q := c.Queue
	address, function := q.URL, q.Function
	if address == "" {
		address = clouds.getenv("YUEXIN_QUEUE_URL")
	}
	if function == "" {
		function = clouds.getenv("YUEXIN_DELIVER_FUNCTION")
	}
	kind := q.Kind
	if kind == "" {
		switch {
		case address != "":
			kind = "sqs"
		case function != "":
			kind = "scf"
		}
	}
	switch {
	case kind == "sqs" && address != "":
		return clouds.amazon.queue(clouds, q, address)
	case kind == "scf" && function != "":
		return openSCF(q, function, clouds.getenv)
	}
	return nil, nil
}

// region is where an AWS service is asked for; "" where nobody says.
func (c *clouds) region(configured string) string {
	for _, r := range []string{configured, c.getenv("AWS_REGION"), c.getenv("AWS_DEFAULT_REGION")} {
		if r != "" {
			return r
		}
	}
	return ""
}
