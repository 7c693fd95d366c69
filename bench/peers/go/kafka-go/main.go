// What teams write with kafka-go: what the guides show, with their plain mistakes mended (errors are checked, the
// counter is swapped under a lock, dead letters are awaited, an offset is committed after the work). What is left is
// what the library's users live with.
//
//	kafka-go views    counts page views into Redis every second
//	kafka-go orders   5 ms for each; READERS of them, commits COMMIT_EVERY (0s: each by itself)
//	kafka-go latency  notes when each order came
//	kafka-go produce  the same event with KEYS different keys, without end
//	kafka-go ingest   HTTP in, Kafka out
//	kafka-go kills    orders with retries and dead letters, for bench/kills
package main

import (
	"context"
	"log"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"troupe/bench/peers/judge"
)

func reader(commitEvery time.Duration) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{judge.Setting("KAFKA_BROKERS")}, GroupID: judge.Setting("GROUP"), Topic: judge.Setting("TOPIC"),
		StartOffset: kafka.FirstOffset, MinBytes: 1, MaxBytes: 10e6, MaxWait: 250 * time.Millisecond,
		SessionTimeout: 6 * time.Second, HeartbeatInterval: 2 * time.Second, CommitInterval: commitEvery,
	})
}

func writer(topic string, batch time.Duration, size int) *kafka.Writer {
	return &kafka.Writer{Addr: kafka.TCP(judge.Setting("KAFKA_BROKERS")), Topic: topic, Balancer: kafka.Murmur2Balancer{},
		RequiredAcks: kafka.RequireAll, BatchTimeout: batch, BatchSize: size}
}

// each hands what one reader fetches to `handle`, until the end.
func each(ctx context.Context, from *kafka.Reader, handle func(kafka.Message) error) error {
	for {
		m, err := from.FetchMessage(ctx)
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		if err := handle(m); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// views: counts in memory, adds them to Redis every second, commits what was added.
func views(ctx context.Context) error {
	from, to, book := reader(0), judge.Redis(), judge.OpenLogbook()
	defer from.Close()
	defer to.Close()
	var lock sync.Mutex
	counts, last := map[string]int64{}, map[int]kafka.Message{}
	flush := func() error {
		lock.Lock()
		added, done := counts, last
		counts, last = map[string]int64{}, map[int]kafka.Message{}
		lock.Unlock()
		if err := judge.AddViews(to, added); err != nil {
			return err
		}
		var read []kafka.Message
		for _, m := range done {
			read = append(read, m)
		}
		if len(read) == 0 {
			return nil
		}
		return from.CommitMessages(context.Background(), read...)
	}
	go func() {
		for range time.Tick(time.Second) {
			if err := flush(); err != nil {
				log.Fatalf("flush: %v", err)
			}
		}
	}()
	err := each(ctx, from, func(m kafka.Message) error {
		path, counted := judge.PathOf(m.Value)
		lock.Lock()
		if counted {
			counts[path]++
		}
		last[m.Partition] = m
		lock.Unlock()
		book.Count()
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

func orders(ctx context.Context) error {
	commitEvery, err := time.ParseDuration(judge.Setting("COMMIT_EVERY"))
	judge.Must(err)
	book := judge.OpenLogbook()
	var all sync.WaitGroup
	for range judge.Number("READERS") {
		all.Add(1)
		go func() {
			defer all.Done()
			from := reader(commitEvery)
			defer from.Close()
			judge.Must(each(ctx, from, func(m kafka.Message) error {
				judge.Work(m.Value, book)
				return from.CommitMessages(ctx, m)
			}))
		}()
	}
	all.Wait()
	return nil
}

func latency(ctx context.Context) error {
	from, book := reader(time.Second), judge.OpenLogbook()
	defer from.Close()
	return each(ctx, from, func(m kafka.Message) error {
		order := judge.OrderOf(m.Value)
		book.Done(order, order.At)
		return from.CommitMessages(ctx, m)
	})
}

func produce(ctx context.Context) error {
	const writers, batch = 8, 5000
	to := writer(judge.Setting("TOPIC"), time.Millisecond, 10_000)
	value, keys := []byte(judge.Setting("VALUE")), judge.Number("KEYS")
	var all sync.WaitGroup
	for w := range writers {
		all.Add(1)
		go func() {
			defer all.Done()
			events := make([]kafka.Message, batch)
			for i := w; ctx.Err() == nil; {
				for at := range events {
					events[at] = kafka.Message{Key: []byte("device-" + strconv.Itoa(i%keys+1)), Value: value}
					i += writers
				}
				judge.Must(to.WriteMessages(context.Background(), events...))
			}
		}()
	}
	all.Wait()
	return to.Close()
}

func ingest(ctx context.Context) error {
	to := writer(judge.Setting("TOPIC"), time.Millisecond, 100)
	defer to.Close()
	return judge.Ingest(ctx, func(ctx context.Context, key, value []byte) error {
		return to.WriteMessages(ctx, kafka.Message{Key: key, Value: value})
	})
}

func main() {
	judge.Main(map[string]func(context.Context) error{"views": views, "orders": orders, "latency": latency,
		"produce": produce, "ingest": ingest, "kills": kills})
}
