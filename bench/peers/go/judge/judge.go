// Package judge is what the Go programs of bench/run share: the logbook by which they are judged
// (bench/logbook.hpp), the events, and the counting of page views.
package judge

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/redis/go-redis/v9"
)

type entry struct {
	key, sequence int32
	begun, ended  int64
}

const head, size = 8, int64(unsafe.Sizeof(entry{}))

type Logbook struct {
	done    *int64
	entries []entry
}

// OpenLogbook maps the file LOGBOOK.
func OpenLogbook() Logbook {
	file, err := os.OpenFile(Setting("LOGBOOK"), os.O_RDWR, 0)
	Must(err)
	about, err := file.Stat()
	Must(err)
	bytes, err := syscall.Mmap(int(file.Fd()), 0, int(about.Size()), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	Must(err)
	book := Logbook{done: (*int64)(unsafe.Pointer(&bytes[0]))}
	if room := (about.Size() - head) / size; room > 0 {
		book.entries = unsafe.Slice((*entry)(unsafe.Pointer(&bytes[head])), room)
	}
	return book
}

func (b Logbook) Count() { atomic.AddInt64(b.done, 1) }

func (b Logbook) Done(o Order, begun int64) {
	if at := atomic.AddInt64(b.done, 1) - 1; at < int64(len(b.entries)) {
		b.entries[at] = entry{o.Key, o.Sequence, begun, Now()}
	}
}

// Now is CLOCK_MONOTONIC in nanoseconds.
func Now() int64 {
	var now syscall.Timespec
	const monotonic = 1
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, monotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

type Order struct {
	Key      int32 `json:"key"`
	Sequence int32 `json:"seq"`
	At       int64 `json:"at"`
}

func OrderOf(value []byte) (o Order) {
	Must(json.Unmarshal(value, &o))
	return o
}

// Work takes the 5 ms of an order.
func Work(value []byte, book Logbook) {
	begun := Now()
	order := OrderOf(value)
	time.Sleep(5 * time.Millisecond)
	book.Done(order, begun)
}

// PathOf is the page of a page view.
func PathOf(value []byte) (string, bool) {
	var event struct {
		Type    string            `json:"type"`
		Payload map[string]string `json:"payload"`
	}
	bad := json.Unmarshal(value, &event)
	return event.Payload["path"], bad == nil && event.Type == "page_view"
}

// Redis is the one at REDIS_URL.
func Redis() *redis.Client {
	options, err := redis.ParseURL(Setting("REDIS_URL"))
	Must(err)
	return redis.NewClient(options)
}

// AddViews adds to the counts in Redis.
func AddViews(to *redis.Client, added map[string]int64) error {
	if len(added) == 0 {
		return nil
	}
	pipe := to.Pipeline()
	for page, n := range added {
		pipe.IncrBy(context.Background(), "views:"+page, n)
	}
	_, err := pipe.Exec(context.Background())
	return err
}

// Ingest serves POST /events at LISTEN and answers 204 when `write` has the body.
func Ingest(ctx context.Context, write func(_ context.Context, key, value []byte) error) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /events", func(w http.ResponseWriter, r *http.Request) {
		var event map[string]any
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&event); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		session, _ := event["session_id"].(string)
		event["timestamp"] = time.Now().UTC()
		value, err := json.Marshal(event)
		if err == nil {
			err = write(r.Context(), []byte(session), value)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return Serve(ctx, mux)
}

func Serve(ctx context.Context, handler http.Handler) error {
	server := &http.Server{Addr: Setting("LISTEN"), Handler: handler}
	go func() {
		<-ctx.Done()
		server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// Setting is a variable of the environment, by which bench/run tells its programs what to do.
func Setting(name string) string {
	value, there := os.LookupEnv(name)
	if !there {
		log.Fatalf("no %s in the environment", name)
	}
	return value
}

func Number(name string) int {
	n, err := strconv.Atoi(Setting(name))
	Must(err)
	return n
}

func Must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Main runs the job that the command line names, until SIGTERM.
func Main(jobs map[string]func(context.Context) error) {
	if len(os.Args) != 2 || jobs[os.Args[1]] == nil {
		log.Fatalf("usage: %s JOB", os.Args[0])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	Must(jobs[os.Args[1]](ctx))
}
