package platform

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Names of the environment variables by which a runtime makes itself known.
const (
	envSCFGo         = "_LAMBDA_SERVER_PORT"
	envSCFCustom     = "SCF_RUNTIME_API"
	envSCFCustomPort = "SCF_RUNTIME_API_PORT"
	envLambda        = "AWS_LAMBDA_RUNTIME_API"
)

// Start serves one function on the cloud that the process finds itself on and does not return. name is the
// function's own ("send"), used in logs and errors.
//
// The environment says where it is. SCF's Go runtime is looked for first: scf-go-lib descends from Lambda's
// first Go runtime and took over the name of its variable.
//
//	_LAMBDA_SERVER_PORT                      SCF, Go runtime
//	SCF_RUNTIME_API or SCF_RUNTIME_API_PORT  SCF, custom runtime
//	AWS_LAMBDA_RUNTIME_API                   Lambda, provided.al2023 (build with -tags lambda.norpc)
//
// With none of them the process ends with one line that says so and exit code 1. The build tag noscfgo leaves
// SCF's Go runtime out of a binary that will never meet it, which makes it a good deal smaller.
//
// build is called once, at the first invocation: SCF's Go runtime sets the environment no sooner, and elsewhere the
// process is ready for its event that much earlier. A failure fails the invocation with its reason, and the next one
// tries again.
func Start(name string, build Build) {
	err := start(newBuilder(name, build, os.Getenv))
	fmt.Fprintln(os.Stderr, strings.ReplaceAll(err.Error(), "\n", "; "))
	os.Exit(1)
}

// start runs the loop of the runtime at hand; it returns only because of an error.
func start(b *builder) error {
	switch {
	case b.getenv(envSCFGo) != "":
		return serveSCFGo(b)
	case b.getenv(envSCFCustom) != "" || b.getenv(envSCFCustomPort) != "":
		return serveSCFCustom(b)
	case b.getenv(envLambda) != "":
		return serveLambda(b)
	}
	return fmt.Errorf("platform: function %s runs on Tencent SCF (which sets %s, or %s) or on AWS Lambda (which sets %s), and none of these variables is set; to run everything on this machine use the standalone program",
		b.name, envSCFGo, envSCFCustom, envLambda)
}

// errEnded reports a runtime loop that came back.
var errEnded = errors.New("platform: the runtime's loop ended, which it should not")
