package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
)

// leaseTime is after how long without a change a lease is taken from its
// holder. Each process measures it by its own clock, from when it first sees
// the lease, so that the clocks of machines need not agree.
const leaseTime = 20 * time.Second

// lease lets one Pass run at a time, over all processes. It is one document,
// which counts up whenever it is taken, and says what was published last:
// whoever lost the lease cannot change that any more.
type lease struct {
	states *driver.Collection

	running sync.Mutex // held by the pass of this process
	other   watched
}

// watched is another's lease, and since when it is known.
type watched struct {
	sync.Mutex
	epoch int64
	since time.Time
}

// over tells whether a lease has been there for too long.
func (w *watched) over(epoch int64) bool {
	w.Lock()
	defer w.Unlock()
	if w.since.IsZero() || w.epoch != epoch {
		w.epoch, w.since = epoch, time.Now()
	}
	return time.Since(w.since) >= leaseTime
}

// state is the lease's document.
type state struct {
	ID       string `bson:"_id"`
	Epoch    int64  `bson:"epoch"`
	Held     bool   `bson:"held"`
	Moving   bool   `bson:"moving"`   // events, from documents to the outbox
	Position int64  `bson:"position"` // of what was published last
	N        int64  `bson:"n"`        // and its place in the outbox
	Places   int64  `bson:"places"`   // that were given out
}

const leaseID = "outbox"

func (l *lease) prepare(ctx context.Context) error {
	_, err := l.states.InsertOne(ctx, state{ID: leaseID})
	if Duplicate(err) {
		err = nil
	}
	return err
}

func (l *lease) read(ctx context.Context) (s state, err error) {
	err = l.states.FindOne(ctx, bson.M{"_id": leaseID}).Decode(&s)
	return s, err
}

// moving tells whether events are being moved.
func (l *lease) moving(ctx context.Context) (bool, error) {
	s, err := l.read(ctx)
	return s.Held && s.Moving && !l.other.over(s.Epoch), err
}

// held is a lease that this process has.
type held struct {
	*lease
	epoch, position, n int64
}

// take takes the lease, to move events first. It returns nil when another has it.
func (l *lease) take(ctx context.Context) (_ *held, err error) {
	if !l.running.TryLock() {
		return nil, nil
	}
	taken := false
	defer func() {
		if !taken {
			l.running.Unlock()
		}
	}()
	s, err := l.read(ctx)
	if err != nil || s.Held && !l.other.over(s.Epoch) {
		return nil, err
	}
	done, err := l.states.UpdateOne(ctx, bson.M{"_id": leaseID, "epoch": s.Epoch, "held": s.Held},
		bson.M{"$set": bson.M{"held": true, "moving": true}, "$inc": bson.M{"epoch": int64(1)}})
	if err != nil || done.MatchedCount == 0 {
		return nil, err
	}
	taken = true
	return &held{l, s.Epoch + 1, s.Position, s.N}, nil
}

// release gives the lease back. If that fails it runs out by itself.
func (h *held) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), selection)
	defer cancel()
	_ = h.set(ctx, bson.M{"held": false})
	h.running.Unlock()
}

// places gives out places in the outbox: those behind the one that it returns.
func (h *held) places(ctx context.Context, count int) (last int64, err error) {
	var was state
	err = h.states.FindOneAndUpdate(ctx, bson.M{"_id": leaseID, "epoch": h.epoch}, bson.M{"$inc": bson.M{"places": int64(count)}}).Decode(&was)
	if errors.Is(err, driver.ErrNoDocuments) {
		err = errLeaseLost
	}
	return was.Places, err
}

// moved says that events are not being moved any more.
func (h *held) moved(ctx context.Context) error { return h.set(ctx, bson.M{"moving": false}) }

// advance says what was published last.
func (h *held) advance(ctx context.Context, position, n int64) error {
	return h.set(ctx, bson.M{"position": position, "n": n})
}

var errLeaseLost = errors.New("another took the lease over meanwhile")

func (h *held) set(ctx context.Context, values bson.M) error {
	done, err := h.states.UpdateOne(ctx, bson.M{"_id": leaseID, "epoch": h.epoch}, bson.M{"$set": values})
	if err == nil && done.MatchedCount == 0 {
		err = errLeaseLost
	}
	return err
}

// rewind takes back what was published behind a position, and ends whatever
// pass is under way.
func (l *lease) rewind(ctx context.Context, position, n int64) error {
	_, err := l.states.UpdateOne(ctx, bson.M{"_id": leaseID, "position": bson.M{"$gt": position}},
		bson.M{"$set": bson.M{"position": position, "n": n, "held": false}, "$inc": bson.M{"epoch": int64(1)}})
	return err
}
