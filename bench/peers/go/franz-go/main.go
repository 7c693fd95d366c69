// What teams write with franz-go.
//
//	franz-go views    one loop counts page views into Redis every second
//	franz-go orders   5 ms for each, a goroutine for each partition
//	franz-go latency  notes when each order came
//	franz-go produce  the same event with KEYS different keys, without end
//	franz-go ingest   HTTP in, Kafka out
package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"troupe/bench/peers/judge"
)

func client(further ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(further, kgo.SeedBrokers(judge.Setting("KAFKA_BROKERS")))...)
	judge.Must(err)
	return made
}

func consumer(further ...kgo.Opt) *kgo.Client {
	return client(append(further, kgo.ConsumerGroup(judge.Setting("GROUP")), kgo.ConsumeTopics(judge.Setting("TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(2*time.Second), kgo.FetchMaxWait(250*time.Millisecond))...)
}

func producer() *kgo.Client {
	return client(kgo.DefaultProduceTopic(judge.Setting("TOPIC")), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(time.Millisecond), kgo.MaxBufferedRecords(100_000),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
}

// each hands what is fetched to `handle`, until the end.
func each(ctx context.Context, from *kgo.Client, handle func(*kgo.Record)) {
	for {
		fetched := from.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		for _, failed := range fetched.Errors() {
			judge.Must(failed.Err)
		}
		fetched.EachRecord(handle)
	}
}

func views(ctx context.Context) error {
	from, to, book := consumer(kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll()), judge.Redis(), judge.OpenLogbook()
	defer to.Close()
	defer from.CloseAllowingRebalance()
	counts := map[string]int64{}
	flush := func() {
		judge.Must(judge.AddViews(to, counts))
		judge.Must(from.CommitUncommittedOffsets(context.Background()))
		clear(counts)
	}
	next := time.Now().Add(time.Second)
	for {
		wait, cancel := context.WithDeadline(ctx, next)
		fetched := from.PollFetches(wait)
		cancel()
		fetched.EachRecord(func(r *kgo.Record) {
			if path, counted := judge.PathOf(r.Value); counted {
				counts[path]++
			}
			book.Count()
		})
		if now := time.Now(); ctx.Err() != nil || now.After(next) {
			flush()
			next = now.Add(time.Second)
		}
		if ctx.Err() != nil {
			return nil
		}
		from.AllowRebalance()
	}
}

func orders(ctx context.Context) error {
	from, book := consumer(kgo.AutoCommitMarks(), kgo.AutoCommitInterval(time.Second)), judge.OpenLogbook()
	defer from.Close()
	var all sync.WaitGroup
	partitions := map[int32]chan *kgo.Record{}
	each(ctx, from, func(r *kgo.Record) {
		to, there := partitions[r.Partition]
		if !there {
			to = make(chan *kgo.Record, 1000)
			partitions[r.Partition] = to
			all.Add(1)
			go func() {
				defer all.Done()
				for r := range to {
					judge.Work(r.Value, book)
					from.MarkCommitRecords(r)
				}
			}()
		}
		select {
		case to <- r:
		case <-ctx.Done():
		}
	})
	for _, to := range partitions {
		close(to)
	}
	all.Wait()
	return nil
}

func latency(ctx context.Context) error {
	from, book := consumer(), judge.OpenLogbook()
	defer from.Close()
	each(ctx, from, func(r *kgo.Record) {
		order := judge.OrderOf(r.Value)
		book.Done(order, order.At)
	})
	return nil
}

func produce(ctx context.Context) error {
	to := producer()
	defer to.Close()
	value, keys := []byte(judge.Setting("VALUE")), judge.Number("KEYS")
	report := func(_ *kgo.Record, err error) { judge.Must(err) }
	for i := 0; ctx.Err() == nil; i++ {
		to.Produce(context.Background(), &kgo.Record{Key: []byte("device-" + strconv.Itoa(i%keys+1)), Value: value}, report)
	}
	return to.Flush(context.Background())
}

func ingest(ctx context.Context) error {
	to := producer()
	defer to.Close()
	return judge.Ingest(ctx, func(ctx context.Context, key, value []byte) error {
		return to.ProduceSync(ctx, &kgo.Record{Key: key, Value: value}).FirstErr()
	})
}

func main() {
	judge.Main(map[string]func(context.Context) error{"views": views, "orders": orders, "latency": latency,
		"produce": produce, "ingest": ingest})
}
