package redistest

import (
	"net"
	"strings"
	"testing"
)

// slots is how many a cluster has.
const slots = 16384

// Cluster is a running cluster.
type Cluster struct {
	Masters  []*Server
	Replicas []*Server // Replicas[i] follows Masters[i], if there are any
}

// StartCluster starts a cluster that ends with the test: masters with equal ranges of slots, and one replica
// for each if replicas is true. A master that is silent for a second is replaced.
func StartCluster(t testing.TB, masters int, replicas bool) *Cluster {
	t.Helper()
	c := new(Cluster)
	var all []*Server
	buses := make(map[*Server]string)
	start := func() *Server {
		bus := FreePort(t)
		s := Start(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", bus, "--cluster-node-timeout", "1000")
		buses[s] = bus
		all = append(all, s)
		return s
	}
	for i := range masters {
		s := start()
		s.Do("CLUSTER", "ADDSLOTSRANGE", slots*i/masters, slots*(i+1)/masters-1)
		c.Masters = append(c.Masters, s)
	}
	if replicas {
		for range masters {
			c.Replicas = append(c.Replicas, start())
		}
	}
	for i, s := range all {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	for _, s := range all[1:] {
		host, port, _ := net.SplitHostPort(s.Addr)
		all[0].Do("CLUSTER", "MEET", host, port, buses[s])
	}
	for _, s := range all {
		s.WaitFor("cluster_state:ok", "CLUSTER", "INFO")
		for _, other := range all {
			s.WaitFor(strings.TrimSpace(other.Do("CLUSTER", "MYID")), "CLUSTER", "NODES")
		}
	}
	for i, s := range c.Replicas {
		s.Do("CLUSTER", "REPLICATE", c.Masters[i].Do("CLUSTER", "MYID"))
		s.WaitFor("master_link_status:up", "INFO", "replication")
		c.Masters[i].WaitFor("state=online", "INFO", "replication")
	}
	return c
}

// URL is the cluster's address as store.url has it.
func (c *Cluster) URL() string {
	url := "redis+cluster://" + c.Masters[0].Addr
	separator := "?"
	for _, s := range append(c.Masters[1:len(c.Masters):len(c.Masters)], c.Replicas...) {
		url += separator + "addr=" + s.Addr
		separator = "&"
	}
	return url
}
