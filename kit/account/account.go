// Package account is what every service that keeps something of its users'
// does when they take their data along and when they leave.
package account

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
)

// Holder is a service that keeps something of its users'.
type Holder interface {
	// Export adds files with all that the service keeps of a user.
	Export(ctx context.Context, user uuid.UUID, add Add) error
	// Erase removes all that the service keeps of a user, with what is on its
	// way in the outbox, and lets nothing more of theirs in. Again changes nothing.
	Erase(ctx context.Context, user uuid.UUID) (Receipt, error)
}

// Add begins a file of an export; it ends with the next one. Names are
// relative, with slashes.
type Add func(name string, modified time.Time) (io.Writer, error)

// Receipt says what a service has erased.
type Receipt struct {
	Service  string         `json:"service"`
	ErasedAt time.Time      `json:"erased_at"`
	Erased   map[string]int `json:"erased"` // how many of what: {"notes": 12}
}

const exportTime = 10 * time.Minute

// Routes are the endpoints by which the accounts service reaches a holder.
func Routes(h Holder) []transport.Route {
	s := server{h}
	return []transport.Route{
		transport.Get("/internal/v1/account/{user}/export", transport.Raw("ExportAccount", "Write all that is kept of a user, as a zip.", s.export).Internal().Within(exportTime)),
		transport.Delete("/internal/v1/account/{user}", endpoint.New(s.erase, "Erase all that is kept of a user.").Named("EraseAccount").Internal().Repeatable()),
	}
}

type server struct{ Holder }

type userRequest struct {
	User uuid.UUID `path:"user" json:"-"`
}

func (s server) erase(ctx context.Context, r userRequest) (Receipt, error) {
	return s.Erase(ctx, r.User)
}

func (s server) export(w http.ResponseWriter, r *http.Request) error {
	user, err := uuid.Parse(r.PathValue("user"))
	if err != nil {
		return fault.Breaks(fault.Field{Parameter: "user", Code: "uuid", Detail: "is no UUID"})
	}
	w.Header().Set("Content-Type", "application/zip")
	z := zip.NewWriter(w)
	err = s.Export(r.Context(), user, func(name string, modified time.Time) (io.Writer, error) {
		return z.CreateHeader(&zip.FileHeader{Name: name, Modified: modified, Method: zip.Deflate})
	})
	if err != nil {
		return err
	}
	return z.Close()
}

// Client reaches the holders.
type Client struct{ over http.RoundTripper }

// NewClient returns a client over a transport.Peer.
func NewClient(over http.RoundTripper) Client { return Client{over} }

// Erase makes a service erase what it keeps of a user.
func (c Client) Erase(ctx context.Context, service string, user uuid.UUID) (Receipt, error) {
	return transport.Call[Receipt](ctx, transport.NewClient(service, Routes(nil), c.over), "EraseAccount", userRequest{user})
}

// Export writes a service's zip of what it keeps of a user to w. What is
// written is whole only when there is no error.
func (c Client) Export(ctx context.Context, service string, user uuid.UUID, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+service+"/internal/v1/account/"+user.String()+"/export", nil)
	if err != nil {
		return err
	}
	r.Header.Set(endpoint.TimeoutHeader, endpoint.Timeout(exportTime))
	res, err := c.over.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("export of %s: %w", service, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("export of %s: status %s", service, res.Status)
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("export of %s broke off: %w", service, err)
	}
	return nil
}
