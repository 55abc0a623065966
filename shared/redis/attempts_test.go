package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// reply is what a server answered.
type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}

// Redis 7 passes an error of a command in a script on; up to 6.2 it stands at the end of a text of the script's own.
var shapes = map[string]string{
	"as it is":                   "%s",
	"from a script on Redis 7":   "%s script: 8a9d2c0fb5a3c39ba1d3a2f4a8d1f6ba2c9e1e00, on @user_script:12.",
	"from a script on Redis 6.2": "ERR Error running script (call to f_8a9d2c0fb5a3c39ba1d3a2f4a8d1f6ba2c9e1e00): @user_script:12: @user_script: 12: -%s",
}

func TestAReplyMeansTheSameInAndOutOfAScript(t *testing.T) {
	for text, want := range map[string]struct {
		repeated bool
		advice   string
	}{
		"READONLY You can't write against a read only replica.":                                   {true, "store.url leads to a replica"},
		"NOREPLICAS Not enough good replicas to write.":                                           {true, "min-replicas-to-write"},
		"OOM command not allowed when used memory > 'maxmemory'.":                                 {false, "memory is full"},
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist": {false, "cannot save to its disk"},
		"LOADING Redis is loading the dataset in memory":                                          {true, ""},
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":        {true, ""},
		"CLUSTERDOWN The cluster is down":                                                         {true, ""},
		"TRYAGAIN Multiple keys request during rehashing of slot":                                 {true, ""},
		"ERR max number of clients reached":                                                       {true, ""},
		"ERR unknown command - READONLY":                                                          {false, ""},
		"WRONGTYPE Operation against a key holding the wrong kind of value":                       {false, ""},
	} {
		for shape, format := range shapes {
			err := fmt.Errorf("wrapped: %w", reply(fmt.Sprintf(format, text)))
			if got := worthRepeating(err); got != want.repeated {
				t.Errorf("%s %s: repeated %t, want %t", text, shape, got, want.repeated)
			}
			told := explain("saving", err)
			if !strings.Contains(told.Error(), want.advice) || want.advice == "" && strings.HasSuffix(told.Error(), ")") || !errors.Is(told, err) {
				t.Errorf("%s %s is explained as %v", text, shape, told)
			}
			if mayHaveActed(err) {
				t.Errorf("%s %s is taken for a lost answer", text, shape)
			}
		}
	}
}
