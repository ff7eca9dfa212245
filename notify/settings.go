package notify

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/trellis-go/trellis/kit/fault"
)

const (
	settingsFresh = 30 * time.Second
	settingsWait  = 3 * time.Second
	settingsPause = 2 * time.Second // while Profiles is away, until it is asked again
	settingsKept  = 10_000
)

// settings remembers how users want to be told. What is no longer fresh is
// kept for when Profiles is away.
type settings struct {
	from  Profiles
	known *lru.Cache[uuid.UUID, knownSettings]
	now   func() time.Time
	away  atomic.Pointer[absence]
}

// absence is when Profiles was last asked and did not answer.
type absence struct {
	until time.Time
	err   error
}

type knownSettings struct {
	Settings
	until time.Time // fresh
}

func newSettings(from Profiles, now func() time.Time) (*settings, error) {
	known, err := lru.New[uuid.UUID, knownSettings](settingsKept)
	return &settings{from: from, known: known, now: now}, err
}

// get returns a user's settings. With an error they are the last known ones, or
// the defaults: zero Settings.
func (s *settings) get(ctx context.Context, user uuid.UUID) (Settings, error) {
	last, ok := s.known.Get(user)
	if ok && s.now().Before(last.until) {
		return last.Settings, nil
	}
	if away := s.away.Load(); away != nil && s.now().Before(away.until) {
		return last.Settings, away.err
	}
	asking, cancel := context.WithTimeout(ctx, settingsWait)
	defer cancel()
	got, err := s.from.Settings(asking, user)
	switch kind := fault.Of(err).Kind; {
	case err == nil:
	case kind == fault.NotFound, kind == fault.Gone:
		got = Settings{}
	default:
		err = fmt.Errorf("settings: %w", err)
		if ctx.Err() == nil && (kind == fault.Unavailable || kind == fault.Timeout) {
			s.away.Store(&absence{s.now().Add(settingsPause), err})
		}
		return last.Settings, err
	}
	s.known.Add(user, knownSettings{got, s.now().Add(settingsFresh)})
	return got, nil
}

// stale says that a user's settings are no longer what is known of them.
func (s *settings) stale(user uuid.UUID) {
	if last, ok := s.known.Peek(user); ok {
		s.known.Add(user, knownSettings{Settings: last.Settings})
	}
}

// forget forgets a user.
func (s *settings) forget(user uuid.UUID) { s.known.Remove(user) }
