package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
)

// lookEvery is how often a File looks at its content.
const lookEvery = time.Second

// File is a file of rules that may change while they hold. All its methods
// may be called at the same time, but Run only once. A nil File says nothing.
type File struct {
	path    string
	logger  log.Logger
	judged  sight // of which the present state comes; Run's own
	state   atomic.Pointer[state]
	changed chan struct{}
}

type state struct {
	rules   *Rules
	since   time.Time
	refused error
}

// sight is what one look at the file saw: what is in it, or why that can't be read.
type sight struct{ text, failure string }

func (s sight) rules() (*Rules, error) {
	if s.failure != "" {
		return nil, errors.New(s.failure)
	}
	return Parse([]byte(s.text))
}

// Open returns the file at path, whose rules hold from now on. A file that is
// missing or wrong is an error.
func Open(path string, logger log.Logger) (*File, error) {
	f := &File{path: path, logger: logger, changed: make(chan struct{}, 1)}
	f.judged = f.look()
	rules, err := f.judged.rules()
	if err != nil {
		return nil, fmt.Errorf("traffic: %s: %w", path, err)
	}
	f.state.Store(&state{rules: rules, since: time.Now()})
	return f, nil
}

// Rules returns those that hold now.
func (f *File) Rules() *Rules {
	if f == nil {
		return &nothing
	}
	return f.state.Load().rules
}

var nothing Rules

// Status returns since when the rules hold, and why what the file says now is
// refused, if it is.
func (f *File) Status() (since time.Time, refused error) {
	if f == nil {
		return time.Time{}, nil
	}
	s := f.state.Load()
	return s.since, s.refused
}

// Changed gets a value when there are other rules than when one was taken
// from it last. It is for one reader.
func (f *File) Changed() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.changed
}

// Run looks every second at what the file says until ctx ends. It looks at the
// content, whatever became of the file that had it before: it may be written
// over, renamed, or be behind a link. What is new counts when a second look
// finds it unchanged, so that no file is judged while it is written. If it is
// wrong, or gone, the log tells so once and the rules stay.
func (f *File) Run(ctx context.Context) {
	if f == nil {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last := f.judged
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := f.look()
		if now == last && now != f.judged {
			f.judge(now)
		}
		last = now
	}
}

func (f *File) look() sight {
	text, err := read(f.path)
	if err != nil {
		return sight{failure: err.Error()}
	}
	return sight{text: string(text)}
}

// read returns the file's content, or as much of it as shows that it is too large.
func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err) // without the path
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxFile+1))
}

func (f *File) judge(s sight) {
	f.judged = s
	rules, err := s.rules()
	if err != nil {
		_ = f.logger.Log("level", "error", "msg", "the new traffic rules are refused, the old ones stay", "file", f.path, "err", err)
		old := f.state.Load()
		f.state.Store(&state{old.rules, old.since, err})
		return
	}
	_ = f.logger.Log("level", "info", "msg", "traffic rules", "file", f.path)
	f.state.Store(&state{rules: rules, since: time.Now()})
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
