package kafka

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// leastRetention is long enough to notice and to end an outage.
const leastRetention = 24 * time.Hour

// lookTimeout bounds the look at a topic's settings for warnings.
const lookTimeout = 2 * time.Second

// settings are those of a topic that decide what it keeps.
type settings struct {
	replicas     int    // of the partition with the fewest; 0: not known
	minInSync    string // "": not known
	uncleanElect string // "true": a replica that lacks messages may become the leader
	flush        string // messages after which a broker syncs; "1": each
	cleanup      string // what happens to old messages: delete, compact or both
	keepsFor     string // milliseconds; "-1": for ever
	keepsBytes   string // of a partition; "-1": all
}

// warnOfLoss logs what a topic can lose of what it has acknowledged, as far as a client
// can see. The driver's own topics wait for all in-sync replicas.
func (d Driver) warnOfLoss(ctx context.Context, client *kgo.Client, topic string) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	log := queue.Logger(d.Log).With("topic", topic)
	s, err := look(ctx, client, topic)
	if err != nil {
		log.Debug("cannot look at the topic's settings", "err", err)
		return
	}
	s.warn(log)
}

func (s settings) warn(log *slog.Logger) {
	if s.replicas == 1 && s.flush != "1" {
		log.Warn("topic has one replica: Kafka acknowledges messages before it syncs them, so a power cut of the broker loses them; use three replicas on different machines and min.insync.replicas=2")
	}
	if s.replicas > 1 && s.minInSync == "1" {
		log.Warn("one replica is enough to acknowledge a message: it is lost with that replica while the others lag; set min.insync.replicas to 2", "replicas", s.replicas)
	}
	if s.uncleanElect == "true" {
		log.Warn("a replica that lacks messages may become the leader, which loses them: set unclean.leader.election.enable to false")
	}
	if strings.Contains(s.cleanup, "compact") {
		log.Warn("topic keeps only the newest message of each key, and loses others before they are handled: set cleanup.policy to delete", "cleanup_policy", s.cleanup)
	}
	if n, err := strconv.ParseInt(s.keepsBytes, 10, 64); err == nil && n >= 0 {
		log.Warn("topic deletes the oldest messages of a full partition, also those that are not handled: set retention.bytes to -1", "retention_bytes", n)
	}
	if n, err := strconv.ParseInt(s.keepsFor, 10, 64); err == nil && n >= 0 && time.Duration(n)*time.Millisecond < leastRetention {
		log.Warn("topic deletes messages after less than a day, also those that are not handled: set retention.ms to longer than any outage", "retention", time.Duration(n)*time.Millisecond)
	}
}

func look(ctx context.Context, client *kgo.Client, topic string) (settings, error) {
	var s settings
	places := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	places.Topics = append(places.Topics, t)
	placed, err := places.RequestWith(ctx, client)
	if err != nil {
		return s, err
	}
	for _, t := range placed.Topics {
		for _, p := range t.Partitions {
			if n := len(p.Replicas); s.replicas == 0 || n < s.replicas {
				s.replicas = n
			}
		}
	}
	configs := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	configs.Resources = append(configs.Resources, r)
	configured, err := configs.RequestWith(ctx, client)
	if err != nil {
		return s, err
	}
	for _, r := range configured.Resources { // empty without the permission to describe them
		for _, c := range r.Configs {
			if c.Value == nil {
				continue
			}
			switch c.Name {
			case "min.insync.replicas":
				s.minInSync = *c.Value
			case "unclean.leader.election.enable":
				s.uncleanElect = *c.Value
			case "flush.messages":
				s.flush = *c.Value
			case "cleanup.policy":
				s.cleanup = *c.Value
			case "retention.ms":
				s.keepsFor = *c.Value
			case "retention.bytes":
				s.keepsBytes = *c.Value
			}
		}
	}
	return s, nil
}
