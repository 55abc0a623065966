package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// checkedLeaves bounds how many leaf pages Open reads through: 64 MB, some 100 ms. All of a file of that
// size is checked. Of a larger one it is the skeleton (meta, freelist and branch pages), whose damage
// could spread, and these leaves; the records in the others are checked when they are read.
const checkedLeaves = 16 << 10

// The file as bbolt v1 lays it out (go.etcd.io/bbolt, internal/common): pages of equal size, each with a
// header {id 8, flags 2, count 2, overflow 4}, in the byte order of the machine.
const (
	pageHeader   = 16
	elementSize  = 16 // of a branch {pos 4, ksize 4, child 8} and of a leaf {flags 4, pos 4, ksize 4, vsize 4}
	bucketHeader = 16 // of a bucket in a leaf: {root 8, sequence 8}; root 0: its only page follows inline

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10
	bucketEntry  = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	minPageSize = 1 << 10
	maxPageSize = 64 << 10
	maxDepth    = 32 // of the tree of pages; a real one has five
)

var order = binary.NativeEndian

// damage is what is wrong with the file, and where.
func damage(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

// meta is the state that one of the two meta pages describes.
type meta struct {
	root, freelist, pages, txid uint64 // pages: of the file that are in use or free
}

// pageEntry is what one element of a page stands for.
type pageEntry struct {
	key, value []byte
	isBucket   bool   // the value is a bucket
	child      uint64 // of a branch page: the page with the keys from key on
}

// checker reads the pages of a file.
type checker struct {
	file     io.ReaderAt
	pageSize int
	meta     meta
	seen     []bool // pages that are accounted for
	leaves   int    // that may still be read
	buckets  int    // of the store that were met
	format   []byte // what the header says
}

// checkFile makes sure that bbolt can trust the file: both meta pages are whole, every page of the tree is
// there, well formed, in order and in use once, no page in use is free, and the file is a store in the
// present format. Of the leaf pages it reads as many as leaves says. It returns ErrCorrupt or an error of
// the operating system.
func checkFile(f io.ReaderAt, size int64, leaves int) error {
	c := &checker{file: f, leaves: leaves}
	if err := c.readMeta(size); err != nil {
		return err
	}
	if err := c.readFreelist(); err != nil {
		return err
	}
	if err := c.walk(c.meta.root, nil, nil, nil, 0); err != nil {
		return err
	}
	if c.buckets != 3 {
		return damage("one of the buckets of a store is missing")
	}
	if string(c.format) != formatVersion {
		return damage("its format is %q, this program knows %q only", c.format, formatVersion)
	}
	if c.leaves > 0 {
		for id, seen := range c.seen {
			if !seen {
				return damage("page %d is neither in use nor free", id)
			}
		}
	}
	return nil
}

// readMeta reads both meta pages. bbolt would do with one of them, and so go back to the state before the
// last write, which was acknowledged: since the part that matters is smaller than a disk sector, a damaged
// meta page is damage, not a write that was cut off.
func (c *checker) readMeta(size int64) error {
	if size == 0 {
		return damage("it is empty; a store never is")
	}
	first := make([]byte, minPageSize)
	if err := c.readAt(first, 0); err != nil {
		return err
	}
	c.pageSize = int(order.Uint32(first[pageHeader+8:]))
	if order.Uint32(first[pageHeader:]) != boltMagic {
		return damage("it does not begin like a bbolt database: is it some other file?")
	}
	if c.pageSize < minPageSize || c.pageSize > maxPageSize || c.pageSize&(c.pageSize-1) != 0 {
		return damage("meta page 0 tells of pages of %d bytes", c.pageSize)
	}
	var metas [2]meta
	for id := range metas {
		b := make([]byte, minPageSize)
		if err := c.readAt(b, int64(id*c.pageSize)); err != nil {
			return err
		}
		m := b[pageHeader:]
		sum := fnv.New64a()
		sum.Write(m[:56])
		if order.Uint64(b) != uint64(id) || order.Uint16(b[8:]) != metaPage || order.Uint32(m) != boltMagic ||
			order.Uint32(m[4:]) != boltVersion || int(order.Uint32(m[8:])) != c.pageSize || order.Uint64(m[56:]) != sum.Sum64() {
			return damage("meta page %d is damaged", id)
		}
		metas[id] = meta{root: order.Uint64(m[16:]), freelist: order.Uint64(m[32:]), pages: order.Uint64(m[40:]), txid: order.Uint64(m[48:])}
	}
	c.meta = metas[0]
	older := metas[1]
	if older.txid > c.meta.txid {
		c.meta, older = older, c.meta
	}
	if c.meta.txid-older.txid != 1 {
		return damage("its meta pages are of transactions %d and %d, which do not follow on each other", older.txid, c.meta.txid)
	}
	if have := uint64(size) / uint64(c.pageSize); c.meta.pages > have || c.meta.pages < 4 {
		return damage("it was cut off: it has %d pages of %d", have, c.meta.pages)
	}
	c.seen = make([]bool, c.meta.pages)
	c.seen[0], c.seen[1] = true, true
	return nil
}

// readFreelist reads which pages are free.
func (c *checker) readFreelist() error {
	if c.meta.freelist >= c.meta.pages {
		return damage("it has no list of free pages: it was written by another program")
	}
	page, err := c.page(c.meta.freelist, freelistPage)
	if err != nil {
		return err
	}
	ids, n := page[pageHeader:], uint64(order.Uint16(page[10:]))
	if n == 0xFFFF { // the count did not fit, and comes first
		n, ids = order.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return damage("its list of free pages is longer than the page it is on")
	}
	for i := range n {
		if err := c.account(order.Uint64(ids[i*8:])); err != nil {
			return err
		}
	}
	return nil
}

// walk checks the tree below page id, whose keys must be at least from and below to (nil: no bound).
// bucket is the name of the bucket that the tree holds, nil for the tree of buckets.
func (c *checker) walk(id uint64, bucket, from, to []byte, depth int) error {
	if depth > maxDepth {
		return damage("page %d is too deep in the tree", id)
	}
	page, err := c.page(id, branchPage|leafPage)
	if err != nil || page == nil {
		return err
	}
	all := entries(page)
	if len(all) == 0 { // a bucket without entries has no page
		return damage("page %d is not packed as it should be", id)
	}
	for i, e := range all {
		if from != nil && bytes.Compare(e.key, from) < 0 || to != nil && bytes.Compare(e.key, to) >= 0 ||
			i > 0 && bytes.Compare(e.key, all[i-1].key) <= 0 {
			return damage("page %d is out of order", id)
		}
	}
	if order.Uint16(page[8:]) == leafPage {
		return c.leaf(all, id, bucket)
	}
	for i, e := range all {
		next := to
		if i+1 < len(all) {
			next = all[i+1].key
		}
		if err := c.walk(e.child, bucket, e.key, next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks what is stored on leaf page id.
func (c *checker) leaf(all []pageEntry, id uint64, bucket []byte) error {
	for _, e := range all {
		switch {
		case e.isBucket != (bucket == nil):
			return damage("leaf page %d mixes buckets and records", id)
		case e.isBucket:
			if err := c.bucket(e.key, e.value, id); err != nil {
				return err
			}
		case !c.entry(bucket, e.key, e.value):
			return damage("an entry of bucket %q on leaf page %d does not match its checksum", bucket, id)
		}
	}
	return nil
}

// bucket checks the tree of one bucket, or the page that its entry on leaf page id holds in place of a tree.
func (c *checker) bucket(name, value []byte, id uint64) error {
	switch string(name) {
	case string(headerBucket), string(recordsBucket), string(dueBucket):
		c.buckets++
	default:
		return damage("it has a bucket %q, which no store has", name)
	}
	if len(value) == bucketHeader {
		return c.walk(order.Uint64(value), name, nil, nil, 1)
	}
	if len(value) >= bucketHeader+pageHeader && order.Uint64(value) == 0 {
		page := value[bucketHeader:]
		all := entries(page)
		size := pageHeader
		for _, e := range all {
			size += elementSize + len(e.key) + len(e.value)
		}
		if order.Uint16(page[8:]) == leafPage && size == len(page) {
			return c.leaf(all, id, name)
		}
	}
	return damage("bucket %q is damaged", name)
}

// entry reports whether one key and value of a bucket are whole, and remembers the header's.
func (c *checker) entry(bucket, key, value []byte) bool {
	switch {
	case bytes.Equal(bucket, recordsBucket):
		return sealed(key, value, headSize+1)
	case bytes.Equal(bucket, dueBucket):
		return sealed(key, value, dueValueSize)
	case bytes.Equal(bucket, headerBucket) && bytes.Equal(key, formatKey):
		c.format = bytes.Clone(value)
	}
	return true
}

// page reads a page with its overflow and accounts for it. It returns nil for a leaf once enough of them
// were read.
func (c *checker) page(id uint64, kinds uint16) ([]byte, error) {
	if err := c.account(id); err != nil {
		return nil, err
	}
	b := make([]byte, c.pageSize)
	if err := c.readAt(b, int64(id)*int64(c.pageSize)); err != nil {
		return nil, err
	}
	kind, overflow := order.Uint16(b[8:]), uint64(order.Uint32(b[12:]))
	if order.Uint64(b) != id || kind&kinds == 0 || kind&(kind-1) != 0 || id+overflow >= c.meta.pages {
		return nil, damage("page %d is damaged", id)
	}
	if kind == leafPage {
		if c.leaves == 0 {
			return nil, nil
		}
		c.leaves--
	}
	for i := range overflow {
		if err := c.account(id + 1 + i); err != nil {
			return nil, err
		}
	}
	if overflow == 0 {
		return b, nil
	}
	b = make([]byte, int(overflow+1)*c.pageSize)
	return b, c.readAt(b, int64(id)*int64(c.pageSize))
}

// account notes that a page has been met.
func (c *checker) account(id uint64) error {
	if id >= c.meta.pages {
		return damage("page %d is referred to, but the file has %d", id, c.meta.pages)
	}
	if c.seen[id] {
		return damage("page %d is in use twice, or both in use and free", id)
	}
	c.seen[id] = true
	return nil
}

// readAt reads all of b. A file that ends too early is damaged.
func (c *checker) readAt(b []byte, offset int64) error {
	_, err := c.file.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		return damage("it was cut off before byte %d", offset+int64(len(b)))
	}
	return err
}

// entries cuts the keys and values out of a page. bbolt packs them without a gap behind the elements, in
// their order; only so is it certain that none is missing. It returns nil if the page is not packed so.
func entries(page []byte) []pageEntry {
	n := int(order.Uint16(page[10:]))
	end := pageHeader + n*elementSize
	if end > len(page) {
		return nil
	}
	all := make([]pageEntry, n)
	for i := range all {
		at := pageHeader + i*elementSize
		e := page[at : at+elementSize]
		var pos, keySize, valueSize uint32
		if order.Uint16(page[8:]) == leafPage {
			all[i].isBucket = order.Uint32(e)&bucketEntry != 0
			pos, keySize, valueSize = order.Uint32(e[4:]), order.Uint32(e[8:]), order.Uint32(e[12:])
		} else {
			pos, keySize, all[i].child = order.Uint32(e), order.Uint32(e[4:]), order.Uint64(e[8:])
		}
		if at+int(pos) != end || int64(keySize)+int64(valueSize) > int64(len(page)-end) {
			return nil
		}
		keyEnd := end + int(keySize)
		end = keyEnd + int(valueSize)
		all[i].key, all[i].value = page[at+int(pos):keyEnd:keyEnd], page[keyEnd:end:end]
	}
	return all
}
