package submsg

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// AudienceShards is the number of shards one audience is spread over: the parallelism of a fan-out, and
// what keeps a million entries from sitting in one partition. Part of the data layout; it never changes.
const AudienceShards = 16

// shardOf spreads names evenly over n shards.
func shardOf(name string, n uint32) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32() % n)
}

// only is the sort key of a record that is alone in its partition.
const only = "-"

// SubscriberKey is where the subscriber is kept.
func SubscriberKey(appid, openid string) Key { return Key{"subscriber#" + appid + "#" + openid, only} }

// SendKey is where the send is kept.
func SendKey(appid, id string) Key { return Key{"send#" + appid + "#" + id, only} }

// HistoryPartition holds the history of a subscriber, newest first.
func HistoryPartition(appid, openid string) string { return "history#" + appid + "#" + openid }

// HistoryKey is where the history of one grant event is kept. Sort keys descend with time.
func HistoryKey(appid, openid string, at Instant, fingerprint uint64) Key {
	return Key{HistoryPartition(appid, openid), newestFirst(at) + fmt.Sprintf("%016x", fingerprint)}
}

// sameGrant reports whether two keys of one history are of the same grant, whenever it was.
func sameGrant(a, b Key) bool {
	_, x, _ := strings.Cut(a.Sort, "#")
	_, y, _ := strings.Cut(b.Sort, "#")
	return x == y
}

// UnsentPartition leads to the sends of a subscriber that did not go out, newest first.
func UnsentPartition(appid, openid string) string { return "unsent#" + appid + "#" + openid }

// UnsentKey is where the entry of one such send is kept; at is when it was asked for.
func UnsentKey(appid, openid string, at Instant, sendID string) Key {
	return Key{UnsentPartition(appid, openid), newestFirst(at) + sendID}
}

// newestFirst begins sort keys that descend with time.
func newestFirst(at Instant) string { return fmt.Sprintf("%015d#", 999_999_999_999_999-int64(at)) }

// AudiencePartition holds one shard of the audience of a template ("" topic) or of a topic in it.
func AudiencePartition(appid, templateID, topic string, shard int) string {
	return "audience#" + appid + "#" + templateID + "#" + strconv.Itoa(shard) + "#" + topic
}

// AudienceKey is where the subscriber's entry in that audience is kept.
func AudienceKey(appid, templateID, topic, openid string) Key {
	return Key{AudiencePartition(appid, templateID, topic, shardOf(openid, AudienceShards)), openid}
}

// ScheduleShards is the number of partitions an app's schedules are spread over: a million personal
// schedules that fall due at nine must not sit in one. Part of the data layout; it never changes.
const ScheduleShards = 16

// SchedulePartition holds one shard of the schedules of an app.
func SchedulePartition(appid string, shard int) string {
	return "schedule#" + appid + "#" + strconv.Itoa(shard)
}

// ScheduleKey is where the schedule is kept.
func ScheduleKey(appid, id string) Key {
	return Key{SchedulePartition(appid, shardOf(id, ScheduleShards)), id}
}

// JobPartition holds the jobs of one occurrence.
func JobPartition(appid, scheduleID string, occurrence Instant) string {
	return fmt.Sprintf("job#%s#%s#%d", appid, scheduleID, int64(occurrence))
}

// JobKey is where the job for one audience shard of an occurrence is kept.
func JobKey(appid, scheduleID string, occurrence Instant, shard int) Key {
	return Key{JobPartition(appid, scheduleID, occurrence), fmt.Sprintf("%04d", shard)}
}

// TemplatePartition holds the app's templates as WeChat listed them.
func TemplatePartition(appid string) string { return "template#" + appid }

// TemplateKey is where the synced template is kept.
func TemplateKey(appid, templateID string) Key { return Key{TemplatePartition(appid), templateID} }

// CounterPartition holds the figures of an app on one day.
func CounterPartition(appid, day string) string { return "counter#" + appid + "#" + day }

// CounterKey is where the figures of one template on one day are kept.
func CounterKey(appid, day, templateID string) Key {
	return Key{CounterPartition(appid, day), only + templateID}
}

// TokenKey is where the app's access token is kept.
func TokenKey(appid string) Key { return Key{"token#" + appid, only} }

// HealthKey is where the app's health at WeChat is kept.
func HealthKey(appid string) Key { return Key{"health#" + appid, only} }

// PlanPartition holds what schedules are planned for one subscriber.
func PlanPartition(appid, openid string) string { return "plan#" + appid + "#" + openid }

// PlanKey is where the entry for one schedule for that subscriber is kept.
func PlanKey(appid, openid, scheduleID string) Key {
	return Key{PlanPartition(appid, openid), scheduleID}
}

// NoticeKey is where a notice to the app's webhook waits.
func NoticeKey(appid, id string) Key { return Key{"notice#" + appid + "#" + id, only} }

// kindOf is the record kind that a key leads to: the part of the partition before the first '#'.
func kindOf(k Key) string {
	kind, _, _ := strings.Cut(k.Partition, "#")
	return kind
}

// IsJob reports whether the key leads to a job: work for a whole invocation.
func IsJob(k Key) bool { return kindOf(k) == KindJob }
