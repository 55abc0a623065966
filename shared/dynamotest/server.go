// Package dynamotest gives tests a DynamoDB-compatible server of their own (dynalite), which they can kill
// and start again, and a proxy in front of it that fails on demand: between them they do what the real
// service does on a bad day. Only tests import it.
package dynamotest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/yuexin-dev/yuexin/shared/dynamo"
)

// startTimeout is how long the server may take to answer; 0.3 s is usual.
const startTimeout = 20 * time.Second

// Server is a running dynalite, whose tables are in a directory of the test's.
type Server struct {
	Endpoint string // of the form http://127.0.0.1:12345; the same after Restart

	t       testing.TB
	program string
	port    string
	dir     string
	process *exec.Cmd
	ended   chan struct{} // closed once the process has ended
	tables  atomic.Int64
}

// guard keeps dynalite alive when a client breaks a connection in the middle of a request, as every
// caller does whose context ends: dynalite throws the error of that one request at the whole process.
const guard = `process.on('uncaughtException', (e) => {
  console.error(e)
  if (e.code !== 'ECONNRESET') process.exit(1)
})
`

// Start starts a server that ends with the test. Without dynalite the test is skipped; where the environment
// variable CI is set it fails instead.
func Start(t testing.TB) *Server {
	t.Helper()
	program := find()
	if program == "" {
		const missing = "dynalite is not installed: run `npm ci` at the root of the repository, or set DYNALITE to the program"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	s := &Server{t: t, program: program, port: freePort(t), dir: t.TempDir()}
	s.Endpoint = "http://127.0.0.1:" + s.port
	if err := os.WriteFile(s.guard(), []byte(guard), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	t.Cleanup(func() {
		select {
		case <-s.ended:
			t.Errorf("dynalite ended by itself:\n%s", s.log())
		default:
			s.Kill()
		}
	})
	return s
}

// Restart starts the server again after Kill, on the same port and data.
func (s *Server) Restart() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, logName), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process = exec.Command(s.program, "--host", "127.0.0.1", "--port", s.port, "--path", filepath.Join(s.dir, "data"),
		"--createTableMs", "0", "--deleteTableMs", "0", "--updateTableMs", "0")
	s.process.Stdout, s.process.Stderr = log, log
	s.process.Env = append(os.Environ(), "NODE_OPTIONS=--require="+s.guard())
	if err := s.process.Start(); err != nil {
		s.t.Fatalf("starting dynalite: %v", err)
	}
	ended := make(chan struct{})
	s.ended = ended
	go func(process *exec.Cmd) {
		_ = process.Wait()
		close(ended)
	}(s.process)
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		response, err := http.Get(s.Endpoint) // answers "healthy" without credentials
		if err == nil {
			response.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("dynalite does not answer on port %s after %v: %v\n%s", s.port, startTimeout, err, s.log())
		}
	}
}

// Kill ends the server the hard way (SIGKILL). What it had answered is in the files.
func (s *Server) Kill() {
	_ = s.process.Process.Kill()
	<-s.ended
}

// logName is the file in the server's directory that has what it prints.
const logName = "dynalite.log"

// log is what the server has printed.
func (s *Server) log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, logName))
	return string(text)
}

// guard is where the guard is.
func (s *Server) guard() string { return filepath.Join(s.dir, "guard.js") }

// Table creates an empty table as the store defines it, and returns its name.
func (s *Server) Table() string {
	s.t.Helper()
	name := fmt.Sprintf("yuexin-%d", s.tables.Add(1))
	Create(s.t, s.Endpoint, dynamo.Definition(name))
	return name
}

// Create creates a table of any definition. It waits for a server that is being started again.
func Create(t testing.TB, endpoint string, definition *dynamodb.CreateTableInput) {
	t.Helper()
	client := dynamodb.New(dynamodb.Options{Region: "local", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	var exists *types.ResourceInUseException // by an earlier try
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		_, err := client.CreateTable(t.Context(), definition)
		if err == nil || errors.As(err, &exists) {
			var out *dynamodb.DescribeTableOutput
			out, err = client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: definition.TableName})
			if err == nil && out.Table.TableStatus == types.TableStatusActive {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("creating table %s: it is not there after %v: %v", *definition.TableName, startTimeout, err)
		}
	}
}

// Open opens a store on the server or a proxy of it: c with credentials, and with endpoint unless it
// has one.
func Open(t testing.TB, endpoint string, c dynamo.Config) *dynamo.Store {
	t.Helper()
	c.Endpoint = cmp.Or(c.Endpoint, endpoint)
	c.Credentials = credentials.NewStaticCredentialsProvider("local", "local", "")
	store, err := dynamo.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// find looks for dynalite: in node_modules at the root of the repository, then where DYNALITE says, then
// on the path.
func find() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, noModule := os.Stat(filepath.Join(dir, "go.mod")); noModule == nil {
			if program := filepath.Join(dir, "node_modules", ".bin", "dynalite"); executable(program) {
				return program
			}
			break
		}
		dir = filepath.Dir(dir)
	}
	if program := os.Getenv("DYNALITE"); program != "" {
		return program // a wrong one fails with its name, which helps more than a skip
	}
	program, _ := exec.LookPath("dynalite")
	return program
}

// executable reports whether there is such a file.
func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// freePort is a port that nothing listens on at the moment. It is none of those that the system gives to the near ends of
// connections: such a one may be taken while the server that listened on it is down.
func freePort(t testing.TB) string {
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
