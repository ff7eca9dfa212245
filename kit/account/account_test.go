package account_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/endpoint"
	"github.com/trellis-go/trellis/kit/fault"
	"github.com/trellis-go/trellis/kit/server/servertest"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
)

// holder is a service that does as a test wants it to.
type holder struct {
	export func(ctx context.Context, user uuid.UUID, add account.Add) error
	erase  func(ctx context.Context, user uuid.UUID) (account.Receipt, error)
}

func (h holder) Export(ctx context.Context, user uuid.UUID, add account.Add) error {
	return h.export(ctx, user, add)
}

func (h holder) Erase(ctx context.Context, user uuid.UUID) (account.Receipt, error) {
	return h.erase(ctx, user)
}

func serve(t *testing.T, h holder) (*servertest.Service, account.Client) {
	t.Helper()
	s := servertest.Serve(t, account.Routes(h), nil, nil)
	return s, account.NewClient(s.Over)
}

var modified = time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)

func TestExport(t *testing.T) {
	t.Parallel()
	user := uuid.New()
	big := make([]byte, 300<<10)
	rand.Read(big) // does not shrink
	files := map[string]string{"notes.json": `[{"title":"ü"}]`, "pictures/a b.png": string(big), "empty.txt": ""}
	_, client := serve(t, holder{export: func(_ context.Context, who uuid.UUID, add account.Add) error {
		if who != user {
			return fmt.Errorf("export of %s", who)
		}
		for name, text := range files {
			w, err := add(name, modified)
			if err != nil {
				return err
			}
			if _, err := io.Copy(w, strings.NewReader(text)); err != nil {
				return err
			}
		}
		return nil
	}})
	var got bytes.Buffer
	if err := client.Export(t.Context(), "thing", user, &got); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(got.Bytes()), int64(got.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil || string(text) != files[f.Name] || !f.Modified.Equal(modified) {
			t.Errorf("%s of %v has %d bytes, %v", f.Name, f.Modified, len(text), err)
		}
		delete(files, f.Name)
	}
	if len(files) > 0 {
		t.Errorf("%d files are missing", len(files))
	}
}

func TestExportNothing(t *testing.T) {
	t.Parallel()
	_, client := serve(t, holder{export: func(context.Context, uuid.UUID, account.Add) error { return nil }})
	var got bytes.Buffer
	if err := client.Export(t.Context(), "thing", uuid.New(), &got); err != nil {
		t.Fatal(err)
	}
	if z, err := zip.NewReader(bytes.NewReader(got.Bytes()), int64(got.Len())); err != nil || len(z.File) > 0 {
		t.Errorf("%v, %v", z, err)
	}
}

// A part of an export is not taken for the whole.
func TestExportBreaks(t *testing.T) {
	t.Parallel()
	sorry := errors.New("disk on fire")
	some := func(add account.Add, bytes int) error {
		w, err := add("a", modified)
		if err != nil {
			return err
		}
		_, err = io.CopyN(w, rand.Reader, int64(bytes))
		return err
	}
	for name, tt := range map[string]struct {
		export func(ctx context.Context, add account.Add) error
		want   string
	}{
		"at once":    {func(context.Context, account.Add) error { return sorry }, "status 500"},
		"by refusal": {func(context.Context, account.Add) error { return fault.New(fault.NotFound, "none", "None.") }, "status 404"},
		"early":      {func(_ context.Context, add account.Add) error { return errors.Join(some(add, 10), sorry) }, "status 500"},
		"late":       {func(_ context.Context, add account.Add) error { return errors.Join(some(add, 256<<10), sorry) }, "broke off"},
		"by panic":   {func(_ context.Context, add account.Add) error { _ = some(add, 256<<10); panic("boom") }, "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := serve(t, holder{export: func(ctx context.Context, _ uuid.UUID, add account.Add) error { return tt.export(ctx, add) }})
			if err := client.Export(t.Context(), "thing", uuid.New(), io.Discard); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	_, client := serve(t, holder{export: func(_ context.Context, _ uuid.UUID, add account.Add) error { return some(add, 256<<10) }})
	if err := client.Export(t.Context(), "thing", uuid.New(), full{}); !errors.Is(err, errFull) {
		t.Errorf("where nothing can be written the error is %v", err)
	}
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// Whoever asked for an export and left has no more work done for them.
func TestExportLeft(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}), make(chan error, 1)
	_, client := serve(t, holder{export: func(ctx context.Context, _ uuid.UUID, add account.Add) error {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-began; leave() }()
	if err := client.Export(ctx, "thing", uuid.New(), io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestErase(t *testing.T) {
	t.Parallel()
	user := uuid.New()
	want := account.Receipt{Service: "thing", ErasedAt: modified, Erased: map[string]int{"things": 12, "pictures": 0}}
	_, client := serve(t, holder{erase: func(_ context.Context, who uuid.UUID) (account.Receipt, error) {
		if who != user {
			return account.Receipt{}, fault.New(fault.Unavailable, "away", "Away.")
		}
		return want, nil
	}})
	for range 2 {
		got, err := client.Erase(t.Context(), "thing", user)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the receipt is another (-want +got):\n%s", diff)
		}
	}
	if _, err := client.Erase(t.Context(), "thing", uuid.New()); fault.Of(err).Kind != fault.Unavailable || fault.Of(err).Code != "away" {
		t.Errorf("the error is %v", err)
	}
}

// Users do not erase or export each other, nor themselves, this way.
func TestServicesAlone(t *testing.T) {
	t.Parallel()
	user := uuid.New()
	s, _ := serve(t, holder{
		export: func(context.Context, uuid.UUID, account.Add) error { t.Error("it is exported"); return nil },
		erase: func(context.Context, uuid.UUID) (account.Receipt, error) {
			t.Error("it is erased")
			return account.Receipt{}, nil
		},
	})
	for _, method := range []string{"GET", "DELETE"} {
		path := "/internal/v1/account/" + user.String()
		if method == "GET" {
			path += "/export"
		}
		for _, token := range []string{"", "Bearer " + s.Token(t, user, "admin")} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", token)
			res, err := testenv.Client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %.10q: %s", method, token, res.Status)
			}
		}
	}
	if err := account.NewClient(transport.Peer{Name: "x", Over: s.Over}).Export(t.Context(), "thing", user, io.Discard); err == nil {
		t.Error("whoever has no secret may export")
	}

	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://thing/internal/v1/account/me/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(endpoint.TimeoutHeader, "1")
	res, err := s.Over.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var p transport.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.StatusCode != int(fault.Invalid) || len(p.Errors) != 1 || p.Errors[0].Parameter != "user" {
		t.Errorf("of no user: %s, %+v, %v", res.Status, p, err)
	}
}
