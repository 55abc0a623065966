package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockPatience is how long Open waits for the file: a server that was just told to stop needs a moment.
const lockPatience = time.Second

// mapSize is the address space set aside for the file. As long as the file fits, no reader ever has to
// finish before a writer can make it grow.
const mapSize = 256 << 20

// Open opens the store in the file at path, and makes it if it is not there, with its directory but not
// that directory's parents: a mistyped path should be an error. It fails with ErrLocked, with ErrCorrupt,
// or with the error of the operating system.
func Open(path string, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = time.Second
	}
	if o.maxBatch == 0 {
		o.maxBatch = maxBatch
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("embedded: creating the store %s: %w", path, err)
	}
	s := &Store{
		path:     path,
		now:      o.Now,
		maxBatch: o.maxBatch,
		writes:   make(chan *write, maxBatch),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	if err := s.openFile(o); err != nil {
		return nil, s.explain("opening", err)
	}
	s.workers.Go(s.commitLoop)
	s.workers.Go(func() { s.sweepLoop(o.SweepEvery) })
	return s, nil
}

// openFile locks and checks the file, in this order, before bbolt may look at it: a bbolt that opens a
// damaged file may panic, or mend it in a way that makes things worse.
func (s *Store) openFile(o Options) error {
	var file *os.File
	options := boltOptions
	options.MaxSize = o.maxSize
	options.NoSync = o.noSync
	options.OpenFile = func(path string, flag int, mode os.FileMode) (*os.File, error) {
		f, err := os.OpenFile(path, flag&^os.O_CREATE, mode)
		if err != nil {
			return nil, err
		}
		if err := lockAndCheck(f); err != nil {
			_ = f.Close()
			return nil, err
		}
		file = f
		return f, nil
	}
	err := s.guard(func() (err error) {
		s.db, err = bolt.Open(s.path, 0o600, &options)
		return err
	})
	if errors.Is(err, ErrCorrupt) && file != nil {
		_ = file.Close() // bbolt panicked, and left the file locked
	}
	if errors.Is(err, bolterrors.ErrTimeout) {
		return ErrLocked // where lock does nothing, bbolt's own lock speaks
	}
	return err
}

// lockAndCheck makes sure that the file is ours, and then that it is sound.
func lockAndCheck(f *os.File) error {
	if err := lock(f, lockPatience); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return checkFile(f, info.Size(), checkedLeaves)
}

// boltOptions are those of every file.
var boltOptions = bolt.Options{
	Timeout:         lockPatience,
	FreelistType:    bolt.FreelistMapType,
	InitialMmapSize: mapSize,
	NoStatistics:    true,
}

// create makes an empty store at path if nothing is there. It is made beside its place and linked into
// it when it is complete, so that whatever is at path is either whole or damaged, never half made.
func create(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("there is something else than a file in its place")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	fresh := f.Name()
	defer func() { _ = os.Remove(fresh) }() // an error leaves a small file that nobody reads
	if err := f.Close(); err != nil {
		return err
	}
	if err := writeEmpty(fresh); err != nil {
		return err
	}
	// Not a rename: that would replace the store of a process that was faster.
	if err := os.Link(fresh, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// writeEmpty writes a store without records to path.
func writeEmpty(path string) error {
	options := boltOptions
	db, err := bolt.Open(path, 0o600, &options)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{headerBucket, recordsBucket, dueBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(headerBucket).Put(formatKey, []byte(formatVersion))
	})
	return errors.Join(err, db.Close())
}

// syncDir makes the names in a directory survive a loss of power.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
