package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"troupe/bench/peers/judge"
)

const attempts = 3

// kills: fetch, work with retries, dead-letter what cannot be done, commit. Leaves the lines of
// tests/support/effects_app.cpp.
func kills(ctx context.Context) error {
	from := reader(0)
	defer from.Close()
	dead := writer(judge.Setting("TOPIC")+".dlq", 5*time.Millisecond, 100)
	defer dead.Close()
	return each(ctx, from, func(m kafka.Message) error {
		var err error
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
		return nil
	})
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
	line := fmt.Sprintf("%s %d %d %s %d %d %s %s %d %s\n", m.Topic, m.Partition, m.Offset, encoded(m.Key), attempt,
		os.Getpid(), phase, outcome, judge.Now(), encoded(m.Value))
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
