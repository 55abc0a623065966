// Package platformtest runs deployed functions as their clouds run them, on one machine: fakes of Lambda's
// Runtime API, of SCF's Go runtime and of SCF's custom runtime start the real binary as a process of its own
// and speak the documented protocol with it. Around them stand fakes of what calls a function: HTTP gateways,
// an SQS queue with its redelivery, and SCF's asynchronous invoke.
//
// The fakes are written from the clouds' documentation and deliberately share no code with package platform,
// which they judge. They listen on loopback addresses only. For tests; nothing deployed imports this package.
package platformtest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Runtime is a function behind a fake of its platform.
type Runtime interface {
	// Invoke has the function handle one event and returns its answer. A function that failed gives a
	// *FunctionError. A process that has ended is started again first, as the clouds do.
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
	// Logs returns what the process and its predecessors wrote to standard output and standard error.
	Logs() string
	// Kill ends the process with SIGKILL, as a crash would, and waits for its end.
	Kill()
	// Terminate sends SIGTERM, waits for the process to end, and kills it after two seconds.
	Terminate()
}

// FunctionError is what a cloud reports of an invocation that failed.
type FunctionError struct {
	Type    string // "" where the platform knows none
	Message string
}

func (e *FunctionError) Error() string {
	if e.Type == "" {
		return "the function failed: " + e.Message
	}
	return fmt.Sprintf("the function failed: %s: %s", e.Type, e.Message)
}

// DefaultTimeout is the time limit of a function for which Timeout was not set.
const DefaultTimeout = 10 * time.Second

// Build compiles the main package pkg (an import path, or a folder as "./testdata/probe") the way it is
// deployed and returns the path of the binary, which lives as long as the test.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bootstrap")
	command := exec.Command("go", "build", "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w -buildid=", "-o", binary, pkg)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("platformtest: building %s: %v\n%s", pkg, err, out)
	}
	return binary
}

// child is the function's process. It is started on demand and again after it has ended.
type child struct {
	binary string
	env    []string
	ended  func(state string) // called after the process has ended, before it may be started again

	mu      sync.Mutex
	command *exec.Cmd     // nil while none runs
	done    chan struct{} // closed when command has ended
	logs    logBuffer
}

func newChild(t testing.TB, binary string, env map[string]string, own ...string) *child {
	// Nothing of the developer's environment but what a process needs to run at all: a function that works
	// only because of a variable in somebody's shell must fail here.
	c := &child{binary: binary, env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, own...)}
	for name, value := range env {
		c.env = append(c.env, name+"="+value)
	}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		c.env = append(c.env, "GOCOVERDIR="+dir)
	}
	t.Cleanup(func() {
		c.Kill()
		if t.Failed() {
			t.Logf("platformtest: what %s wrote:\n%s", filepath.Base(binary), c.Logs())
		}
	})
	return c
}

// ensure starts the process where none runs.
func (c *child) ensure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.command != nil {
		return nil
	}
	command := exec.Command(c.binary)
	command.Env = c.env
	command.Stdout = &c.logs
	command.Stderr = &c.logs
	if err := command.Start(); err != nil {
		return fmt.Errorf("platformtest: starting the function: %w", err)
	}
	done := make(chan struct{})
	c.command, c.done = command, done
	go func() {
		_ = command.Wait() // how it ended is in its state
		c.mu.Lock()
		c.command = nil
		if c.ended != nil {
			c.ended(command.ProcessState.String())
		}
		c.mu.Unlock()
		close(done)
	}()
	return nil
}

// stop signals the process, if there is one, and waits for its end.
func (c *child) stop(signal os.Signal) {
	c.mu.Lock()
	command, done := c.command, c.done
	c.mu.Unlock()
	if command == nil {
		return
	}
	_ = command.Process.Signal(signal) // an error means that it has just ended
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		_ = command.Process.Kill()
		<-done
	}
}

// Kill implements Runtime.
func (c *child) Kill() { c.stop(syscall.SIGKILL) }

// Terminate implements Runtime.
func (c *child) Terminate() { c.stop(syscall.SIGTERM) }

// Logs implements Runtime.
func (c *child) Logs() string { return c.logs.String() }

// logBuffer collects output from several writers.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Setenv adds a variable to the environment in which the next process starts.
func (c *child) Setenv(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.env = append(c.env, name+"="+value)
}
