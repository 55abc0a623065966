package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/yuexin-dev/yuexin/shared/submsg"
)

// Config says which server to use.
type Config struct {
	// URL names the server, user and options:
	//
	//	redis://[user[:password]@]host[:port][/db][?option=value&…]    one server, or a proxy that hides a cluster
	//	redis+cluster://[user[:password]@]host[:port][?addr=host:port&…]    a cluster; addr names further nodes
	//	rediss://…, rediss+cluster://…    the same over TLS
	//
	// Options are go-redis's own (pool_size, read_timeout, dial_timeout, …) and
	//
	//	prefix         what every key begins with; default "yuexin:"
	//	wait_replicas  a write succeeds only when so many replicas have it (WAIT); default 0
	//	wait_timeout   how long to wait for them; default 500ms; keep it below read_timeout
	URL string

	TLS *tls.Config      // for rediss, instead of the system's roots; nil: those
	Now func() time.Time // the clock that records expire by; nil: time.Now
}

const (
	defaultPrefix      = "yuexin:"
	defaultPoolSize    = 64 // connections to a node, made as they are needed
	defaultReadTimeout = 2 * time.Second
	defaultWaitTimeout = 500 * time.Millisecond
)

// settings are the options of the URL that are the store's own.
type settings struct {
	cluster      bool
	prefix       string
	waitReplicas int
	waitTimeout  time.Duration
}

// Open makes a store. It connects at the first call; a wrong address or password shows then, or in Check.
// Its errors never show the URL, which holds the password.
func Open(c Config) (*Store, error) {
	set, address, err := parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("redis: store.url: %w", err)
	}
	s := &Store{settings: set, keys: keys{set.prefix}, now: c.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if set.cluster {
		o, err := goredis.ParseClusterURL(address)
		if err != nil {
			return nil, fmt.Errorf("redis: store.url: %w", err)
		}
		if o.TLSConfig != nil && c.TLS != nil {
			o.TLSConfig = c.TLS
		}
		o.Protocol, o.DisableIdentity = 2, true
		o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
		o.DisableRoutingPolicies = true // they ask COMMAND of the server, which proxies and ACLs refuse
		o.PoolSize, o.ReadTimeout = cmp.Or(o.PoolSize, defaultPoolSize), cmp.Or(o.ReadTimeout, defaultReadTimeout)
		cluster := goredis.NewClusterClient(o)
		cluster.OnNewNode(func(node *goredis.Client) { node.AddHook(watcher{}) })
		s.client, s.cluster = cluster, cluster
		return s, nil
	}
	o, err := goredis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("redis: store.url: %w", err)
	}
	if o.TLSConfig != nil && c.TLS != nil {
		o.TLSConfig = c.TLS
	}
	// RESP 2, and neither CLIENT SETINFO nor maintenance notifications: managed servers and their proxies
	// do not all know them.
	o.Protocol, o.DisableIdentity = 2, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// The store tries again by itself, since it must know which attempts may have acted.
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
	o.PoolSize, o.ReadTimeout = cmp.Or(o.PoolSize, defaultPoolSize), cmp.Or(o.ReadTimeout, defaultReadTimeout)
	single := goredis.NewClient(o)
	single.AddHook(watcher{})
	s.client, s.single = single, single
	return s, nil
}

// CheckURL tells what Open would say to a URL, without the password, and opens nothing.
func CheckURL(text string) error {
	set, address, err := parse(text)
	switch {
	case err != nil:
	case set.cluster:
		_, err = goredis.ParseClusterURL(address)
	default:
		_, err = goredis.ParseURL(address)
	}
	return err
}

// silent drops what go-redis would write to standard error, in a format of its own: what goes wrong is in
// the errors that the store returns.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// The logger is one for the whole process, and may only be set before the first client is made.
func init() { goredis.SetLogger(silent{}) }

// parse takes the store's own parts out of the URL; what it returns as address is for go-redis.
func parse(text string) (set settings, address string, err error) {
	if text == "" {
		return set, "", errors.New("is not set")
	}
	u, err := url.Parse(text)
	if err != nil {
		return set, "", errors.New("is not a URL (it is not shown here, since it may hold a password): does a character of the password want percent-encoding?")
	}
	u.Scheme, set.cluster = strings.CutSuffix(u.Scheme, "+cluster")
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return set, "", fmt.Errorf("begins with %q: want redis, rediss, redis+cluster or rediss+cluster", u.Scheme)
	}
	if u.Hostname() == "" {
		return set, "", errors.New("names no host")
	}
	query := u.Query()
	take := func(option string) string {
		value := query.Get(option)
		query.Del(option)
		return value
	}
	set.prefix, set.waitTimeout = defaultPrefix, defaultWaitTimeout
	if prefix := take("prefix"); prefix != "" {
		if strings.ContainsAny(prefix, "{}") {
			return set, "", errors.New("prefix must not contain { or }, which mark the part of a key that a cluster goes by")
		}
		set.prefix = prefix
	}
	if n := take("wait_replicas"); n != "" {
		if set.waitReplicas, err = strconv.Atoi(n); err != nil || set.waitReplicas < 0 {
			return set, "", fmt.Errorf("wait_replicas is %q: want a number of replicas", n)
		}
	}
	if d := take("wait_timeout"); d != "" {
		if set.waitTimeout, err = time.ParseDuration(d); err != nil || set.waitTimeout < time.Millisecond {
			return set, "", fmt.Errorf("wait_timeout is %q: want a duration, such as 500ms", d)
		}
	}
	u.RawQuery = query.Encode()
	return set, u.String(), nil
}

// Close closes the connections. Calls under way fail.
func (s *Store) Close() error { return s.client.Close() }

// ErrNoAppendOnly is in the error of Check where nothing else is wrong but that the server keeps no
// append-only file: what it acknowledged since its last snapshot is lost when it crashes.
var ErrNoAppendOnly = errors.New("the append-only file is off (appendonly no): a crash loses what was acknowledged since the last snapshot")

// Check asks every master whether it can be what the ledger is kept on, and returns everything that
// is wrong, or nil. What a managed server hides from INFO is left unexamined.
func (s *Store) Check(ctx context.Context) error {
	var problems []error
	look := func(ctx context.Context, node *goredis.Client) error {
		text, err := node.Info(ctx).Result()
		if err != nil {
			return err
		}
		problems = append(problems, examine(parseInfo(text), s.cluster != nil)...)
		return nil
	}
	err := s.retry(ctx, func(ctx context.Context) error {
		problems = nil
		if s.cluster == nil {
			return look(ctx, s.single)
		}
		masters, err := s.masters(ctx)
		if err != nil {
			return err
		}
		for _, node := range masters {
			if err := look(ctx, node); err != nil {
				return err
			}
		}
		// A key of each shard: a slot that nobody serves shows here.
		_, err = s.Load(ctx, everyShard()...)
		return err
	})
	if err != nil {
		return explain("checking the server", err)
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("redis: the server is not as this program needs it: %w", errors.Join(problems...))
}

// examine compares what INFO says with what the store needs.
func examine(info map[string]string, cluster bool) []error {
	var problems []error
	if mode := info["redis_mode"]; mode == "cluster" && !cluster {
		problems = append(problems, errors.New("it is a node of a cluster: write redis+cluster:// in store.url"))
	} else if mode == "standalone" && cluster {
		problems = append(problems, errors.New("it is no node of a cluster: write redis:// in store.url"))
	}
	if role := info["role"]; role != "" && role != "master" {
		problems = append(problems, fmt.Errorf("it is a %s: name the master in store.url", role))
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		problems = append(problems, fmt.Errorf("maxmemory-policy is %s: it would silently drop records when memory is full; set noeviction", policy))
	}
	if info["aof_enabled"] == "0" {
		problems = append(problems, ErrNoAppendOnly)
	}
	return problems
}

// parseInfo reads the lines "name:value" of INFO.
func parseInfo(text string) map[string]string {
	info := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

// masters are the masters of the cluster that have shards of ours.
func (s *Store) masters(ctx context.Context) ([]*goredis.Client, error) {
	var nodes []*goredis.Client
	seen := make(map[string]bool)
	for shard := range submsg.DueShards {
		node, err := s.cluster.MasterForKey(ctx, s.keys.due(shard))
		if err != nil {
			return nil, err
		}
		if addr := node.Options().Addr; !seen[addr] {
			seen[addr] = true
			nodes = append(nodes, node)
		}
	}
	return nodes, nil
}

// everyShard returns keys, one in each shard, under which nothing is stored.
func everyShard() []submsg.Key {
	found := make(map[int]submsg.Key)
	for n := 0; len(found) < submsg.DueShards; n++ {
		key := submsg.Key{Partition: "check#" + strconv.Itoa(n), Sort: alone}
		found[key.Shard()] = key
	}
	var all []submsg.Key
	for _, key := range found {
		all = append(all, key)
	}
	return all
}
