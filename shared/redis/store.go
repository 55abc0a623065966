// Package redis keeps records on a server that speaks the Redis protocol: the store of the Tencent Cloud
// deployment (TencentDB for Redis, KeeWiDB), on one server or in a cluster.
//
// Every write is one Lua script that decides by the stored version and changes the record and its two
// index entries together; all that a script touches is in one slot. What a failover may lose, and how
// to configure a server for a ledger, is in docs/stores.md.
package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

var _ submsg.Store = (*Store)(nil)

// scanBudget is how many index entries one script looks at besides those it returns: Redis does nothing else
// meanwhile.
const scanBudget = 1000

// Store is a submsg.Store on a Redis server or cluster.
type Store struct {
	settings
	keys    keys
	now     func() time.Time
	client  goredis.UniversalClient
	single  *goredis.Client        // client, unless it is a cluster
	cluster *goredis.ClusterClient // client, if it is a cluster
}

// Load implements submsg.Store: one round trip to each node that has some of the keys.
func (s *Store) Load(ctx context.Context, wanted ...submsg.Key) ([]submsg.Record, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	values := make([][]byte, len(wanted))
	err := s.retry(ctx, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		commands := make([]*goredis.StringCmd, len(wanted))
		for i, key := range wanted {
			commands[i] = pipe.Get(ctx, s.keys.record(key))
		}
		// Where a connection could not be had or the server refused the password, only Exec says so, and the
		// commands look as if they had found nothing: a ledger that seems empty. So both are asked, and an
		// empty value, which no record has, is an error too.
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, goredis.Nil) {
			return err
		}
		for i, command := range commands {
			switch value, err := command.Bytes(); {
			case errors.Is(err, goredis.Nil):
				values[i] = nil
			case err != nil:
				return err
			case len(value) == 0:
				return errNoAnswer
			default:
				values[i] = value
			}
		}
		return nil
	})
	if err != nil {
		return nil, explain(fmt.Sprintf("loading %d records (%s first)", len(wanted), kindOf(wanted[0])), err)
	}
	recs := make([]submsg.Record, len(wanted))
	now := submsg.At(s.now())
	for i, key := range wanted {
		recs[i].Key = key
		if values[i] == nil {
			continue
		}
		rec, err := decode(key, values[i])
		if err != nil {
			return nil, fmt.Errorf("redis: loading: %w", err)
		}
		if rec.Expires == 0 || rec.Expires > now {
			recs[i] = rec
		}
	}
	return recs, nil
}

// Save implements submsg.Store.
func (s *Store) Save(ctx context.Context, rec submsg.Record) (submsg.Version, error) {
	version := submsg.NewVersion()
	value, err := encode(rec, version)
	if err != nil {
		return 0, fmt.Errorf("redis: saving a %s record: %w", kindOf(rec.Key), err)
	}
	listedAs := rec.Key.Sort
	if listedAs == alone {
		listedAs = ""
	}
	now := submsg.At(s.now())
	err = s.write(ctx, "saving a "+kindOf(rec.Key)+" record", save, rec.Key,
		number(rec.Version), number(version), number(now), value, number(keep(rec.Expires, now)), number(rec.Due), name(rec.Key), listedAs)
	if err != nil {
		return 0, err
	}
	return version, nil
}

// Delete implements submsg.Store.
func (s *Store) Delete(ctx context.Context, key submsg.Key, version submsg.Version) error {
	return s.write(ctx, "deleting a "+kindOf(key)+" record", remove, key,
		number(version), number(submsg.At(s.now())), name(key), key.Sort)
}

// List implements submsg.Store: one script, and more only where a thousand entries have expired. The script
// also reads the one record that is not in the list index.
func (s *Store) List(ctx context.Context, partition, after string, limit int) ([]submsg.Record, error) {
	if limit <= 0 {
		return nil, nil
	}
	from, unlisted := "-", ""
	if after != "" {
		from = "(" + after
	}
	if after < alone {
		unlisted = alone
	}
	doing := "listing " + kindOf(submsg.Key{Partition: partition}) + " records"
	now := submsg.At(s.now())
	var recs []submsg.Record
	for from != "" && len(recs) < limit {
		found, err := s.read(ctx, doing, list, []string{s.keys.list(partition), s.keys.listed(partition)},
			from, strconv.Itoa(limit-len(recs)), number(now), strconv.Itoa(limit+scanBudget), unlisted)
		if err != nil {
			return nil, err
		}
		from, found[0] = found[0], unlisted
		for i := 0; i+1 < len(found); i += 2 {
			if found[i+1] == "" {
				continue // there is no unlisted one
			}
			rec, err := decode(submsg.Key{Partition: partition, Sort: found[i]}, []byte(found[i+1]))
			if err != nil {
				return nil, fmt.Errorf("redis: %s: %w", doing, err)
			}
			if rec.Expires == 0 || rec.Expires > now {
				recs = append(recs, rec)
			}
		}
		unlisted = ""
	}
	slices.SortFunc(recs, func(a, b submsg.Record) int { return strings.Compare(a.Key.Sort, b.Key.Sort) })
	return recs[:min(limit, len(recs))], nil
}

// Due implements submsg.Store. The index never lags.
func (s *Store) Due(ctx context.Context, shard int, until submsg.Instant, limit int) ([]submsg.DueItem, error) {
	if shard < 0 || shard >= submsg.DueShards {
		return nil, fmt.Errorf("redis: due: shard %d does not exist: shards are 0 to %d", shard, submsg.DueShards-1)
	}
	var items []submsg.DueItem
	for pass := "0"; pass != "" && len(items) < limit; {
		found, err := s.read(ctx, "looking for what is due", due, []string{s.keys.due(shard), s.keys.records(shard)},
			number(until), strconv.Itoa(limit-len(items)), number(submsg.At(s.now())), strconv.Itoa(limit+scanBudget), pass)
		if err != nil {
			return nil, err
		}
		pass = found[0]
		for i := 1; i+1 < len(found); i += 2 {
			key, ok := parseName(found[i])
			at, err := strconv.ParseInt(found[i+1], 10, 64)
			if !ok || err != nil {
				return nil, errors.New("redis: the due index holds what this program did not write")
			}
			items = append(items, submsg.DueItem{Key: key, Due: submsg.Instant(at)})
		}
	}
	return items, nil
}

// number spells versions and instants for a script.
func number[N submsg.Version | submsg.Instant | int64](n N) string {
	return strconv.FormatInt(int64(n), 10)
}
