package profile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

const (
	exportsAtOnce  = 2
	erasuresAtOnce = 4
	lookEvery      = time.Second
	dueAtOnce      = 200
	longestBackoff = 5 * time.Minute
	endTime        = 5 * time.Second // to say so, for a job that is given up
)

// Run works on jobs, and removes what has expired, until ctx ends. What is
// then unfinished another instance goes on with.
func (s *Service) Run(ctx context.Context) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if err := s.look(ctx, &jobs); err != nil && ctx.Err() == nil {
			s.config.Failed("jobs wait", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.wake:
		}
	}
}

// look begins what is due, as far as there is room for it. A record that cannot
// be tidied up is in nobody else's way.
func (s *Service) look(ctx context.Context, jobs *sync.WaitGroup) error {
	now := s.now()
	due, err := s.dueNow(ctx, now)
	if err != nil {
		return err
	}
	var untidy []error
	for i := range due {
		r := &due[i]
		if r.tidy(now) {
			if err := s.clean(ctx, r.User); err != nil {
				untidy = append(untidy, fmt.Errorf("what has expired is not removed: %w", err))
			}
		}
		for _, t := range r.Tasks {
			if !t.open() || t.DueAt == nil || t.DueAt.After(now) {
				continue
			}
			slots := s.exports
			if t.Kind == KindErasure {
				slots = s.erasures
			}
			select {
			case slots <- struct{}{}:
				jobs.Go(func() {
					s.work(ctx, r.User, t.ID)
					<-slots
					s.due()
				})
			default:
			}
		}
	}
	return errors.Join(untidy...)
}

// dueNow returns records about which something is to be done. When there are
// more than it returns, erasures are still among them: exports take their time.
func (s *Service) dueNow(ctx context.Context, now time.Time) ([]Record, error) {
	due, err := s.store.Due(ctx, now, dueAtOnce)
	if err != nil || len(due) < dueAtOnce {
		return due, err
	}
	erasures, err := s.store.DueErasures(ctx, now, erasuresAtOnce)
	return append(due, erasures...), err
}

// tidy does what is due in a record but for jobs. It returns whether there was
// something, or there is waste to be removed.
func (r *Record) tidy(now time.Time) (changed bool) {
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if t.open() || t.DueAt == nil || t.DueAt.After(now) {
			continue
		}
		changed = true
		if t.Status == Done {
			r.discard(t.Archive, now)
			t.Status, t.Archive, t.Bytes, t.DueAt = Expired, uuid.Nil, 0, new(now.Add(toldFor))
		} else {
			t.DueAt = nil
			r.Tasks = slices.DeleteFunc(slices.Clone(r.Tasks), func(other Task) bool { return other.ID == t.ID })
			return r.tidy(now) || changed
		}
	}
	for i := range r.Waste {
		if w := &r.Waste[i]; !w.DueAt.After(now) {
			w.Doomed, changed = true, true
		}
	}
	return changed
}

// clean tidies a user's record up, and removes its waste.
func (s *Service) clean(ctx context.Context, user uuid.UUID) error {
	r, err := s.store.Update(ctx, user, func(r *Record) ([]event.Message, error) {
		if !r.tidy(s.now()) {
			return nil, errSame
		}
		return nil, nil
	})
	if err != nil {
		if errors.Is(err, errSame) {
			return nil
		}
		return err
	}
	var removed []uuid.UUID
	for _, w := range r.Waste {
		if !w.Doomed {
			continue
		}
		if err := s.store.DeleteBlob(ctx, w.Blob); err != nil {
			return err
		}
		removed = append(removed, w.Blob)
	}
	if len(removed) == 0 {
		return nil
	}
	_, err = s.store.Update(ctx, user, func(r *Record) ([]event.Message, error) {
		r.Waste = slices.DeleteFunc(r.Waste, func(w Waste) bool { return w.Doomed && slices.Contains(removed, w.Blob) })
		return nil, nil
	})
	return err
}

// run is one run of a job.
type run struct {
	*Service
	user  uuid.UUID
	task  uuid.UUID
	claim uuid.UUID
}

var errClaimLost = errors.New("another took the job over meanwhile")

// work claims a job and goes on with it, if it is still due.
func (s *Service) work(ctx context.Context, user, task uuid.UUID) {
	r := run{s, user, task, uuid.New()}
	t, err := r.take(ctx)
	if err != nil || t == nil {
		if err != nil && ctx.Err() == nil {
			s.config.Failed("a job cannot be claimed", err)
		}
		return
	}
	working, stop := context.WithCancel(ctx)
	held := make(chan struct{})
	go func() { defer close(held); defer stop(); r.hold(working) }()
	if t.Kind == KindExport {
		err = r.export(working, t)
	} else {
		err = r.erase(working, t)
	}
	stop()
	<-held
	if err != nil && !errors.Is(err, errClaimLost) {
		if ctx.Err() == nil {
			s.config.Failed(fmt.Sprintf("%s %s will be tried again", t.Kind, t.ID), err)
		}
		r.giveUp(ctx)
	}
}

// take claims the job. It returns nil when it is not due any more.
func (r run) take(ctx context.Context) (claimed *Task, err error) {
	record, err := r.store.Update(ctx, r.user, func(record *Record) ([]event.Message, error) {
		t, now := record.task(r.task), micros(r.now())
		if t == nil || !t.open() || t.DueAt == nil || t.DueAt.After(now) {
			return nil, errSame
		}
		if t.Kind == KindErasure && !t.Closed { // not begun; and the services may be others than when it was asked for
			t.Parts = parts(r.erasureOrder())
		}
		t.Claim, t.Status, t.UpdatedAt, t.DueAt = r.claim, Running, now, new(now.Add(r.config.Lease))
		return nil, nil
	})
	if errors.Is(err, errSame) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return record.task(r.task), nil
}

// step changes the job, and whatever else in the record, while this run has the claim.
func (r run) step(ctx context.Context, edit func(*Record, *Task) ([]event.Message, error)) error {
	_, err := r.store.Update(ctx, r.user, func(record *Record) ([]event.Message, error) {
		t := record.task(r.task)
		if t == nil || t.Claim != r.claim {
			return nil, errClaimLost
		}
		t.UpdatedAt = micros(r.now())
		return edit(record, t)
	})
	return err
}

// hold keeps others from claiming the job until ctx ends, or they did.
func (r run) hold(ctx context.Context) {
	ticker := time.NewTicker(r.config.Lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := r.step(ctx, func(_ *Record, t *Task) ([]event.Message, error) {
			t.DueAt = new(r.now().Add(r.config.Lease))
			return nil, nil
		})
		if errors.Is(err, errClaimLost) {
			return
		}
	}
}

// giveUp leaves the job to the next run: at once if this process is about to
// end, later if something failed.
func (r run) giveUp(ctx context.Context) {
	ending := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	err := r.step(ctx, func(_ *Record, t *Task) ([]event.Message, error) {
		t.Claim, t.Status, t.DueAt = uuid.Nil, Waiting, new(r.now())
		if !ending {
			t.Attempts++
			t.DueAt = new(r.now().Add(backoff(t.Attempts, longestBackoff)))
		}
		return nil, nil
	})
	if err != nil && !errors.Is(err, errClaimLost) {
		r.config.Failed("a job cannot be left", err) // its claim runs out
	}
}
