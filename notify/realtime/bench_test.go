package realtime_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/server"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/notify"
	"github.com/trellis-go/trellis/notify/realtime"
	"github.com/trellis-go/trellis/notify/redis"
	"github.com/trellis-go/trellis/notify/sqlite"
)

// The benchmarks have two processes: the one that go test began holds the
// clients, and starts itself once more as the server, which publishes too.
const serverVariable = "TRELLIS_BENCH_STREAMS" // the server's store

func TestMain(m *testing.M) {
	if store := os.Getenv(serverVariable); store != "" {
		if err := benchServer(store); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// benchUser is the user with a number.
func benchUser(i int) (u uuid.UUID) {
	u[0], u[14], u[15] = byte(i>>16), byte(i), byte(i>>8)
	return u
}

// benchServer serves streams, and does what standard input says.
func benchServer(url string) error {
	store, err := benchStore(url)
	if err != nil {
		return err
	}
	app := server.New(server.App{Name: "notify", Addr: "127.0.0.1:0"}, func(_ context.Context, env *server.Env, _ struct{}) (http.Handler, error) {
		hub := realtime.NewHub(store, realtime.Options{Draining: env.Draining, PerUser: 20_000, Metrics: env.Metrics, Logger: env.Logger})
		env.Go(hub.Run)
		return env.Handler(rows(hub), nil)
	})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if err := benchCommand(store, strings.Fields(in.Text())); err != nil {
				fmt.Println("error:", err)
			}
		}
	}()
	return server.Run(ctx, os.Stdout, app)
}

func benchCommand(store notify.Store, words []string) error {
	n := make([]int, 4)
	for i, w := range words[1:] {
		n[i], _ = strconv.Atoi(w)
	}
	ctx := context.Background()
	switch words[0] {
	case "tickets": // FROM TO USERS: numbered ones, for as many users
		for i := n[0]; i < n[1]; i++ {
			t := notify.Ticket{User: benchUser(i % n[2])}
			if err := store.PutTicket(ctx, sha256.Sum256([]byte(fmt.Sprint("ticket-", i))), t, time.Minute); err != nil {
				return err
			}
		}
		fmt.Println("done")
	case "memory":
		runtime.GC()
		before := rss()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(before, rss(), m.HeapAlloc, m.StackInuse, runtime.NumGoroutine())
	case "publish": // COUNT USERS PER-SECOND WORKERS
		published, err := publish(store, n[0], n[1], n[2], n[3])
		if err != nil {
			return err
		}
		fmt.Println(published.Nanoseconds())
	}
	return nil
}

// publish publishes entries to users in turn, as often a second as is asked
// for, or as fast as it goes for 0.
func publish(store notify.Store, count, users, perSecond, workers int) (took time.Duration, err error) {
	began := time.Now()
	var all sync.WaitGroup
	errs := make(chan error, workers)
	for k := range workers {
		all.Go(func() {
			for i := k; i < count; i += workers {
				if perSecond > 0 {
					time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))))
				}
				data := jsontext.Value(fmt.Sprintf(`{"at":%d,"id":"0198b7a2-7c11-7d6e-9f00-000000000000","title":"Somebody has changed a note that you share","body":""}`, time.Now().UnixNano()))
				if err := store.Signal(context.Background(), benchUser(i%users), "note.changed", data, ""); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(errs)
	return time.Since(began), <-errs
}

// rss is what the process has in memory, in bytes.
func rss() int {
	text, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}

// bench is the server's process.
type bench struct {
	b    *testing.B
	in   io.Writer
	out  *bufio.Scanner
	addr string
}

func newBench(b *testing.B, store string) *bench {
	b.Helper()
	raiseFiles(b)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+store)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	s := &bench{b: b, in: in, out: bufio.NewScanner(out)}
	_, rest, _ := strings.Cut(s.line(), "http://")
	s.addr, _, _ = strings.Cut(rest, " ")
	return s
}

func (s *bench) line() string {
	s.b.Helper()
	if !s.out.Scan() {
		s.b.Fatal("the server has gone: ", s.out.Err())
	}
	if strings.HasPrefix(s.out.Text(), "error:") {
		s.b.Fatal(s.out.Text())
	}
	return s.out.Text()
}

func (s *bench) do(format string, args ...any) []int {
	s.b.Helper()
	fmt.Fprintf(s.in, format+"\n", args...)
	return numbers(s.line())
}

func numbers(line string) (all []int) {
	for _, word := range strings.Fields(line) {
		n, _ := strconv.Atoi(word)
		all = append(all, n)
	}
	return all
}

// raiseFiles lets the process, and those that it starts, open as many files as it may.
func raiseFiles(b *testing.B) {
	b.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
}

// dial opens WebSockets with the tickets from one to another, each of which
// has had the hello.
func (s *bench) dial(from, to, users int) []*socket {
	s.b.Helper()
	s.do("tickets %d %d %d", from, to, users)
	clients := make([]*socket, to-from)
	next := make(chan int)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for i := range next {
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					s.b.Error(err)
					return
				}
				s.b.Cleanup(func() { conn.Close() })
				fmt.Fprintf(conn, "GET /v1/realtime/ws?ticket=ticket-%d HTTP/1.1\r\nHost: x\r\n%s\r\n%s", i, handshake, frame(final|text, "{}"))
				c := &socket{s.b, conn, bufio.NewReaderSize(conn, 1024)}
				clients[i-from] = c
				if res, err := http.ReadResponse(c.in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
					s.b.Error(res, err)
					return
				}
				if first, hello, err := c.frame(); first != final|text || err != nil {
					s.b.Error(string(hello), err)
					return
				}
			}
		})
	}
	for i := from; i < to; i++ {
		next <- i
	}
	close(next)
	all.Wait()
	if s.b.Failed() {
		s.b.FailNow()
	}
	return clients
}

// BenchmarkIdle tells what an idle WebSocket takes of the server's memory.
func BenchmarkIdle(b *testing.B) {
	const n = 10_000
	s := newBench(b, "sqlite:"+filepath.Join(b.TempDir(), "notify.db"))
	s.dial(0, 100, n) // whatever is made once
	before := s.do("memory")
	s.dial(100, 100+n, n)
	time.Sleep(2 * time.Second) // until all have begun
	after := s.do("memory")
	for range b.N {
	}
	per := func(i int) float64 { return float64(after[i]-before[i]) / n / 1024 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(0), "KB-RSS/conn")
	b.ReportMetric(per(1), "KB-RSS-scavenged/conn")
	b.ReportMetric(per(2), "KB-heap/conn")
	b.ReportMetric(per(3), "KB-stack/conn")
	b.ReportMetric(float64(after[4]-before[4])/n, "goroutines/conn")
}

// BenchmarkDelivery tells how long it takes from before an entry is published
// until a client has it, at a pace that leaves the machine room, and how many
// messages a second arrive when entries are published as fast as it goes.
// Either each connection is another user's, and each entry for one of them, or
// all are one user's, and each entry goes to all. Clients, server and store
// share the machine.
func BenchmarkDelivery(b *testing.B) {
	for _, store := range []string{"sqlite", "redis"} {
		for _, shape := range []string{"users", "devices"} {
			for _, n := range []int{1, 100, 1000, 5000} {
				b.Run(fmt.Sprintf("%s/%s=%d", store, shape, n), func(b *testing.B) {
					url := "sqlite:" + filepath.Join(b.TempDir(), "notify.db")
					if store == "redis" {
						url = testenv.Redis(b)
					}
					users, each := n, 1
					if shape == "devices" {
						users, each = 1, n
					}
					s := newBench(b, url)
					heard := s.listen(s.dial(0, n, users))
					const perSecond = 5000                    // messages
					pace := max(1, min(200, perSecond/each))  // entries
					s.publish(heard, pace, users, pace, each) // what is slow at first
					heard.latencies()
					s.publish(heard, 5*pace, users, pace, each)
					sorted := heard.latencies()
					slices.Sort(sorted)
					count := max(20, min(20_000, 100_000/each))
					if store == "sqlite" {
						count = min(count, 2000)
					}
					began := time.Now()
					s.publish(heard, count, users, 0, each)
					took := time.Since(began)
					for range b.N {
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(milliseconds(sorted, .5), "p50-ms")
					b.ReportMetric(milliseconds(sorted, .99), "p99-ms")
					b.ReportMetric(float64(count*each)/took.Seconds(), "messages/s")
				})
			}
		}
	}
}

func milliseconds(sorted []time.Duration, p float64) float64 {
	return float64(sorted[min(len(sorted)-1, int(p*float64(len(sorted))))].Microseconds()) / 1000
}

// publish publishes, and waits until all of it has arrived.
func (s *bench) publish(h *listeners, count, users, pace, each int) {
	s.b.Helper()
	h.expect(count * each)
	s.do("publish %d %d %d 4", count, users, pace)
	select {
	case <-h.all:
	case <-time.After(time.Minute):
		s.b.Fatalf("%d messages have not come", h.missing.Load())
	}
}

// listeners are clients that note when messages come.
type listeners struct {
	missing atomic.Int64
	all     chan struct{} // has one when none is missing
	took    []latencies   // by connection
}

type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (h *listeners) expect(n int) { h.missing.Store(int64(n)) }

func (s *bench) listen(clients []*socket) *listeners {
	h := &listeners{all: make(chan struct{}, 1), took: make([]latencies, len(clients))}
	for i, c := range clients {
		_ = c.conn.SetDeadline(time.Time{})
		go h.listen(c, &h.took[i])
	}
	return h
}

// listen reads short messages, and is quick about it.
func (h *listeners) listen(c *socket, took *latencies) {
	var payload [1 << 10]byte
	for {
		head, err := c.in.Peek(4)
		if err != nil {
			return
		}
		skip, size := 2, int(head[1])
		if size == 126 {
			skip, size = 4, int(binary.BigEndian.Uint16(head[2:]))
		}
		_, _ = c.in.Discard(skip)
		if _, err := io.ReadFull(c.in, payload[:size]); err != nil {
			return
		}
		_, rest, ok := bytes.Cut(payload[:size], []byte(`"at":`))
		if !ok { // a ping: nobody waits so long here that it must be answered
			continue
		}
		var at int64
		for _, digit := range rest[:bytes.IndexByte(rest, ',')] {
			at = 10*at + int64(digit-'0')
		}
		took.mu.Lock()
		took.all = append(took.all, time.Duration(time.Now().UnixNano()-at))
		took.mu.Unlock()
		if h.missing.Add(-1) == 0 {
			h.all <- struct{}{}
		}
	}
}

// latencies takes what was noted.
func (h *listeners) latencies() (all []time.Duration) {
	for i := range h.took {
		t := &h.took[i]
		t.mu.Lock()
		all, t.all = append(all, t.all...), nil
		t.mu.Unlock()
	}
	return all
}

// benchStore opens what a URL names: a file or a Redis.
func benchStore(url string) (notify.Store, error) {
	if file, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return sqlite.Open(context.Background(), file)
	}
	return redis.Open(context.Background(), url)
}
