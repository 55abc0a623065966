package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// The file is a bbolt database of three buckets:
//
//	header   "format" → formatVersion
//	records  partition 00 sort → checksum (4) version (8) due (8) expires (8) length of kind (1) kind body
//	due      shard (1) due (8) partition 00 sort → checksum (4) expires (8)
//
// Numbers are big-endian, so that bytes sort as the numbers do. Every value begins with a checksum over
// its key and the rest of it: bbolt has none of its own, and a flipped bit in a credit or in a key must
// be an error, not another number.
var (
	headerBucket  = []byte("header")
	recordsBucket = []byte("records")
	dueBucket     = []byte("due")
	formatKey     = []byte("format")
)

// formatVersion changes when the layout does.
const formatVersion = "yuexin 1"

const (
	checksumSize = 4
	headSize     = checksumSize + 8 + 8 + 8 // of a record's value, up to the kind
	dueValueSize = checksumSize + 8
	duePrefix    = 1 + 8 // of a due key, up to the record's key
)

// maxKey bounds the length of a record's key, so that its due key is one that bbolt takes.
const maxKey = 32<<10 - duePrefix

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is the reason why stored bytes cannot be used; callers see it as ErrCorrupt.
var errDamaged = errors.New("a checksum is wrong")

// seal writes the checksum over key and value into the value's first bytes.
func seal(key, value []byte) {
	binary.BigEndian.PutUint32(value, checksum(key, value))
}

// sealed reports whether value is whole and was stored under key.
func sealed(key, value []byte, minSize int) bool {
	return len(value) >= minSize && binary.BigEndian.Uint32(value) == checksum(key, value)
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value[checksumSize:])
}

// recordKey spells a key of the records bucket.
func recordKey(key submsg.Key) ([]byte, error) {
	if strings.IndexByte(key.Partition, 0) >= 0 {
		return nil, errors.New("the partition of the key holds a zero byte, which separates it from the sort key")
	}
	b := append(partitionPrefix(key.Partition), key.Sort...)
	if len(b) > maxKey {
		return nil, fmt.Errorf("the key is %d bytes long, at most %d can be stored", len(b), maxKey)
	}
	return b, nil
}

// partitionPrefix is what the keys of a partition's records begin with, and no others.
func partitionPrefix(partition string) []byte { return append([]byte(partition), 0) }

// splitKey is the inverse of recordKey.
func splitKey(b []byte) (submsg.Key, error) {
	partition, sort, ok := strings.Cut(string(b), "\x00")
	if !ok {
		return submsg.Key{}, errDamaged
	}
	return submsg.Key{Partition: partition, Sort: sort}, nil
}

// encodeRecord makes the value that rec is stored as under key.
func encodeRecord(key []byte, rec submsg.Record) ([]byte, error) {
	if rec.Body == nil {
		return nil, errors.New("the record has no body: use Delete to remove it")
	}
	body, err := submsg.EncodeBody(rec.Body)
	if err != nil {
		return nil, fmt.Errorf("encoding the body: %w", err)
	}
	kind := rec.Body.Kind()
	if len(kind) > math.MaxUint8 {
		return nil, fmt.Errorf("the record kind %q is too long", kind)
	}
	b := make([]byte, checksumSize, headSize+1+len(kind)+len(body))
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Version))
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Due))
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Expires))
	b = append(append(append(b, byte(len(kind))), kind...), body...)
	seal(key, b)
	return b, nil
}

// head is what the store itself has to know of a record.
type head struct {
	version      submsg.Version
	due, expires submsg.Instant
}

// live reports whether a record with this head counts as stored at now.
func (h head) live(now submsg.Instant) bool { return h.expires == 0 || h.expires > now }

// decodeHead reads the head of the value stored under key.
func decodeHead(key, value []byte) (head, error) {
	if !sealed(key, value, headSize+1) {
		return head{}, errDamaged
	}
	return head{
		version: submsg.Version(binary.BigEndian.Uint64(value[checksumSize:])),
		due:     submsg.Instant(binary.BigEndian.Uint64(value[checksumSize+8:])),
		expires: submsg.Instant(binary.BigEndian.Uint64(value[checksumSize+16:])),
	}, nil
}

// decodeRecord reads the value stored under key; a nil value, and an expired record, are absent. The record
// shares no memory with value.
func decodeRecord(key submsg.Key, b, value []byte, now submsg.Instant) (submsg.Record, error) {
	if value == nil {
		return submsg.Record{Key: key}, nil
	}
	h, err := decodeHead(b, value)
	if err != nil {
		return submsg.Record{}, err
	}
	if !h.live(now) {
		return submsg.Record{Key: key}, nil
	}
	kindEnd := headSize + 1 + int(value[headSize])
	if kindEnd > len(value) {
		return submsg.Record{}, errDamaged
	}
	body, err := submsg.DecodeBody(string(value[headSize+1:kindEnd]), value[kindEnd:])
	if err != nil {
		return submsg.Record{}, err
	}
	return submsg.Record{Key: key, Version: h.version, Due: h.due, Expires: h.expires, Body: body}, nil
}

// dueKey spells a key of the due bucket. Instants before 1970 do not occur and would sort last.
func dueKey(shard int, due submsg.Instant, key []byte) []byte {
	b := make([]byte, 0, duePrefix+len(key))
	b = append(b, byte(shard))
	b = binary.BigEndian.AppendUint64(b, uint64(due))
	return append(b, key...)
}

// dueValue is what is stored under a due key: the expiry, so that reading the index needs no record.
func dueValue(key []byte, expires submsg.Instant) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, checksumSize, dueValueSize), uint64(expires))
	seal(key, b)
	return b
}

// decodeDue reads an entry of the due bucket.
func decodeDue(key, value []byte) (item submsg.DueItem, expires submsg.Instant, err error) {
	if len(key) <= duePrefix || !sealed(key, value, dueValueSize) {
		return submsg.DueItem{}, 0, errDamaged
	}
	item.Due = submsg.Instant(binary.BigEndian.Uint64(key[1:]))
	item.Key, err = splitKey(key[duePrefix:])
	return item, submsg.Instant(binary.BigEndian.Uint64(value[checksumSize:])), err
}
