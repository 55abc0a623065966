package submsgtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/embedded"
	"github.com/yuexin-dev/yuexin/shared/submsg"
	"github.com/yuexin-dev/yuexin/shared/submsgtest"
)

// The embedded store dies with its process. To kill it and not the test, it lives in a child, which is this test binary
// again, and is asked over the child's standard input and output.

// childVariable makes a test binary the child.
const childVariable = "YUEXIN_TEST_EMBEDDED_CHILD"

// Question is one call to the store in a file. It and Reply are exported for net/rpc.
type Question struct {
	Path             string
	Now              time.Time
	Op               string
	Keys             []submsg.Key
	Record           wireRecord
	Partition, After string
	Shard, Limit     int
	Until            submsg.Instant
}

// Reply is what came of it.
type Reply struct {
	Conflict bool
	Err      string
	Records  []wireRecord
	Version  submsg.Version
	Items    []submsg.DueItem
}

// wireRecord is a record that gob can carry.
type wireRecord struct {
	Record submsg.Record // without its body
	Kind   string
	Body   []byte
}

func toWire(rec submsg.Record) (w wireRecord, err error) {
	w.Record = rec
	w.Record.Body = nil
	if rec.Body != nil {
		w.Kind = rec.Body.Kind()
		w.Body, err = submsg.EncodeBody(rec.Body)
	}
	return w, err
}

func fromWire(w wireRecord) (rec submsg.Record, err error) {
	rec = w.Record
	if w.Kind != "" {
		rec.Body, err = submsg.DecodeBody(w.Kind, w.Body)
	}
	return rec, err
}

// Files are the stores that the child has opened. Its method is called by net/rpc.
type Files struct {
	mu   sync.Mutex
	open map[string]*file
}

type file struct {
	store *embedded.Store
	now   atomic.Pointer[time.Time]
}

func (f *Files) of(q *Question) (*file, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.open[q.Path]
	if one == nil {
		one = &file{}
		one.now.Store(&q.Now)
		store, err := embedded.Open(q.Path, embedded.Options{Now: func() time.Time { return *one.now.Load() }})
		if err != nil {
			return nil, err
		}
		one.store, f.open[q.Path] = store, one
	}
	one.now.Store(&q.Now)
	return one, nil
}

// Ask answers one question.
func (f *Files) Ask(q Question, r *Reply) error {
	one, err := f.of(&q)
	if err != nil {
		return err
	}
	ctx := context.Background()
	var recs []submsg.Record
	switch q.Op {
	case "load":
		recs, err = one.store.Load(ctx, q.Keys...)
	case "list":
		recs, err = one.store.List(ctx, q.Partition, q.After, q.Limit)
	case "due":
		r.Items, err = one.store.Due(ctx, q.Shard, q.Until, q.Limit)
	case "delete":
		err = one.store.Delete(ctx, q.Keys[0], q.Record.Record.Version)
	case "save":
		var rec submsg.Record
		if rec, err = fromWire(q.Record); err == nil {
			r.Version, err = one.store.Save(ctx, rec)
		}
	}
	for _, rec := range recs {
		w, werr := toWire(rec)
		err = errors.Join(err, werr)
		r.Records = append(r.Records, w)
	}
	if r.Conflict = errors.Is(err, submsg.ErrConflict); err != nil {
		r.Err = err.Error()
	}
	return nil
}

// serveFiles is the child's main.
func serveFiles() error {
	server := rpc.NewServer()
	if err := server.Register(&Files{open: map[string]*file{}}); err != nil {
		return err
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
	return nil
}

// pipes are the two directions of a connection.
type pipes struct {
	io.ReadCloser
	io.WriteCloser
}

func (p pipes) Close() error { return errors.Join(p.ReadCloser.Close(), p.WriteCloser.Close()) }

// child is the process. It is a victim.
type child struct {
	t       testing.TB
	command *exec.Cmd
	client  atomic.Pointer[rpc.Client]
}

// Restart implements victim.
func (c *child) Restart() {
	c.command = exec.Command(os.Args[0])
	c.command.Env = append(os.Environ(), childVariable+"=1")
	c.command.Stderr = os.Stderr
	in, err := c.command.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.command.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.client.Store(rpc.NewClient(pipes{out, in}))
}

// Kill implements victim.
func (c *child) Kill() {
	_ = c.command.Process.Kill()
	_ = c.command.Wait()
	_ = c.client.Load().Close()
}

// remote is a store in a file of the child's.
type remote struct {
	child *child
	path  string
	now   func() time.Time
}

var _ submsg.Store = (*remote)(nil)

func (r *remote) ask(q Question) (answer Reply, err error) {
	q.Path, q.Now = r.path, r.now()
	if err := r.child.client.Load().Call("Files.Ask", q, &answer); err != nil {
		return answer, fmt.Errorf("%s: no answer from the process of the store: %w", q.Op, err)
	}
	switch {
	case answer.Conflict:
		return answer, submsg.ErrConflict
	case answer.Err != "":
		return answer, errors.New(answer.Err)
	}
	return answer, nil
}

func (r *remote) records(q Question) ([]submsg.Record, error) {
	answer, err := r.ask(q)
	if err != nil {
		return nil, err
	}
	recs := make([]submsg.Record, len(answer.Records))
	for i, w := range answer.Records {
		if recs[i], err = fromWire(w); err != nil {
			return nil, err
		}
	}
	return recs, nil
}

// Load implements submsg.Store.
func (r *remote) Load(_ context.Context, keys ...submsg.Key) ([]submsg.Record, error) {
	return r.records(Question{Op: "load", Keys: keys})
}

// Save implements submsg.Store.
func (r *remote) Save(_ context.Context, rec submsg.Record) (submsg.Version, error) {
	w, err := toWire(rec)
	if err != nil {
		return 0, err
	}
	answer, err := r.ask(Question{Op: "save", Record: w})
	return answer.Version, err
}

// Delete implements submsg.Store.
func (r *remote) Delete(_ context.Context, k submsg.Key, v submsg.Version) error {
	_, err := r.ask(Question{Op: "delete", Keys: []submsg.Key{k}, Record: wireRecord{Record: submsg.Record{Version: v}}})
	return err
}

// List implements submsg.Store.
func (r *remote) List(_ context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	return r.records(Question{Op: "list", Partition: partition, After: after, Limit: limit})
}

// Due implements submsg.Store.
func (r *remote) Due(_ context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	answer, err := r.ask(Question{Op: "due", Shard: shard, Until: until, Limit: limit})
	return answer.Items, err
}

func inKilledProcess(t *testing.T) submsgtest.Open {
	c := &child{t: t}
	c.Restart()
	t.Cleanup(c.Kill)
	return killing(t, func(t testing.TB, now func() time.Time) submsg.Store {
		return &remote{child: c, path: filepath.Join(t.TempDir(), "yuexin.db"), now: now}
	}, 1500, c)
}
