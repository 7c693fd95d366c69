// The consumer that teams write with kafka-go, for bench/kills to hold beside the engine: what the guides show, with
// their plain mistakes mended (errors are checked, the counter is swapped under a lock, dead letters are awaited, an
// offset is committed after the work). What is left is what the library's users live with.
//
//	kafka-go orders TOPIC GROUP   retries, dead letters; leaves the lines of tests/support/effects_app.cpp
//	kafka-go views TOPIC GROUP    counts page views into Redis every second
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
)

const attempts = 3

func reader(topic, group string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{os.Getenv("KAFKA_BROKERS")}, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset,
		MinBytes: 1, MaxBytes: 10e6, MaxWait: 250 * time.Millisecond,
		SessionTimeout: 6 * time.Second, HeartbeatInterval: 2 * time.Second,
	})
}

// orders: fetch, work with retries, dead-letter what cannot be done, commit.
func orders(ctx context.Context, topic, group string) error {
	from := reader(topic, group)
	defer from.Close()
	dead := &kafka.Writer{Addr: kafka.TCP(os.Getenv("KAFKA_BROKERS")), Topic: topic + ".dlq",
		Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond}
	defer dead.Close()
	for {
		m, err := from.FetchMessage(ctx)
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		for attempt := 1; attempt <= attempts; attempt++ {
			if err = process(m, attempt); err == nil || errors.Is(err, permanent) {
				break
			}
			time.Sleep(time.Duration(attempt) * 100 * time.Millisecond)
		}
		if err != nil {
			headers := append(m.Headers, kafka.Header{Key: "original-offset", Value: []byte(fmt.Sprint(m.Offset))},
				kafka.Header{Key: "original-partition", Value: []byte(fmt.Sprint(m.Partition))})
			if err := dead.WriteMessages(ctx, kafka.Message{Key: m.Key, Value: m.Value, Headers: headers}); err != nil {
				return err
			}
		}
		if err := from.CommitMessages(ctx, m); err != nil && ctx.Err() == nil {
			log.Printf("commit: %v", err)
		}
	}
}

// views: counts in memory, adds them to Redis every second, commits what was added.
func views(ctx context.Context, topic, group string) error {
	from := reader(topic, group)
	defer from.Close()
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return err
	}
	to := redis.NewClient(options)
	defer to.Close()
	var lock sync.Mutex
	counts, last := map[string]int64{}, map[int]kafka.Message{}
	flush := func() error {
		lock.Lock()
		added, done := counts, last
		counts, last = map[string]int64{}, map[int]kafka.Message{}
		lock.Unlock()
		if len(done) == 0 {
			return nil
		}
		pipe := to.Pipeline()
		for page, n := range added {
			pipe.IncrBy(context.Background(), "views:"+page, n)
		}
		if _, err := pipe.Exec(context.Background()); err != nil && len(added) > 0 {
			return err
		}
		var read []kafka.Message
		for _, m := range done {
			read = append(read, m)
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
	for {
		m, err := from.FetchMessage(ctx)
		if ctx.Err() != nil {
			return flush()
		} else if err != nil {
			return err
		}
		var event struct {
			Type    string            `json:"type"`
			Payload map[string]string `json:"payload"`
		}
		bad := json.Unmarshal(m.Value, &event)
		lock.Lock()
		if bad == nil && event.Type == "page_view" {
			counts[event.Payload["path"]]++
		}
		last[m.Partition] = m
		lock.Unlock()
	}
}

var permanent = errors.New("told to fail for good")

// process does what the event's JSON says, as effects_app.cpp does.
func process(m kafka.Message, attempt int) error {
	note(m, attempt, "start", "-")
	var todo struct {
		SleepMs   int    `json:"sleep_ms"`
		Fail      string `json:"fail"`
		FailTimes *int   `json:"fail_times"`
	}
	if err := json.Unmarshal(m.Value, &todo); err != nil {
		return err
	}
	time.Sleep(time.Duration(todo.SleepMs) * time.Millisecond)
	if todo.Fail == "" || (todo.FailTimes != nil && attempt > *todo.FailTimes) {
		note(m, attempt, "end", "success")
		return nil
	}
	note(m, attempt, "end", todo.Fail)
	if todo.Fail == "permanent" {
		return permanent
	}
	return errors.New("told to fail")
}

var effects, _ = os.OpenFile(os.Getenv("TROUPE_EFFECTS"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)

func note(m kafka.Message, attempt int, phase, outcome string) {
	var now syscall.Timespec
	const monotonic = 1
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&now)), 0)
	line := fmt.Sprintf("%s %d %d %s %d %d %s %s %d %s\n", m.Topic, m.Partition, m.Offset, encoded(m.Key), attempt,
		os.Getpid(), phase, outcome, now.Nano(), encoded(m.Value))
	if _, err := effects.WriteString(line); err != nil {
		log.Fatal(err)
	}
}

func encoded(text []byte) string {
	if len(text) > 200 {
		text = text[:200]
	}
	var out strings.Builder
	for _, c := range text {
		if c > 0x20 && c < 0x7f && c != '%' && c != '-' {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func main() {
	run := map[string]func(context.Context, string, string) error{"orders": orders, "views": views}
	if len(os.Args) != 4 || run[os.Args[1]] == nil {
		log.Fatal("usage: kafka-go orders|views TOPIC GROUP")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run[os.Args[1]](ctx, os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
