package notes

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/fault"
)

// Delta is the last that became of a note for a reader.
type Delta struct {
	Seq  int64     `json:"-"`
	ID   uuid.UUID `json:"id"`
	Note *Note     `json:"note"` // as it is; null when it is gone for them
}

// Changes is a part of a reader's feed.
type Changes struct {
	Changes []Delta  `json:"changes"`
	Seq     Position `json:"seq"` // where to go on
	HasMore bool     `json:"has_more"`
}

// NewChanges returns the part of a feed, pruned up to a change, that follows a position.
func NewChanges(since Position, pruned int64, list []Delta, more bool) Changes {
	c := Changes{Changes: list, Seq: since, HasMore: more}
	if since == (Position{}) {
		c.Seq.Began = pruned
	}
	if len(list) > 0 {
		c.Seq.Seq = list[len(list)-1].Seq
	}
	return c
}

// Position is how far a reader has read their feed; the zero one is its start.
type Position struct {
	Seq int64 // of the last change that they know
	// Began is up to where the feed was pruned when they began: of what had
	// gone by then they need not hear.
	Began int64
}

// Lost tells whether something behind the position is missing in a feed that
// was pruned up to one change and ends with another.
func (p Position) Lost(pruned, last int64) bool {
	known := max(p.Seq, p.Began)
	return known > max(pruned, last) || known < pruned && known > 0
}

// MarshalText writes "812", or "812-950" while Began is ahead.
func (p Position) MarshalText() ([]byte, error) {
	text := strconv.AppendInt(nil, p.Seq, 10)
	if p.Began > p.Seq {
		text = strconv.AppendInt(append(text, '-'), p.Began, 10)
	}
	return text, nil
}

// UnmarshalText reads what MarshalText wrote.
func (p *Position) UnmarshalText(text []byte) error {
	seq, began, both := strings.Cut(string(text), "-")
	if !both {
		began = "0"
	}
	a, errA := strconv.ParseUint(seq, 10, 63)
	b, errB := strconv.ParseUint(began, 10, 63)
	if errA != nil || errB != nil {
		return errors.New("is no seq of an answer")
	}
	*p = Position{int64(a), int64(b)}
	return nil
}

// ErrResync is returned for a position that the feed cannot go on from.
var ErrResync = fault.New(fault.Gone, "resync", "Not all that has changed since is known any more. Begin anew, without since.")

// ChangesRequest names a position in the feed.
type ChangesRequest struct {
	Since Position `query:"since" json:"-" description:"The seq that the last answer gave. Without it the feed begins with all that you can read."`
	Limit *int     `query:"limit" json:"-" validate:"omitempty,min=1,max=500"`
}

const defaultChanges = 200

// Changes lists what became of the notes that the caller can read: new ones,
// changed ones, and those that have gone or were taken back.
func (s *Service) Changes(ctx context.Context, r ChangesRequest) (Changes, error) {
	reader, err := callerID(ctx)
	if err != nil {
		return Changes{}, err
	}
	limit := defaultChanges
	if r.Limit != nil {
		limit = *r.Limit
	}
	return s.store.Changes(ctx, reader, r.Since, limit, maxPage)
}
