package profile

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
)

// Task is a job as a record keeps it. Whoever works on it has a claim, and
// moves DueAt before it comes; when they end without a word it comes, and
// another goes on.
type Task struct {
	ID        uuid.UUID  `json:"id"`
	Kind      Kind       `json:"kind"`
	Status    Status     `json:"status"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
	DueAt     *time.Time `json:"due_at"` // when it is somebody's to go on with; nil for never
	Claim     uuid.UUID  `json:"claim"`  // of the run that is at it
	Attempts  int        `json:"attempts"`
	Parts     []Part     `json:"parts"`
	Archive   uuid.UUID  `json:"archive"` // of an export
	Bytes     int64      `json:"bytes"`
	ExpiresAt *time.Time `json:"expires_at"`
	EraseAt   *time.Time `json:"erase_at"` // of an erasure
	Closed    bool       `json:"closed"`   // nobody can log in any more
}

// Part is what one service has to do with a job.
type Part struct {
	Service  string     `json:"service"`
	Done     bool       `json:"done"`
	Attempts int        `json:"attempts"` // that failed
	ErasedAt *time.Time `json:"erased_at"`
	Erased   []Count    `json:"erased"`
}

// Kind is what a job does.
type Kind string

const (
	KindExport  Kind = "export"
	KindErasure Kind = "erasure"
)

// Status is where a job stands.
type Status string

const (
	Waiting   Status = "waiting"   // to be begun, or tried again
	Scheduled Status = "scheduled" // for its time; it can be taken back
	Running   Status = "running"
	Done      Status = "done"
	Expired   Status = "expired" // done, and what came of it is gone
	Canceled  Status = "canceled"
)

// open tells whether there is still something to do for a job.
func (t *Task) open() bool {
	return t.Status == Waiting || t.Status == Scheduled || t.Status == Running
}

// task returns the record's task, or nil.
func (r *Record) task(id uuid.UUID) *Task {
	for i := range r.Tasks {
		if r.Tasks[i].ID == id {
			return &r.Tasks[i]
		}
	}
	return nil
}

// latest returns the record's last task of a kind that is still open, or nil.
func (r *Record) latest(k Kind) *Task {
	for i := range slices.Backward(r.Tasks) {
		if t := &r.Tasks[i]; t.Kind == k && t.open() {
			return t
		}
	}
	return nil
}

// receipt notes that a part is done.
func (p *Part) receipt(r account.Receipt) {
	p.Done, p.ErasedAt, p.Erased = true, &r.ErasedAt, nil
	for _, of := range slices.Sorted(maps.Keys(r.Erased)) {
		p.Erased = append(p.Erased, Count{of, r.Erased[of]})
	}
}

// AccountJob is a job as its owner sees it.
type AccountJob struct {
	ID        uuid.UUID    `json:"id"`
	Kind      Kind         `json:"kind"`
	Status    Status       `json:"status"`
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
	Services  []JobService `json:"services"`
	EraseAt   *time.Time   `json:"erase_at,omitempty" description:"When the account will be erased."`
	ExpiresAt *time.Time   `json:"expires_at,omitempty" description:"Until when the export can be downloaded."`
	Download  string       `json:"download_url,omitempty"`
	Bytes     int64        `json:"bytes,omitzero" description:"Of the download."`
}

// JobService is one service's part of a job.
type JobService struct {
	Service  string         `json:"service"`
	Status   Status         `json:"status" description:"waiting or done."`
	ErasedAt *time.Time     `json:"erased_at,omitempty"`
	Erased   map[string]int `json:"erased,omitzero" description:"How many of what."`
}

// Location is where the job is.
func (j AccountJob) Location() string { return "/v1/account/jobs/" + j.ID.String() }

// view is what a task's owner sees of it.
func (t *Task) view() AccountJob {
	j := AccountJob{
		ID: t.ID, Kind: t.Kind, Status: t.Status, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		EraseAt: t.EraseAt, ExpiresAt: t.ExpiresAt, Bytes: t.Bytes, Services: []JobService{},
	}
	if t.Kind == KindExport && t.Status == Done {
		j.Download = j.Location() + "/download"
	}
	for _, p := range t.Parts {
		s := JobService{Service: p.Service, Status: Waiting, ErasedAt: p.ErasedAt}
		if p.Done {
			s.Status = Done
		}
		if p.ErasedAt != nil {
			s.Erased = map[string]int{}
			for _, c := range p.Erased {
				s.Erased[c.Of] = c.Number
			}
		}
		j.Services = append(j.Services, s)
	}
	return j
}

// AcceptedJob is a job that was just taken on.
type AcceptedJob struct{ AccountJob }

// Headers say where the job is.
func (j AcceptedJob) Headers() http.Header { return http.Header{"Location": {j.Location()}} }

// AcceptedErasure is an erasure that was just taken on, with the token that
// shows its receipts when nobody can log in any more.
type AcceptedErasure struct {
	AccountJob
	ReceiptToken string `json:"receipt_token" description:"Shows the receipts (POST /v1/account/receipts) when the account is gone."`
}

// Headers say where the job is.
func (j AcceptedErasure) Headers() http.Header { return http.Header{"Location": {j.Location()}} }

// parts are those of services, in their order.
func parts(services []string) []Part {
	list := make([]Part, len(services))
	for i, s := range services {
		list[i] = Part{Service: s}
	}
	return list
}

// backoff is how long to wait after so many failures.
func backoff(failures int, longest time.Duration) time.Duration {
	return min(time.Second<<min(cmp.Or(failures, 1)-1, 20), longest)
}
