package profile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/profile/avatar"
)

const (
	pictureTime = 30 * time.Second // that sending a picture may take
	// abandoned is after how long what was kept for a record that never came
	// to name it is removed.
	abandoned = time.Hour
)

// PutAvatar takes a picture of the caller's. If-Match may be left out: the
// picture is there anew, whatever it was.
func (s *Service) PutAvatar(w http.ResponseWriter, r *http.Request) error {
	match, err := ifMatch(r)
	if err != nil {
		return err
	}
	body, err := readPicture(w, r)
	if err != nil {
		return err
	}
	said, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return avatar.ErrType
	}
	img, err := s.avatars.Make(r.Context(), body, said)
	if err != nil {
		return err
	}
	p, err := s.setAvatar(r.Context(), match, &img)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", p.ETag())
	return json.MarshalWrite(w, p, json.Deterministic(true))
}

// DeleteAvatar removes the caller's picture.
func (s *Service) DeleteAvatar(ctx context.Context, r DeleteAvatarRequest) error {
	_, err := s.setAvatar(ctx, r.IfMatch, nil)
	return err
}

// setAvatar gives the caller a picture, or none. A new one is first noted as
// waste: if this process ends before the record names it, it goes.
func (s *Service) setAvatar(ctx context.Context, match *transport.IfMatch, img *avatar.Image) (Profile, error) {
	var next *Avatar
	if img != nil {
		blob, err := uuid.NewV7()
		if err != nil {
			return Profile{}, err
		}
		next = &Avatar{blob, img.Type, img.Hash}
		_, err = s.change(ctx, func(r *Record) ([]event.Message, error) {
			r.Waste = append(r.Waste, Waste{Blob: blob, DueAt: micros(s.now().Add(abandoned))})
			return nil, nil
		})
		if err != nil {
			return Profile{}, err
		}
		if _, err := s.store.PutBlob(ctx, blob, bytes.NewReader(img.Data)); err != nil {
			return Profile{}, err
		}
	}
	record, err := s.edit(ctx, match, func(r *Record) error {
		if r.Avatar != nil {
			r.discard(r.Avatar.Blob, s.now())
		}
		if r.Avatar = next; next != nil && !r.keep(next.Blob) {
			return errors.New("the picture was removed before the record named it")
		}
		return nil
	})
	if err != nil {
		if next != nil {
			s.drop(ctx, next.Blob)
		}
		return Profile{}, err
	}
	s.due()
	return record.view(), nil
}

// drop removes a blob that no record came to name. If that fails it goes as waste.
func (s *Service) drop(ctx context.Context, blob uuid.UUID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	_ = s.store.DeleteBlob(ctx, blob)
}

// discard notes a blob to be removed.
func (r *Record) discard(blob uuid.UUID, now time.Time) {
	r.Waste = append(r.Waste, Waste{Blob: blob, DueAt: micros(now)})
}

// keep takes a blob back from what is to be removed. It returns whether it was there.
func (r *Record) keep(blob uuid.UUID) bool {
	was := len(r.Waste)
	r.Waste = slices.DeleteFunc(r.Waste, func(w Waste) bool { return w.Blob == blob && !w.Doomed })
	return len(r.Waste) < was
}

// ifMatch is the version that a Raw request names, nil for none.
func ifMatch(r *http.Request) (*transport.IfMatch, error) {
	switch values := r.Header.Values("If-Match"); len(values) {
	case 0:
		return nil, nil
	case 1:
		m := new(transport.IfMatch)
		return m, m.UnmarshalText([]byte(values[0]))
	}
	return new(transport.IfMatch), fault.New(fault.Malformed, "if_match_malformed", "If-Match is given more than once.")
}

// readPicture reads a body that is not too large, from a client that is not too slow.
func readPicture(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := fault.New(fault.TooLarge, "body_too_large", "The image may have at most %d bytes.", avatar.MaxBytes)
	if r.ContentLength > avatar.MaxBytes {
		return nil, tooLarge
	}
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Now().Add(pictureTime)) == nil {
		defer control.SetReadDeadline(time.Time{})
	}
	call := endpoint.From(r.Context())
	call.StepAside() // how long it takes is up to the client
	body, err := io.ReadAll(io.LimitReader(r.Body, avatar.MaxBytes+1))
	call.ComeBack()
	switch {
	case err != nil:
		return nil, fault.New(fault.RequestTimeout, "body_unreadable", "The image broke off, or came too slowly.").Because(err)
	case len(body) > avatar.MaxBytes:
		return nil, tooLarge
	}
	return body, nil
}

// Avatar shows a user's picture to whoever knows their id; <img> cannot say who
// asks. Initials are SVG, of our own making and still in a sandbox.
func (s *Service) Avatar(w http.ResponseWriter, r *http.Request) error {
	user, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return ErrNotFound
	}
	p, err := s.picture(r.Context(), user)
	if err != nil {
		return err
	}
	defer p.Close()
	tag := strconv.Quote(p.hash)
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "public, max-age=60")
	if r.URL.Query().Get("v") == p.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Type", p.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.FormatInt(p.size, 10))
	_, err = io.Copy(w, p)
	return err
}

// picture is one that is being shown.
type picture struct {
	io.ReadCloser
	kind, hash string
	size       int64
}

// picture opens a user's picture. One that is replaced meanwhile is gone, and
// the next is there.
func (s *Service) picture(ctx context.Context, user uuid.UUID) (picture, error) {
	for try := 0; ; try++ {
		r, err := s.get(ctx, user)
		if err == nil && r.Profile.Version == 0 || errors.Is(err, ErrErased) {
			return picture{}, ErrNotFound // who was erased is nobody's business
		}
		if err != nil {
			return picture{}, err
		}
		if r.Avatar == nil {
			img := avatar.Initials(user, r.Profile.DisplayName)
			return picture{io.NopCloser(bytes.NewReader(img.Data)), img.Type, img.Hash, int64(len(img.Data))}, nil
		}
		blob, size, err := s.store.OpenBlob(ctx, r.Avatar.Blob)
		if errors.Is(err, ErrNoBlob) && try < 3 {
			continue
		}
		return picture{blob, r.Avatar.Type, r.Avatar.Hash, size}, err
	}
}
