package traffic_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/trellis-go/trellis/gateway/traffic"
)

// logged is a logger for a test to read.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), word)
}

func burst(n string) string { return "limits: {user: {per_second: 1, burst: " + n + "}}\n" }

// shown is a file that a gateway runs, in a folder of its own. Its first burst is 1.
type shown struct {
	*traffic.File
	t    *testing.T
	path string
	log  *logged
}

// show runs a test in a bubble, where seconds pass at once, of a file made by
// create at the path that it is given.
func show(t *testing.T, create func(t *testing.T, path string), test func(f shown)) {
	path := filepath.Join(t.TempDir(), "traffic.yaml")
	create(t, path)
	synctest.Test(t, func(t *testing.T) {
		f := shown{t: t, path: path, log: new(logged)}
		var err error
		if f.File, err = traffic.Open(path, log.NewLogfmtLogger(f.log)); err != nil {
			t.Fatal(err)
		}
		f.has(1)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { f.Run(ctx); close(ended) }()
		test(f)
		stop()
		<-ended
	})
}

// pass lets as much time go by, and the file be looked at.
func (f shown) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (f shown) has(burst int) {
	f.t.Helper()
	if got := f.Rules().User().Burst; got != burst {
		f.t.Errorf("the burst is %d, want %d", got, burst)
	}
}

// change waits until other rules hold.
func (f shown) change(burst int) {
	f.t.Helper()
	select {
	case <-f.Changed():
	case <-time.After(3 * time.Second):
		f.t.Error("no change within 3 s")
	}
	f.has(burst)
	if since, err := f.Status(); err != nil || time.Since(since) > 0 {
		f.t.Errorf("since %v, %v", since, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, to, from string) {
	t.Helper()
	if err := os.Symlink(to, from); err != nil {
		t.Fatal(err)
	}
}

// volume is a folder as Kubernetes mounts a ConfigMap: the file is a link into
// a link that is swapped.
func volume(t *testing.T, path, name, text string) {
	folder := filepath.Dir(path)
	if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, name, "traffic.yaml"), text)
	symlink(t, name, filepath.Join(folder, "..new"))
	rename(t, filepath.Join(folder, "..new"), filepath.Join(folder, "..data"))
}

func TestFileChanges(t *testing.T) {
	t.Parallel()
	plain := func(t *testing.T, path string) { write(t, path, burst("1")) }
	tests := []struct {
		name   string
		create func(t *testing.T, path string)
		change func(t *testing.T, path string)
	}{
		{"written over", plain, func(t *testing.T, path string) { write(t, path, burst("25")) }},
		{"renamed", plain, func(t *testing.T, path string) {
			write(t, path+".new", burst("25"))
			rename(t, path+".new", path)
		}},
		{"link swapped", func(t *testing.T, path string) {
			volume(t, path, "..1", burst("1"))
			symlink(t, filepath.Join("..data", "traffic.yaml"), path)
		}, func(t *testing.T, path string) { volume(t, path, "..2", burst("25")) }},
		{"same size and time", func(t *testing.T, path string) { write(t, path, burst("01")) }, func(t *testing.T, path string) {
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, burst("25"))
			if err := os.Chtimes(path, time.Time{}, before.ModTime()); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			show(t, test.create, func(f shown) {
				f.pass(10 * time.Second)
				test.change(t, f.path)
				f.change(25)
				f.pass(10 * time.Second)
				select {
				case <-f.Changed():
					t.Error("a change too many")
				default:
				}
			})
		})
	}
}

func TestFileRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(t *testing.T, path string)
		want   string
	}{
		{"wrong", func(t *testing.T, path string) { write(t, path, burst("0")) }, "line 1: limits.user.burst: got 0; takes a whole number"},
		{"half", func(t *testing.T, path string) { write(t, path, burst("25")[:30]) }, "yaml: line 1: "},
		{"too large", func(t *testing.T, path string) { write(t, path, burst("25")+strings.Repeat("#", 1<<20)) }, "has more than 1048576 bytes"},
		{"gone", func(t *testing.T, path string) { rename(t, path, path+".old") }, "no such file"},
		{"a folder", func(t *testing.T, path string) {
			rename(t, path, path+".old")
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Remove(path) })
		}, "is a directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			show(t, func(t *testing.T, path string) { write(t, path, burst("1")) }, func(f shown) {
				began, _ := f.Status()
				test.change(t, f.path)
				f.pass(time.Minute)
				f.has(1)
				since, err := f.Status()
				if err == nil || !strings.Contains(err.Error(), test.want) || since != began {
					t.Errorf("since %v: %v; want since %v: %s", since, err, began, test.want)
				}
				if n := f.log.count("refused"); n != 1 {
					t.Errorf("logged %d times:\n%s", n, &f.log.text)
				}
				select {
				case <-f.Changed():
					t.Error("a change")
				default:
				}

				os.Remove(f.path)
				write(t, f.path, burst("25"))
				f.change(25)
			})
		})
	}
}

// Each wrong content is logged, and the first is as good as it was when it is back.
func TestFileRefusedTwice(t *testing.T) {
	t.Parallel()
	show(t, func(t *testing.T, path string) { write(t, path, burst("1")) }, func(f shown) {
		for i, text := range []string{"a", "b"} {
			write(t, f.path, text)
			f.pass(5 * time.Second)
			if n := f.log.count("refused"); n != i+1 {
				t.Errorf("logged %d times, want %d", n, i+1)
			}
		}
		write(t, f.path, burst("1"))
		f.change(1)
	})
}

// What is there between two looks, or at one of them only, never holds.
func TestFileWhileWritten(t *testing.T) {
	t.Parallel()
	for name, passing := range map[string]string{"empty": "", "half": burst("25")[:20], "valid": burst("2")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			show(t, func(t *testing.T, path string) { write(t, path, burst("1")) }, func(f shown) {
				f.pass(900 * time.Millisecond)
				write(t, f.path, passing)
				f.pass(900 * time.Millisecond)
				f.has(1)
				write(t, f.path, burst("25"))
				f.pass(900 * time.Millisecond)
				f.has(1)
				f.change(25)
				if n := f.log.count("refused"); n > 0 {
					t.Errorf("logged:\n%s", &f.log.text)
				}
			})
		})
	}
}

func TestFileEmptied(t *testing.T) {
	t.Parallel()
	show(t, func(t *testing.T, path string) { write(t, path, burst("1")) }, func(f shown) {
		write(t, f.path, "")
		f.change(0)
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	wrong := filepath.Join(folder, "wrong.yaml")
	write(t, wrong, "routes:\n  - 1\n")
	for path, want := range map[string]string{
		wrong:                              "traffic: " + wrong + ": line 2: routes[0]: got 1; takes a mapping",
		filepath.Join(folder, "none.yaml"): "traffic: " + filepath.Join(folder, "none.yaml") + ": no such file or directory",
	} {
		if f, err := traffic.Open(path, log.NewNopLogger()); f != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	var f *traffic.File
	f.Run(t.Context())
	if version, except := f.Rules().Pick("notes", "u", anAddress, nil); version != "" || except != nil {
		t.Errorf("%q, except %q", version, except)
	}
	if since, err := f.Status(); !since.IsZero() || err != nil || f.Changed() != nil {
		t.Errorf("since %v, %v", since, err)
	}
}
