package profile

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

const (
	// MaxExports is how many exports a user may ask for in ExportsPer.
	MaxExports = 3
	ExportsPer = 24 * time.Hour
	// KeptFor is how long an export can be downloaded.
	KeptFor = 7 * 24 * time.Hour
	// toldFor is how long it is told of one that it has expired.
	toldFor = 30 * 24 * time.Hour
)

var (
	ErrNoJob      = fault.New(fault.NotFound, "job_not_found", "You have no such job.")
	ErrExports    = fault.New(fault.TooMany, "too_many_exports", "You have had %d exports in a day. Take another one later.", MaxExports)
	ErrNotReady   = fault.New(fault.Conflict, "export_not_ready", "The export is not ready yet.")
	ErrExpired    = fault.New(fault.Gone, "export_expired", "The export has expired. Ask for another one.")
	ErrPassword   = fault.New(fault.Forbidden, "wrong_password", "The password is wrong.")
	ErrNoErasure  = fault.New(fault.Conflict, "erasure_not_scheduled", "Your account is not going to be erased.")
	ErrErasing    = fault.New(fault.Conflict, "erasure_begun", "Your account is being erased. That cannot be taken back.")
	errClosedSoon = fault.New(fault.Conflict, "erasure_begun", "Your account is being erased.")
)

// StartExport begins to collect all that is kept of the caller, everywhere. One
// that is under way is all there is.
func (s *Service) StartExport(ctx context.Context, _ endpoint.None) (AcceptedJob, error) {
	id, err := endpoint.NewID(ctx)
	if err != nil {
		return AcceptedJob{}, err
	}
	var started uuid.UUID
	record, err := s.change(ctx, func(r *Record) ([]event.Message, error) {
		if started = id; r.task(id) != nil {
			return nil, errSame // by an earlier run of this very request
		}
		if t := r.latest(KindExport); t != nil {
			started = t.ID
			return nil, errSame
		}
		if t := r.latest(KindErasure); t != nil && t.Status != Scheduled {
			return nil, errClosedSoon
		}
		now := micros(s.now())
		if err := r.mayExport(now); err != nil {
			return nil, err
		}
		r.Tasks = append(r.Tasks, Task{
			ID: id, Kind: KindExport, Status: Waiting, CreatedAt: now, UpdatedAt: now, DueAt: &now,
			Parts: parts(append([]string{ownName}, s.config.Holders...)),
		})
		return nil, nil
	})
	if err != nil {
		return AcceptedJob{}, err
	}
	s.due()
	return AcceptedJob{record.task(started).view()}, nil
}

// mayExport tells whether it is not too soon for another export.
func (r *Record) mayExport(now time.Time) error {
	var recent []time.Time
	for _, t := range r.Tasks {
		if t.Kind == KindExport && now.Sub(t.CreatedAt) < ExportsPer {
			recent = append(recent, t.CreatedAt)
		}
	}
	if len(recent) < MaxExports {
		return nil
	}
	oldest := slices.MinFunc(recent, time.Time.Compare)
	return ErrExports.After(oldest.Add(ExportsPer).Sub(now))
}

// CloseAccount has the caller's account erased, everywhere, when the time of
// grace is over. Asked again it answers the same.
func (s *Service) CloseAccount(ctx context.Context, r CloseRequest) (AcceptedErasure, error) {
	user, err := callerID(ctx)
	if err != nil {
		return AcceptedErasure{}, err
	}
	if err := s.users.ConfirmPassword(ctx, user, r.Password); err != nil {
		return AcceptedErasure{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return AcceptedErasure{}, err
	}
	record, err := s.update(ctx, user, func(r *Record) ([]event.Message, error) {
		if r.latest(KindErasure) != nil {
			return nil, errSame
		}
		now := micros(s.now())
		at := now.Add(s.config.Grace)
		r.Tasks = append(r.Tasks, Task{
			ID: id, Kind: KindErasure, Status: Scheduled, CreatedAt: now, UpdatedAt: now, DueAt: &at, EraseAt: &at,
			Parts: parts(s.erasureOrder()),
		})
		e, err := ErasureScheduled.About(ctx, user, Erasure{id, at})
		return []event.Message{e}, err
	})
	if err != nil {
		return AcceptedErasure{}, err
	}
	s.due()
	t := record.latest(KindErasure)
	return AcceptedErasure{t.view(), s.receiptToken(t.ID)}, nil
}

// RestoreAccount takes back that the caller's account is to be erased.
func (s *Service) RestoreAccount(ctx context.Context, _ endpoint.None) (AccountJob, error) {
	var id uuid.UUID
	record, err := s.change(ctx, func(r *Record) ([]event.Message, error) {
		t := r.latest(KindErasure)
		switch {
		case t == nil:
			return nil, ErrNoErasure
		case t.Status != Scheduled:
			return nil, ErrErasing
		}
		id, t.Status, t.DueAt, t.UpdatedAt = t.ID, Canceled, nil, micros(s.now())
		r.Tasks = slices.DeleteFunc(r.Tasks, func(t Task) bool { return t.Status == Canceled && t.ID != id }) // one of them is enough to tell
		e, err := ErasureCanceled.About(ctx, r.User, Change{r.Revision + 1})
		return []event.Message{e}, err
	})
	if err != nil {
		return AccountJob{}, err
	}
	return record.task(id).view(), nil
}

// ListJobs returns the caller's jobs, the latest first.
func (s *Service) ListJobs(ctx context.Context, _ endpoint.None) (page transport.Page[AccountJob], err error) {
	record, err := s.own(ctx)
	if err != nil {
		return page, err
	}
	list := []AccountJob{}
	for _, t := range slices.Backward(record.Tasks) {
		list = append(list, t.view())
	}
	return transport.NewPage(list, ""), nil
}

// ReadJob returns one of the caller's jobs.
func (s *Service) ReadJob(ctx context.Context, r JobRequest) (AccountJob, error) {
	t, err := s.job(ctx, r.ID)
	if err != nil {
		return AccountJob{}, err
	}
	return t.view(), nil
}

func (s *Service) job(ctx context.Context, id uuid.UUID) (*Task, error) {
	record, err := s.own(ctx)
	if err != nil {
		return nil, err
	}
	t := record.task(id)
	if t == nil {
		return nil, ErrNoJob
	}
	return t, nil
}

// ReadReceipts returns the erasure that a receipt token belongs to, to whoever
// has the token: nobody can log in any more.
func (s *Service) ReadReceipts(ctx context.Context, r ReceiptRequest) (AccountJob, error) {
	text, err := base64.RawURLEncoding.DecodeString(r.Token)
	if err != nil || len(text) < 16 {
		return AccountJob{}, ErrNoJob
	}
	id := uuid.UUID(text[:16])
	if !hmac.Equal([]byte(s.receiptToken(id)), []byte(r.Token)) {
		return AccountJob{}, ErrNoJob
	}
	record, err := s.store.Find(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = ErrNoJob
	}
	if err != nil {
		return AccountJob{}, err
	}
	return record.task(id).view(), nil
}

// receiptToken is made of the job's id, so that nothing needs to be kept.
func (s *Service) receiptToken(job uuid.UUID) string {
	mac := hmac.New(sha256.New, s.receipt)
	mac.Write(job[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(job[:]))
}

// DownloadExport sends one of the caller's exports.
func (s *Service) DownloadExport(w http.ResponseWriter, r *http.Request) error {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return ErrNoJob
	}
	t, err := s.job(r.Context(), id)
	switch {
	case err != nil:
		return err
	case t.Kind != KindExport:
		return ErrNoJob
	case t.Status == Expired || t.ExpiresAt != nil && !s.now().Before(*t.ExpiresAt):
		return ErrExpired
	case t.Status != Done:
		return ErrNotReady
	}
	blob, size, err := s.store.OpenBlob(r.Context(), t.Archive)
	if err != nil {
		return err
	}
	defer blob.Close()
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="trellis-export-%s.zip"`, t.CreatedAt.Format(time.DateOnly)))
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, err = io.Copy(w, blob)
	return err
}
