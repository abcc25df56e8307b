// Package kafkatest runs franz-go's fake broker, which speaks Kafka's protocol, on
// loopback for tests. The broker is a process of its own: a test can kill it, and does
// not count its goroutines.
package kafkatest

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bucketsum/bucketsum/testenv/freeport"
	"github.com/bucketsum/bucketsum/testenv/subprocess"
)

// These environment variables turn a test binary into a broker that stores in the folder.
const (
	serverFolder     = "TEST_KAFKA_SERVER_FOLDER"
	serverPort       = "TEST_KAFKA_SERVER_PORT"
	serverPartitions = "TEST_KAFKA_SERVER_PARTITIONS"
)

// Main must be called first in the TestMain of a package that calls Start, because the
// broker is the test binary itself. In a broker process Main runs the broker and does not
// return.
func Main() {
	subprocess.Main(serverFolder, func(folder string) error {
		port, _ := strconv.Atoi(os.Getenv(serverPort))
		partitions, _ := strconv.Atoi(os.Getenv(serverPartitions))
		return serve(folder, port, partitions)
	})
}

// serve runs a broker until its standard input ends.
func serve(folder string, port, partitions int) error {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DefaultNumPartitions(partitions),
		kfake.DataDir(folder), kfake.GroupMinSessionTimeout(100*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer cluster.Close()
	fmt.Println(cluster.ListenAddrs()[0])
	io.Copy(io.Discard, os.Stdin) // until the test ends
	return nil
}

// Server is a cluster of one broker.
type Server struct {
	t          testing.TB
	folder     string
	partitions int // of a topic
	port       string
	address    string

	process *subprocess.Process
}

// Start starts a cluster, which is killed at the end of the test.
func Start(t testing.TB, partitions int) *Server {
	t.Helper()
	s := &Server{t: t, folder: t.TempDir(), partitions: partitions, port: freeport.Find(t)}
	s.Resume()
	t.Cleanup(s.Kill)
	return s
}

// Resume starts a killed broker again, at the same address and with the messages that it
// has stored.
func (s *Server) Resume() {
	s.t.Helper()
	s.process = subprocess.Start(s.t, serverFolder+"="+s.folder, serverPort+"="+s.port,
		serverPartitions+"="+strconv.Itoa(s.partitions))
	s.address = s.process.Line()
}

// Kill ends the broker as a crash does.
func (s *Server) Kill() { s.process.Kill() }

// Partitions returns the number of partitions of a new topic.
func (s *Server) Partitions() int { return s.partitions }

// Address returns the broker's HOST:PORT.
func (s *Server) Address() string { return s.address }

// URL returns the URL of a topic with these parameters.
func (s *Server) URL(topic, parameters string) string {
	return fmt.Sprintf("kafka://%s/%s?%s", s.address, topic, parameters)
}

// Left returns the number of messages of a topic after the committed offsets of a group.
func (s *Server) Left(topic, group string) int64 {
	s.t.Helper()
	ctx, client := s.client()
	defer client.Close()
	fetch := kmsg.NewPtrOffsetFetchRequest()
	of := kmsg.NewOffsetFetchRequestGroup()
	of.Group = group
	fetch.Groups, fetch.Group = append(fetch.Groups, of), group
	ends := kmsg.NewPtrListOffsetsRequest()
	ends.ReplicaID = -1
	in := kmsg.NewListOffsetsRequestTopic()
	in.Topic = topic
	for n := range s.partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = int32(n), -1 // the latest
		in.Partitions = append(in.Partitions, p)
	}
	ends.Topics = append(ends.Topics, in)
	end, err := ends.RequestWith(ctx, client)
	if err != nil {
		s.t.Fatal(err)
	}
	var left int64
	for _, t := range end.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				s.t.Fatal(err)
			}
			left += p.Offset
		}
	}
	committed, err := fetch.RequestWith(ctx, client)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, g := range committed.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if t.Topic == topic {
					left -= max(p.Offset, 0)
				}
			}
		}
	}
	return left
}

// Evict removes all members from a group, as a coordinator does that gets no heartbeats.
func (s *Server) Evict(group string) {
	s.t.Helper()
	ctx, client := s.client()
	defer client.Close()
	members := s.describe(ctx, client, group)
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	for _, m := range members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = m.MemberID
		leave.Members = append(leave.Members, member)
	}
	response, err := leave.RequestWith(ctx, client)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range response.Members {
		if err := kerr.ErrorForCode(m.ErrorCode); err != nil {
			s.t.Fatal(err)
		}
	}
	if len(leave.Members) == 0 {
		s.t.Fatal("the group has no members")
	}
}

// Members returns the ids of the members of a settled group that consume a topic. A
// member that comes back after an eviction has another id, and knows what it lost.
func (s *Server) Members(group, topic string) (ids []string) {
	s.t.Helper()
	ctx, client := s.client()
	defer client.Close()
	for _, m := range s.describe(ctx, client, group) {
		var consumes kmsg.ConsumerMemberMetadata
		if len(m.ProtocolMetadata) == 0 {
			return nil // the group is not settled
		}
		if err := consumes.ReadFrom(m.ProtocolMetadata); err != nil {
			s.t.Fatal(err)
		}
		if slices.Contains(consumes.Topics, topic) {
			ids = append(ids, m.MemberID)
		}
	}
	return ids
}

func (s *Server) describe(ctx context.Context, client *kgo.Client, group string) []kmsg.DescribeGroupsResponseGroupMember {
	s.t.Helper()
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{group}
	groups, err := describe.RequestWith(ctx, client)
	if err != nil {
		s.t.Fatal(err)
	}
	return groups.Groups[0].Members
}

func (s *Server) client() (context.Context, *kgo.Client) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.address))
	if err != nil {
		s.t.Fatal(err)
	}
	return s.t.Context(), client
}
