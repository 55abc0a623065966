package redis

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

const (
	// keepAfter is how long Redis keeps a record after its end. The scripts decide by the caller's clock
	// whether it counts; Redis, which has another, only takes out the rubbish.
	keepAfter = time.Hour

	// forever is from when on an end is none to Redis.
	forever = 100 * 365 * 24 * time.Hour
)

// encode is the value of a record: a line of "version expires due kind", then the body as JSON. One string
// takes a third less memory than a hash with the same fields, whose long values cost it its compact form.
func encode(rec submsg.Record, version submsg.Version) ([]byte, error) {
	if rec.Body == nil {
		return nil, errors.New("the record has no body: use Delete to remove it")
	}
	body, err := submsg.EncodeBody(rec.Body)
	if err != nil {
		return nil, err
	}
	if rec.Due < 0 || rec.Expires < 0 {
		return nil, fmt.Errorf("due %d or expires %d lies before 1970", rec.Due, rec.Expires)
	}
	value := make([]byte, 0, len(body)+96)
	value = fmt.Appendf(value, "%d %d %d %s\n", version, rec.Expires, rec.Due, rec.Body.Kind())
	return append(value, body...), nil
}

// decode is the inverse of encode. Its errors name the kind, never the key.
func decode(key submsg.Key, value []byte) (submsg.Record, error) {
	rec := submsg.Record{Key: key}
	line, body, found := bytes.Cut(value, []byte{'\n'})
	fields := strings.Split(string(line), " ")
	if !found || len(fields) != 4 {
		return rec, fmt.Errorf("a %s record does not begin with version, expires, due and kind: it was not written by this program", kindOf(key))
	}
	var numbers [3]int64
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return rec, fmt.Errorf("a %s record does not begin with three whole numbers: it was not written by this program", kindOf(key))
		}
	}
	rec.Version, rec.Expires, rec.Due = submsg.Version(numbers[0]), submsg.Instant(numbers[1]), submsg.Instant(numbers[2])
	var err error
	rec.Body, err = submsg.DecodeBody(fields[3], body)
	return rec, err
}

// keep is how many milliseconds Redis is to keep a record; 0 is forever.
func keep(expires, now submsg.Instant) int64 {
	if expires == 0 {
		return 0
	}
	left := max(int64(expires)-int64(now), 0)
	if left > forever.Milliseconds() {
		return 0
	}
	return left + keepAfter.Milliseconds()
}

// kindOf is the part of a key that may appear in an error text: the rest may hold an openid.
func kindOf(key submsg.Key) string {
	kind, _, _ := strings.Cut(key.Partition, "#")
	return kind
}
