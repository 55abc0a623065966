// Package redistest gives tests real redis-servers of their own, alone or as a cluster, which they can kill,
// and start again. Only tests import it.
package redistest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// startTimeout is how long a server may take to answer, and a cluster to agree; 0.1 s and 2 s are usual.
const startTimeout = 20 * time.Second

// Server is a running redis-server, whose data are in a directory of the test's. It keeps an append-only
// file and syncs it before every answer.
type Server struct {
	Addr string // host:port; the same after Restart

	t       testing.TB
	dir     string
	args    []string
	process *exec.Cmd
}

// Start starts a server that ends with the test, with further arguments for redis-server. Without
// redis-server the test is skipped; where the environment variable CI is set it fails instead.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const missing = "redis-server is not installed: on Debian, apt-get install redis-server"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	s := &Server{Addr: "127.0.0.1:" + FreePort(t), t: t, dir: t.TempDir(), args: args}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// URL is the server's address as store.url has it.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Restart starts the server again after Kill, on the same port and data.
func (s *Server) Restart() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "redis.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	_, port, _ := net.SplitHostPort(s.Addr)
	s.process = exec.Command("redis-server", append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
		"--repl-diskless-sync-delay", "0", // or a replica waits five seconds for others to join it
	}, s.args...)...)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("starting redis-server: %v", err)
	}
	s.wait("PONG", func() string { return s.do("PING") }, func() string {
		text, _ := os.ReadFile(log.Name())
		return string(text)
	})
}

// Kill ends the server the hard way (SIGKILL).
func (s *Server) Kill() {
	if s.process.ProcessState == nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	}
}

// Do runs one command and returns its answer as text.
func (s *Server) Do(args ...any) string {
	s.t.Helper()
	client := s.client()
	defer client.Close()
	text, err := client.Do(s.t.Context(), args...).Text()
	if err != nil {
		s.t.Fatalf("%v on %s: %v", args[0], s.Addr, err)
	}
	return text
}

// WaitFor runs a command until its answer contains want.
func (s *Server) WaitFor(want string, args ...any) {
	s.t.Helper()
	s.wait(want, func() string { return s.do(args...) }, func() string { return "" })
}

func (s *Server) wait(want string, ask, more func() string) {
	s.t.Helper()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		got := ask()
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s does not say %q after %v, but: %s\n%s", s.Addr, want, startTimeout, got, more())
		}
	}
}

// do runs one command and returns its answer or its error as text.
func (s *Server) do(args ...any) string {
	client := s.client()
	defer client.Close()
	result, err := client.Do(s.t.Context(), args...).Text()
	if err != nil {
		return err.Error()
	}
	return result
}

func (s *Server) client() *goredis.Client {
	return goredis.NewClient(&goredis.Options{
		Addr: s.Addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: time.Second,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Info is a value of an INFO text.
func Info(text, name string) string {
	for line := range bytes.Lines([]byte(text)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(string(line)), name+":"); ok {
			return value
		}
	}
	return ""
}

// FreePort is a port that nothing listens on at the moment. It is none of those that the system gives to the near ends of
// connections: such a one may be taken while the server that listened on it is down.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(20000+rand.IntN(10000)))
		if err != nil {
			continue // it is taken
		}
		defer listener.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		return port
	}
	t.Fatal("no free port between 20000 and 30000")
	return ""
}
