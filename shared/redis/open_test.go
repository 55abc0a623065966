package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yuexin-dev/yuexin/shared/redis"
	"github.com/yuexin-dev/yuexin/shared/redistest"
	"github.com/yuexin-dev/yuexin/shared/submsg"
)

func TestAWrongURLIsSaidWithoutThePassword(t *testing.T) {
	for url, want := range map[string]string{
		"":                                          "is not set",
		"redis://u:hunter2%zz@h:1":                  "is not a URL",
		"redis://u:hunter2@h:port":                  "is not a URL",
		"http://u:hunter2@h":                        "want redis, rediss, redis+cluster or rediss+cluster",
		"redis://u:hunter2@":                        "names no host",
		"redis://u:hunter2@h/first":                 "invalid database number",
		"redis://u:hunter2@h?cluster=true":          "unexpected option: cluster",
		"redis+cluster://u:hunter2@h?db_nr=1":       "unexpected option: db_nr",
		"redis://u:hunter2@h?wait_replicas=some":    "wait_replicas",
		"redis://u:hunter2@h?wait_timeout=fast":     "wait_timeout",
		"redis://u:hunter2@h?prefix=%7Btag%7D":      "prefix must not contain",
		"redis://u:hunter2@h:1?wait_replicas=1&x=y": "unexpected option: x",
	} {
		_, err := redis.Open(redis.Config{URL: url})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) said %v, want %q in it and no password", url, err, want)
		}
		if checked := redis.CheckURL(url); checked == nil || !strings.HasSuffix(err.Error(), checked.Error()) {
			t.Errorf("CheckURL(%q) said %v, and Open %v", url, checked, err)
		}
	}
	for _, url := range []string{"redis://h", "rediss+cluster://u:hunter2@h:1?wait_replicas=1&prefix=p"} {
		if err := redis.CheckURL(url); err != nil {
			t.Errorf("CheckURL(%q) said %v", url, err)
		}
	}
}

// needed is the least that a user of the server needs, as docs/stores.md has it.
const needed = "~yuexin:* +ping +info +auth +hello +select +eval +evalsha +get +getrange +set +del +zadd +zrem +zrangebylex +zrangebyscore +wait"

// neededInACluster comes on top of it there.
const neededInACluster = "+cluster|slots +asking"

func TestAUserWithTheDocumentedRightsCanDoEverything(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do(words("ACL SETUSER ledger on >pass%word " + needed)...)
	store := open(t, redis.Config{URL: "redis://ledger:pass%25word@" + server.Addr})
	exercise(t, store)
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}

	t.Run("in a cluster too", func(t *testing.T) {
		cluster := redistest.StartCluster(t, 3, false)
		for _, node := range cluster.Masters {
			node.Do(words("ACL SETUSER ledger on >pass%word " + needed + " " + neededInACluster)...)
		}
		store := open(t, redis.Config{URL: "redis+cluster://ledger:pass%25word@" + cluster.Masters[0].Addr})
		exercise(t, store)
		if err := store.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("and one without them is told so, without the key", func(t *testing.T) {
		server.Do(words("ACL SETUSER stranger on >x ~other:* +@all")...)
		_, err := open(t, redis.Config{URL: "redis://stranger:x@" + server.Addr}).Load(t.Context(), key)
		if err == nil || !strings.Contains(err.Error(), "NOPERM") || strings.Contains(err.Error(), openid) {
			t.Errorf("Load said %v, want NOPERM and no openid", err)
		}
	})
}

// A client that takes a refused connection for a record that is not there would empty the ledger.
func TestAWrongPasswordIsNotAnEmptyLedger(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	cluster := redistest.StartCluster(t, 3, false)
	for _, url := range []string{
		"redis://ledger:wrong@" + server.Addr, "redis://ledger:wrong@" + server.Addr + "?wait_replicas=1",
		"redis+cluster://ledger:wrong@" + cluster.Masters[0].Addr, "redis+cluster://ledger:wrong@" + cluster.Masters[0].Addr + "?wait_replicas=1",
	} {
		store := open(t, redis.Config{URL: url})
		calls := map[string]func() error{
			"Load":        func() error { _, err := store.Load(t.Context(), key); return err },
			"Load of two": func() error { _, err := store.Load(t.Context(), key, submsg.TokenKey("wx1")); return err },
			"Save":        func() error { _, err := store.Save(t.Context(), submsg.Record{Key: key, Body: entry(1)}); return err },
			"Delete":      func() error { return store.Delete(t.Context(), key, 1) },
			"List":        func() error { _, err := store.List(t.Context(), key.Partition, "", 10); return err },
			"Due":         func() error { _, err := store.Due(t.Context(), 0, 1, 10); return err },
			"Check":       func() error { return store.Check(t.Context()) },
		}
		for name, call := range calls {
			if err := call(); err == nil || errors.Is(err, submsg.ErrConflict) || !strings.Contains(err.Error(), "WRONGPASS") {
				t.Errorf("%s with a wrong password said: %v", name, err)
			}
		}
	}
}

// words splits a command.
func words(command string) (args []any) {
	for _, word := range strings.Fields(command) {
		args = append(args, word)
	}
	return args
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir, roots := certificate(t)
	port := redistest.FreePort(t)
	redistest.Start(t, "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"), "--tls-ca-cert-file", filepath.Join(dir, "cert.pem"))
	url := "rediss://127.0.0.1:" + port
	exercise(t, open(t, redis.Config{URL: url, TLS: &tls.Config{RootCAs: roots}}))

	t.Run("a certificate that nobody vouches for is refused", func(t *testing.T) {
		if _, err := open(t, redis.Config{URL: url}).Load(t.Context(), key); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("Load said %v, want it to refuse the certificate", err)
		}
	})
}

// exercise makes a call of each kind.
func exercise(t *testing.T, s submsg.Store) {
	t.Helper()
	version, err := s.Save(t.Context(), submsg.Record{Key: key, Due: 5, Body: entry(1)})
	if err != nil {
		t.Fatal(err)
	}
	if due, err := s.Due(t.Context(), key.Shard(), 10, 10); err != nil || len(due) != 1 {
		t.Errorf("Due gave %v, %v", due, err)
	}
	if recs, err := s.List(t.Context(), key.Partition, "", 10); err != nil || len(recs) != 1 {
		t.Errorf("List gave %v, %v", recs, err)
	}
	if rec := stored(t, s); rec.Version != version {
		t.Errorf("Load gave version %d, want %d", rec.Version, version)
	}
	if err := s.Delete(t.Context(), key, version); err != nil {
		t.Error(err)
	}
}

func TestCheckFindsWhatIsWrongWithAServer(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	replica := redistest.Start(t, "--replicaof", strings.Replace(master.Addr, ":", " ", 1))
	check := func(url string) error { return open(t, redis.Config{URL: url}).Check(t.Context()) }

	if err := check(master.URL()); err != nil {
		t.Errorf("a server with an append-only file and without eviction: %v", err)
	}
	if err := check("redis+cluster://" + master.Addr); err == nil || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("a single server as a cluster: %v", err)
	}
	if err := check(replica.URL()); err == nil || !strings.Contains(err.Error(), "it is a slave") {
		t.Errorf("a replica: %v", err)
	}
	master.Do("CONFIG", "SET", "appendonly", "no")
	if err := check(master.URL()); !errors.Is(err, redis.ErrNoAppendOnly) {
		t.Errorf("without an append-only file: %v", err)
	}
	master.Do("CONFIG", "SET", "maxmemory-policy", "volatile-lru")
	if err := check(master.URL()); err == nil || !strings.Contains(err.Error(), "set noeviction") {
		t.Errorf("with eviction: %v", err)
	}
	node := redistest.Start(t, "--cluster-enabled", "yes", "--cluster-port", redistest.FreePort(t)) // by default the port plus 10000, which may be taken
	if err := check(node.URL()); err == nil || !strings.Contains(err.Error(), "write redis+cluster://") {
		t.Errorf("a node of a cluster as a single server: %v", err)
	}
}

// certificate makes a certificate for 127.0.0.1, in files and as the root that vouches for it.
func certificate(t *testing.T) (dir string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	write := func(name, kind string, data []byte) []byte {
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return text
	}
	write("key.pem", "PRIVATE KEY", private)
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(write("cert.pem", "CERTIFICATE", der))
	return dir, roots
}
