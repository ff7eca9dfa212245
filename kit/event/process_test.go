package event_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/sqlite"
	"github.com/trellis-go/trellis/kit/testenv"
)

// world is a teller, relays and hearers, each a process, and what is between them.
type world struct {
	t       *testing.T
	file    string // of effects
	env     []string
	effects *sqlite.DB // what the hearers did
	redis   *testenv.Server
}

// worlds are how it may be set up.
var worlds = map[string]func(*testing.T) *world{
	"sqlite": func(t *testing.T) *world {
		dir := t.TempDir()
		return newWorld(t, dir, "sqlite:"+filepath.Join(dir, "teller.db"), "sqlite:"+filepath.Join(dir, "events.db"))
	},
	"postgres and redis": func(t *testing.T) *world {
		redis := testenv.RedisServer(t)
		w := newWorld(t, t.TempDir(), testenv.Postgres(t), redis.URL)
		w.redis = redis
		return w
	},
}

func newWorld(t *testing.T, dir, store, bus string) *world {
	t.Helper()
	file := filepath.Join(dir, "effects.db")
	effects, err := sqlite.Open(t.Context(), file, migrations)
	must(t, err)
	t.Cleanup(func() { must(t, effects.Close()) })
	return &world{t, file, []string{storeVariable + "=" + store, busVariable + "=" + bus, effectsVariable + "=" + file}, effects, nil}
}

// unstuck makes no hearer get stuck.
func (w *world) unstuck() {
	w.t.Helper()
	must(w.t, os.WriteFile(w.file+"-stuck", nil, 0o600))
}

// process is one of them.
type process struct {
	*exec.Cmd
	role  string
	input io.Writer
	lines chan string // of its output
}

func (w *world) start(role string) *process {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), os.Args[0])
	cmd.Env = append([]string{asMain + "=" + role, "GORACE=atexit_sleep_ms=0"}, w.env...)
	cmd.Stderr = w.t.Output()
	input, err := cmd.StdinPipe()
	must(w.t, err)
	output, err := cmd.StdoutPipe()
	must(w.t, err)
	must(w.t, cmd.Start())
	p := &process{cmd, role, input, make(chan string, 100)}
	go func() {
		defer close(p.lines)
		for scan := bufio.NewScanner(output); scan.Scan(); {
			p.lines <- scan.Text()
		}
	}()
	w.t.Cleanup(func() { p.kill() })
	return p
}

// kill ends a process as nothing else does.
func (p *process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// says waits for a line of a process's output.
func (p *process) says(t *testing.T, want string) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the %s ended before it said %q", p.role, want)
			}
			if line == want {
				return
			}
		case <-late:
			t.Fatalf("the %s never says %q", p.role, want)
		}
	}
}

// tells has the teller do things until there are n, and waits until it did.
func (p *process) tells(t *testing.T, n int) {
	t.Helper()
	fmt.Fprintln(p.input, n)
	p.says(t, fmt.Sprint("told ", n))
}

// heard is how many things were done.
func (w *world) heard() (n int) {
	w.t.Helper()
	must(w.t, w.effects.Reader.QueryRowContext(w.t.Context(), `select count(*) from done`).Scan(&n))
	return n
}

// await waits until n things were done.
func (w *world) await(n int) {
	w.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for w.heard() < n {
		if time.Now().After(deadline) {
			w.t.Fatalf("of %d only %d are done", n, w.heard())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// all waits until n things were done, and checks that they were those told of,
// once and in the order of each subject.
func (w *world) all(n int) {
	w.t.Helper()
	w.await(n)
	rows, err := w.effects.Reader.QueryContext(w.t.Context(), `select what from done order by rowid`)
	must(w.t, err)
	defer rows.Close()
	next := map[int]int{}
	for i := range people {
		next[int(people[i][0])] = i
	}
	for rows.Next() {
		var what string
		var who, got int
		must(w.t, rows.Scan(&what))
		_, err := fmt.Sscan(what, &who, &got)
		if must(w.t, err); got != next[who] {
			w.t.Errorf("of %d the %d. is done before the %d.", who, got, next[who])
		}
		next[who] = got + len(people)
	}
	must(w.t, rows.Err())
	if heard := w.heard(); heard != n {
		w.t.Errorf("%d were told of, %d are done", n, heard)
	}
}

func everyWorld(t *testing.T, test func(*testing.T, *world)) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	for name, open := range worlds {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t)) })
	}
}

// What a process committed that was killed then is published by another.
func TestKilledTeller(t *testing.T) {
	everyWorld(t, func(t *testing.T, w *world) {
		w.unstuck()
		teller := w.start("teller")
		teller.tells(t, 50)
		fmt.Fprintln(teller.input, 1_000_000)
		w.start("hearer").says(t, "hears")
		w.start("relay").says(t, "relays")
		w.await(60)
		teller.kill()
		w.all(w.told()) // whatever that one has committed
	})
}

// told is how many things the teller did.
func (w *world) told() int {
	w.t.Helper()
	step, err := teller(w.t.Context(), w.env[0][len(storeVariable)+1:])
	must(w.t, err)
	n, err := step(0)
	must(w.t, err)
	return n
}

// What a killed hearer had in hand another one handles.
func TestKilledHearer(t *testing.T) {
	everyWorld(t, func(t *testing.T, w *world) {
		w.start("relay")
		first := w.start("hearer")
		first.says(t, "hears")
		w.start("teller").tells(t, stuck+50)
		first.says(t, "stuck")
		first.kill()
		w.start("hearer")
		w.all(stuck + 50)
	})
}

// Everything is killed in turn, and all that was told of is done, once, in order.
func TestKilledAll(t *testing.T) {
	everyWorld(t, func(t *testing.T, w *world) {
		const steps, each = 9, 40
		w.unstuck()
		running := map[string][]*process{"teller": nil, "relay": nil, "hearer": nil}
		for role, n := range map[string]int{"teller": 1, "relay": 2, "hearer": 2} {
			for range n {
				running[role] = append(running[role], w.start(role))
			}
		}
		for i := range steps {
			limit := (i + 1) * each
			fmt.Fprintln(running["teller"][0].input, limit)
			w.await(i*each + each/4)
			switch {
			case i%3 == 2 && w.redis != nil:
				must(t, w.redis.Kill())
				must(t, w.redis.Restart())
			default:
				role := []string{"relay", "hearer", "teller"}[i%3]
				running[role][0].kill()
				running[role] = append(running[role][1:], w.start(role))
				if role == "teller" {
					fmt.Fprintln(running[role][0].input, limit)
				}
			}
		}
		w.all(steps * each)
	})
}

// Redis that stands still for a while, and one that comes back empty though
// nothing more is told of.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	w := worlds["postgres and redis"](t)
	w.unstuck()
	w.start("relay")
	for range 2 {
		w.start("hearer")
	}
	teller := w.start("teller")
	teller.tells(t, 20)
	w.all(20)
	must(t, w.redis.Pause())
	teller.tells(t, 40)
	time.AfterFunc(7*time.Second, func() { must(t, w.redis.Resume()) }) // longer than anybody waits for an answer
	w.all(40)
	must(t, w.redis.Kill())
	teller.tells(t, 60)
	must(t, w.redis.Restart())
	w.all(60)
	must(t, w.redis.Kill())
	must(t, w.redis.Restart())
	group := event.Group{Name: "newcomer", Consumer: "a", Sources: []string{"teller"}, Claim: time.Hour}
	bus, err := busAt(t.Context(), w.redis.URL)
	must(t, err)
	defer bus.Close()
	for n := 0; n < 60; { // the relay notices by itself
		list, err := bus.Receive(t.Context(), group, 100)
		must(t, err)
		n += len(list)
	}
}
