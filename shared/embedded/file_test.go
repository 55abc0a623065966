package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// sizes counts the records and the entries of the due index in the file, expired ones included.
func (s *Store) sizes(t *testing.T) (n [2]int) {
	t.Helper()
	err := s.view(t.Context(), "count", func(tx *bolt.Tx) error {
		for i, name := range [][]byte{recordsBucket, dueBucket} {
			if err := tx.Bucket(name).ForEach(func(_, _ []byte) error { n[i]++; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fill saves records that share their way to the disk.
func (s *Store) fill(t *testing.T, recs []submsg.Record) {
	t.Helper()
	var all []*write
	for _, rec := range recs {
		rec.Version = submsg.NewVersion()
		key, err := recordKey(rec.Key)
		if err != nil {
			t.Fatal(err)
		}
		value, err := encodeRecord(key, rec)
		if err != nil {
			t.Fatal(err)
		}
		w := &write{key: key, shard: rec.Key.Shard(), value: value, due: rec.Due, expires: rec.Expires}
		if err := s.submit(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
	}
	for _, w := range all {
		if err := s.await(w); err != nil {
			t.Fatal(err)
		}
	}
}

// smallRecords are n small records.
func smallRecords(n int) []submsg.Record {
	recs := make([]submsg.Record, n)
	for i := range recs {
		recs[i] = entry(fmt.Sprintf("o%06d", i), i)
	}
	return recs
}

// sample makes a file with n records, some of them due, some of several pages, and returns its bytes.
func sample(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.fill(t, smallRecords(n))
	for i := range 20 {
		rec := entry(fmt.Sprintf("due%d", i), i)
		rec.Due = submsg.Instant(1000 + i)
		mustSave(t, s, rec)
	}
	mustSave(t, s, submsg.Record{Key: submsg.SubscriberKey("wx", "long"), Body: &submsg.Subscriber{Topics: []string{strings.Repeat("约信", 5000)}}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data[:used(data)]
}

// used is the length of the part of the file that holds pages; the rest is room to grow.
func used(data []byte) int {
	pageSize := int(order.Uint32(data[pageHeader+8:]))
	pages := max(order.Uint64(data[pageHeader+40:]), order.Uint64(data[pageSize+pageHeader+40:]))
	return int(pages) * pageSize
}

// wantCorrupt fails the test unless opening a file of these bytes says ErrCorrupt and changes nothing.
func wantCorrupt(t *testing.T, data []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "yuexin.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err == nil {
		_ = s.Close()
		t.Error("the file was opened, want ErrCorrupt")
		return
	}
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Errorf("opening gave %q, want ErrCorrupt and the path", err)
	}
	if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, data) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestAFileThatIsNoStoreIsLeftAlone(t *testing.T) {
	whole := sample(t, 3000)
	foreign := func(fill func(*bolt.Tx) error, o bolt.Options) []byte {
		path := filepath.Join(t.TempDir(), "foreign.db")
		db, err := bolt.Open(path, 0o600, &o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(fill), db.Close()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	newer := func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket(headerBucket)
		if err != nil {
			return err
		}
		return b.Put(formatKey, []byte("yuexin 2"))
	}
	for name, data := range map[string][]byte{
		"empty":                             {},
		"one byte":                          {0},
		"a text":                            []byte("store: {kind: embedded, path: data/yuexin.db}\n"),
		"zeros":                             make([]byte, 1<<20),
		"noise":                             noise(1 << 20),
		"SQLite":                            append([]byte("SQLite format 3\x00"), make([]byte, 8192)...),
		"bbolt without buckets":             foreign(func(*bolt.Tx) error { return nil }, bolt.Options{}),
		"bbolt of another program":          foreign(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }, bolt.Options{}),
		"bbolt that keeps no freelist":      foreign(newer, bolt.Options{NoFreelistSync: true}),
		"a store of a newer version":        foreign(newer, bolt.Options{}),
		"a store cut off in its meta pages": whole[:5000],
		"a store without its last page":     whole[:len(whole)-4096],
		"a store without its last byte":     whole[:len(whole)-1],
		"half a store":                      whole[:len(whole)/2],
	} {
		t.Run(name, func(t *testing.T) { wantCorrupt(t, data) })
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// TestAFlippedBitIsFound flips bits all over a file. A store may open in spite of it only if the bit is
// in a part that holds nothing; then every record must be as it was.
func TestAFlippedBitIsFound(t *testing.T) {
	whole := sample(t, 400)
	path := filepath.Join(t.TempDir(), "yuexin.db")
	var headers []int // the first bytes of each page, where a flip can do most
	for page := 0; page < len(whole); page += int(order.Uint32(whole[pageHeader+8:])) {
		headers = append(headers, page)
	}
	want := readAll(t, whole, path)
	found, rounds := 0, 600
	for range rounds {
		at := rand.IntN(len(whole))
		if rand.IntN(2) == 0 {
			at = headers[rand.IntN(len(headers))] + rand.IntN(96)
		}
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << rand.IntN(8)
		err := checkFile(bytes.NewReader(damaged), int64(len(damaged)), checkedLeaves)
		switch {
		case errors.Is(err, ErrCorrupt):
			found++
		case err != nil:
			t.Fatalf("byte %d: %v", at, err)
		default:
			if got := readAll(t, damaged, path); got != want {
				t.Fatalf("a flipped bit in byte %d (page %d, offset %d) went unseen and changed the records", at, at/4096, at%4096)
			}
		}
	}
	if found < rounds/4 {
		t.Errorf("of %d flipped bits only %d were found", rounds, found)
	}
}

// TestALargeFileIsCheckedInPart bounds what Open reads: damage in a leaf that it does not reach waits for its reader,
// damage in the skeleton does not.
func TestALargeFileIsCheckedInPart(t *testing.T) {
	whole := sample(t, 3000)
	check := func(damagedAt, leaves int) error {
		data := bytes.Clone(whole)
		data[damagedAt] ^= 1
		return checkFile(bytes.NewReader(data), int64(len(data)), leaves)
	}
	inLeaf := bytes.LastIndex(whole, []byte("o002999"))
	if err := check(inLeaf, 3); err != nil {
		t.Errorf("a record beyond the third leaf: %v", err)
	}
	if err := check(inLeaf, checkedLeaves); !errors.Is(err, ErrCorrupt) {
		t.Errorf("the same record within the bound: %v, want ErrCorrupt", err)
	}
	branches := 0
	for page := 2 * 4096; page < len(whole); page += 4096 {
		if order.Uint16(whole[page+8:]) == branchPage && order.Uint64(whole[page:]) == uint64(page/4096) && check(page+8, 3) != nil {
			branches++
		}
	}
	if branches == 0 {
		t.Error("no damage to a branch page was found")
	}
}

// readAll opens a store of these bytes and returns all it holds as text.
func readAll(t *testing.T, data []byte, path string) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b strings.Builder
	err = s.view(t.Context(), "dump", func(tx *bolt.Tx) error {
		for _, name := range [][]byte{headerBucket, recordsBucket, dueBucket} {
			if err := tx.Bucket(name).ForEach(func(k, v []byte) error { fmt.Fprintf(&b, "%x=%x\n", k, v); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDamageThatShowsLaterIsAnErrorAndNotTheEnd(t *testing.T) {
	good, bad := smallRecords(1)[0], smallRecords(1001)[1000]
	text := []byte(`"openid":"` + bad.Key.Sort + `"`)
	for name, c := range map[string]struct {
		damage func(f *os.File, at int64) error // at: where the bad record names its openid
		breaks bool                             // bbolt itself stumbles over it
	}{
		"a record that says something else": {
			damage: func(f *os.File, at int64) error { _, err := f.WriteAt([]byte(`"openid":"o0010XX"`), at); return err },
		},
		"a page of another kind": {
			damage: func(f *os.File, at int64) error { _, err := f.WriteAt([]byte{0x40}, at&^4095+8); return err },
			breaks: true,
		},
		"entries that point outside the file": {
			damage: func(f *os.File, at int64) error {
				_, err := f.WriteAt(bytes.Repeat([]byte{0xEF}, 1000), at&^4095+pageHeader)
				return err
			},
			breaks: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "yuexin.db")
			s := opened(t, path, Options{SweepEvery: time.Hour})
			s.fill(t, smallRecords(2000))
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.damage(f, int64(bytes.LastIndex(data, text))); err != nil {
				t.Fatal(err)
			}

			if _, err := s.Load(t.Context(), bad.Key); !errors.Is(err, ErrCorrupt) {
				t.Errorf("loading gave %v, want ErrCorrupt", err)
			} else if strings.Contains(err.Error(), bad.Key.Sort) {
				t.Errorf("the error shows the openid: %v", err)
			}
			if recs, err := s.Load(t.Context(), good.Key); err != nil || recs[0].Body == nil {
				t.Errorf("the other records are out of reach: %v", err)
			}
			if _, err := s.Save(t.Context(), bad); !errors.Is(err, ErrCorrupt) {
				t.Errorf("saving gave %v, want ErrCorrupt", err)
			}
			if _, err := s.Save(t.Context(), entry("new", 1)); errors.Is(err, ErrCorrupt) != c.breaks {
				t.Errorf("saving another record then gave %v, want ErrCorrupt: %t", err, c.breaks)
			}
			if recs, err := s.Load(t.Context(), good.Key); err != nil || recs[0].Body == nil {
				t.Errorf("the other records are out of reach after the writes: %v", err)
			}
		})
	}
}

func TestAFileThatIsCutOffUnderAStoreIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "yuexin.db")
	s := opened(t, path, Options{SweepEvery: time.Hour})
	recs := smallRecords(2000)
	s.fill(t, recs)
	if err := os.Truncate(path, 4*4096); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, rec := range recs {
		switch _, err := s.Load(t.Context(), rec.Key); {
		case errors.Is(err, ErrCorrupt):
			failed++
		case err != nil:
			t.Fatalf("loading gave %v, want ErrCorrupt", err)
		}
	}
	if failed == 0 {
		t.Error("no record is missed")
	}
}

func TestASecondOpenerIsToldThatTheFileIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "yuexin.db")
	s := opened(t, path, Options{})
	mustSave(t, s, entry("o1", 1))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("opening again gave %v, want ErrLocked and the path", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the second opener changed the file (%v)", err)
	}
	mustSave(t, s, entry("o2", 2))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, path, Options{}).sizes(t)[0]; got != 2 {
		t.Errorf("%d records after opening again, want 2", got)
	}
}

func TestManyOpenersOfANewFileLeaveOneStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "yuexin.db")
	type result struct {
		s   *Store
		err error
	}
	results := make(chan result)
	const openers = 8
	for range openers {
		go func() { s, err := Open(path, Options{}); results <- result{s, err} }()
	}
	var stores []*Store
	for range openers {
		switch r := <-results; {
		case r.err == nil:
			stores = append(stores, r.s)
		case !errors.Is(r.err, ErrLocked):
			t.Errorf("opening gave %v, want nil or ErrLocked", r.err)
		}
	}
	if len(stores) != 1 {
		t.Errorf("%d have the file open, want 1", len(stores))
	}
	for _, s := range stores {
		mustSave(t, s, entry("o1", 1))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := opened(t, path, Options{}).sizes(t)[0]; got != 1 {
		t.Errorf("%d records after opening again, want 1", got)
	}
	if names, err := os.ReadDir(filepath.Dir(path)); err != nil || len(names) != 1 {
		t.Errorf("the directory holds %v (%v), want the store only", names, err)
	}
}

func TestOpenSaysWhatIsWrongWithThePath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a directory":             dir,
		"below a file":            filepath.Join(file, "yuexin.db"),
		"two missing directories": filepath.Join(dir, "vra", "lib", "yuexin.db"),
	} {
		if _, err := Open(path, Options{}); err == nil || errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: opening gave %v, want an error of the path", name, err)
		}
	}
	opened(t, filepath.Join(dir, "data", "yuexin.db"), Options{})
	info, err := os.Stat(filepath.Join(dir, "data", "yuexin.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v (%v), want 0600: it holds openids and access tokens", info.Mode(), err)
	}
}
