package embedded

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// childFile names the file that a test binary which was started as the child shall write to.
const childFile = "YUEXIN_TEST_KILLED_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		if err := writeUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // it should have been killed
	}
	os.Exit(m.Run())
}

// killedWriters is how many goroutines of the child write at once.
const killedWriters = 8

// writeUntilKilled saves, replaces and deletes records, and says so on stdout after each acknowledgement, one
// short line in one write, so that a line is never cut.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	s, err := Open(path, Options{SweepEvery: time.Millisecond})
	if err != nil {
		return err
	}
	failures := make(chan error)
	for w := range killedWriters {
		go func() {
			failures <- func() error {
				counter := submsg.SubscriberKey("wx", fmt.Sprint("writer", w))
				recs, err := s.Load(ctx, counter)
				if err != nil {
					return err
				}
				rec := recs[0]
				for n := 1; ; n++ {
					if sub, ok := rec.Body.(*submsg.Subscriber); ok {
						n = int(sub.ActiveAt) + 1
					}
					rec.Due = submsg.Instant(n)
					rec.Body = &submsg.Subscriber{OpenID: strings.Repeat("约信", rand.IntN(900)), ActiveAt: submsg.Instant(n)}
					if rec.Version, err = s.Save(ctx, rec); err != nil {
						return err
					}
					fmt.Printf("saved %d %d\n", w, n)
					one := entry(fmt.Sprintf("%d-%d", w, n), n)
					one.Due = submsg.Instant(n)
					if one.Version, err = s.Save(ctx, one); err != nil {
						return err
					}
					fmt.Printf("created %d-%d\n", w, n)
					if n%3 == 0 {
						if err := s.Delete(ctx, one.Key, one.Version); err != nil {
							return err
						}
						fmt.Printf("deleted %d-%d\n", w, n)
					}
				}
			}()
		}()
	}
	return <-failures
}

// TestNothingAcknowledgedIsLostByKill kills a process that writes, again and again on the same file.
func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "yuexin.db")
	acknowledged := make(map[string]bool)            // names of entries: true created, false deleted
	counted := make([]int, killedWriters)            // the last value that each writer was told
	deleting := func(n int) bool { return n%3 == 0 } // an entry may be gone before its deletion was told
	for round := range 9 {
		var output string
		if early := round%4 == 0; early {
			output = runAndKill(t, path, false, rand.N(15*time.Millisecond)) // the file is being made, or opened
		} else {
			output = runAndKill(t, path, true, rand.N(120*time.Millisecond))
		}
		lines := 0
		for scanner := bufio.NewScanner(strings.NewReader(output)); scanner.Scan(); lines++ {
			var w, n int
			line := scanner.Text()
			switch {
			case scan(line, "saved %d %d", &w, &n):
				counted[w] = max(counted[w], n)
			case scan(line, "created %d-%d", &w, &n):
				acknowledged[fmt.Sprintf("%d-%d", w, n)] = true
			case scan(line, "deleted %d-%d", &w, &n):
				acknowledged[fmt.Sprintf("%d-%d", w, n)] = false
			default:
				t.Fatalf("the child said %q", line)
			}
		}
		s := opened(t, path, Options{SweepEvery: time.Hour})
		due := 0
		for w := range killedWriters {
			recs, err := s.Load(t.Context(), submsg.SubscriberKey("wx", fmt.Sprint("writer", w)))
			if err != nil {
				t.Fatal(err)
			}
			stored := 0
			if sub, ok := recs[0].Body.(*submsg.Subscriber); ok {
				stored = int(sub.ActiveAt)
				due++
			}
			// The write under way when the process died may be there or not.
			if stored < counted[w] || stored > counted[w]+1 {
				t.Errorf("round %d: writer %d was told of %d writes, the file has %d", round, w, counted[w], stored)
			}
			counted[w] = stored // its next life goes on from there
		}
		listed, err := s.List(t.Context(), entry("", 0).Key.Partition, "", 1e6)
		if err != nil {
			t.Fatal(err)
		}
		found := make(map[string]bool)
		for _, rec := range listed {
			found[rec.Key.Sort] = true
		}
		for name, there := range acknowledged {
			var w, n int
			scan(name, "%d-%d", &w, &n)
			if found[name] != there && !(there && deleting(n)) {
				t.Errorf("round %d: entry %s is there: %t, acknowledged: %t", round, name, found[name], there)
			}
			if found[name] != there {
				acknowledged[name] = found[name] // deleted, and killed before it could say so
			}
		}
		for name := range found {
			acknowledged[name] = true // created, and killed before it could say so
		}
		if got, want := s.sizes(t), [2]int{len(listed) + due, len(listed) + due}; got != want {
			t.Errorf("round %d: %d records and %d entries of the due index, want %d of each", round, got[0], got[1], want[0])
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %d acknowledgements, %d records", round, lines, len(listed))
	}
}

// runAndKill starts the child, kills it some time after its start or its first acknowledgement, and
// returns all it said.
func runAndKill(t *testing.T, path string, acknowledged bool, after time.Duration) string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFile+"="+path)
	child.Stderr = os.Stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	if acknowledged {
		first := make([]byte, 4096)
		n, err := stdout.Read(first)
		if err != nil {
			t.Errorf("the child did nothing: %v", err)
		}
		output.Write(first[:n])
	}
	timer := time.AfterFunc(after, func() { _ = child.Process.Kill() }) // SIGKILL
	defer timer.Stop()
	if _, err := io.Copy(&output, stdout); err != nil {
		t.Errorf("reading what the child says: %v", err)
	}
	if err := child.Wait(); child.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return output.String()
}

// scan reads a line of one form.
func scan(line, format string, values ...any) bool {
	n, err := fmt.Sscanf(line, format, values...)
	return err == nil && n == len(values)
}
