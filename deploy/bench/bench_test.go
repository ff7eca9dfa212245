//go:build linux

// Package bench compares the gateway with other proxies, each a process of its
// own on loopback before the same service, on what a request costs.
//
//	go test -run '^$' -bench Proxies ./deploy/bench -proxies 'nginx|gateway' -rounds 15
package bench

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	only        = flag.String("proxies", "", "measure only the proxies whose name and duties match this regular expression")
	rounds      = flag.Int("rounds", 7, "how often each proxy is measured")
	requests    = flag.Int("requests", 20_000, "requests a round")
	connections = flag.Int("connections", 32, "connections of the client, each with one request at a time")
	threads     = flag.Int("threads", 1, "what each proxy may use: nginx's worker_processes, HAProxy's nbthread, GOMAXPROCS")
)

// One round of each proxy follows another, so that whatever else the machine
// does meets them all. CPU is what the proxy's processes took, user and system;
// latency is that of a client that keeps the proxy busy, with the client and
// the service on the same processors.
func BenchmarkProxies(b *testing.B) {
	if testing.Short() {
		b.Skip("starts processes")
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM) // clean up then, too
	defer stop()
	scene := setScene(ctx, b)
	token := scene.login()

	var runs []*run
	var missing []string
	for _, p := range proxies {
		if !wanted.MatchString(p.String()) {
			continue
		}
		process, err := p.start(scene)
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s: not measured: %v", p, err))
			continue
		}
		process.ready(ctx, b, request{path, token})
		runs = append(runs, &run{proxy: p, process: process})
	}
	for range *rounds {
		token := scene.login() // the one before may expire
		for _, r := range runs {
			r.measure(ctx, b, request{path, token})
		}
	}
	for _, r := range runs {
		b.Run(r.String(), r.report)
	}
	writeTable(os.Stdout, runs, missing)
}

// run is one proxy with what was measured of it.
type run struct {
	proxy
	process *process
	rounds  []round
}

type round struct {
	cpu      time.Duration // a request
	p50, p99 time.Duration
	rate     float64 // requests a second
}

func (r *run) measure(ctx context.Context, b *testing.B, q request) {
	b.Helper()
	client, err := dial(ctx, r.process.url, *connections)
	if err != nil {
		b.Fatal(r, err)
	}
	defer client.close()
	if _, err := client.send(ctx, q, *requests/10); err != nil { // a new token, new connections
		b.Fatal(r, err)
	}
	before, begin := r.process.cpu(b), time.Now()
	latencies, err := client.send(ctx, q, *requests)
	took, after := time.Since(begin), r.process.cpu(b)
	if err != nil {
		b.Fatal(r, err)
	}
	n := len(latencies)
	slices.Sort(latencies)
	r.rounds = append(r.rounds, round{
		cpu: (after - before) / time.Duration(n), rate: float64(n) / took.Seconds(),
		p50: latencies[n/2], p99: latencies[n*99/100],
	})
}

// over returns the least, the median and the most of all rounds.
func over[T cmp.Ordered](rounds []round, of func(round) T) (least, median, most T) {
	var all []T
	for _, r := range rounds {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[0], all[len(all)/2], all[len(all)-1]
}

func cpu(r round) time.Duration { return r.cpu }
func p50(r round) time.Duration { return r.p50 }
func p99(r round) time.Duration { return r.p99 }
func rate(r round) float64      { return r.rate }

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (r *run) report(b *testing.B) {
	least, median, _ := over(r.rounds, cpu)
	_, half, _ := over(r.rounds, p50)
	_, most, _ := over(r.rounds, p99)
	b.ReportMetric(micro(least), "min-cpu-µs/req")
	b.ReportMetric(micro(median), "cpu-µs/req")
	b.ReportMetric(micro(half), "p50-µs")
	b.ReportMetric(micro(most), "p99-µs")
	b.ReportMetric(0, "ns/op") // that of reporting
}

func writeTable(w io.Writer, runs []*run, missing []string) {
	fmt.Fprintf(w, `
%d rounds of %d requests over %d connections; %d of this machine's %d processors for each proxy.
CPU of a request: the least, the median and the most of all rounds. The rest are medians.

| Proxy | Beside forwarding | CPU, µs | p50, µs | p99, µs | requests/s |
|---|---|--:|--:|--:|--:|
`, *rounds, *requests, *connections, *threads, runtime.NumCPU())
	for _, r := range runs {
		least, median, most := over(r.rounds, cpu)
		_, half, _ := over(r.rounds, p50)
		_, late, _ := over(r.rounds, p99)
		_, speed, _ := over(r.rounds, rate)
		fmt.Fprintf(w, "| %s | %s | %.0f · %.0f · %.0f | %.0f | %.0f | %.0f |\n", r.name, cmp.Or(r.duties, "nothing"),
			micro(least), micro(median), micro(most), micro(half), micro(late), speed)
	}
	fmt.Fprintln(w, "\n"+strings.Join(missing, "\n"))
}
