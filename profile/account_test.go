package profile_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/account"
	"github.com/trellis-go/trellis/kit/event"
	"github.com/trellis-go/trellis/kit/testenv"
	"github.com/trellis-go/trellis/kit/transport"
	"github.com/trellis-go/trellis/profile"
)

// status waits until a job has a status.
func (s *scene) status(t *testing.T, user, job uuid.UUID, want profile.Status) (j profile.AccountJob) {
	t.Helper()
	testenv.Eventually(t, fmt.Sprint("job is ", want), func() bool {
		var err error
		j, err = s.ReadJob(s.As(t, user), profile.JobRequest{ID: job})
		must(t, err)
		return j.Status == want
	})
	return j
}

// unzip returns the files in a zip, by their names.
func unzip(t *testing.T, text string) map[string]string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
	must(t, err)
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		var b bytes.Buffer
		_, err = io.Copy(&b, r)
		must(t, err)
		files[f.Name] = b.String()
	}
	return files
}

func TestExport(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		ann := s.As(t, user)
		_, err := s.ReadProfile(ann)
		must(t, err)
		asPNG, _, _ := pictures(t)
		s.send(t, user, "PUT", "/v1/profile/avatar", asPNG, "Content-Type: image/png")
		s.told(t, user)
		res, body := s.send(t, user, "POST", "/v1/account/export", nil, "Idempotency-Key: one")
		again, same := s.send(t, user, "POST", "/v1/account/export", nil, "Idempotency-Key: one")
		if res.StatusCode != 202 || again.StatusCode != 202 || body != same || res.Header.Get("Location") == "" || again.Header.Get("Location") != res.Header.Get("Location") {
			t.Fatalf("%s %v %s\n%s", res.Status, res.Header, body, same)
		}
		j, err := s.StartExport(ann)
		must(t, err)
		if !strings.Contains(body, j.ID.String()) || j.Status != profile.Waiting || j.Kind != profile.KindExport || len(j.Services) != 4 {
			t.Errorf("another is begun: %+v", j)
		}
		path := "/v1/account/jobs/" + j.ID.String()
		if res, body := s.send(t, user, "GET", path+"/download", nil); res.StatusCode != 409 || !strings.Contains(body, "export_not_ready") {
			t.Errorf("too early: %s %s", res.Status, body)
		}
		_, err = s.ReadJob(s.As(t, uuid.New()), profile.JobRequest{ID: j.ID})
		wantCode(t, "another's job", err, 404, "job_not_found")

		s.others.set("notes")
		s.run(t)
		testenv.Eventually(t, "the others are collected", func() bool {
			j, err = s.ReadJob(ann, profile.JobRequest{ID: j.ID})
			must(t, err)
			done := 0
			for _, p := range j.Services {
				if p.Status == profile.Done {
					done++
				}
				if p.Service == "notes" && p.Status != profile.Waiting {
					t.Fatalf("the service that is down is skipped: %+v", j)
				}
			}
			return done == 3
		})
		s.others.set()
		j = s.status(t, user, j.ID, profile.Done)
		if j.Download != path+"/download" || j.ExpiresAt == nil || j.Bytes == 0 {
			t.Errorf("done: %+v", j)
		}
		if got := s.told(t, user); got != "account.export_ready.v1" {
			t.Errorf("told %q", got)
		}
		res, body = s.send(t, user, "GET", j.Download, nil)
		if res.StatusCode != 200 || res.ContentLength != j.Bytes || !strings.HasPrefix(res.Header.Get("Content-Disposition"), `attachment; filename="trellis-export-`) {
			t.Errorf("%s %v", res.Status, res.Header)
		}
		files := unzip(t, body)
		for _, name := range []string{"auth/data.txt", "notes/data.txt", "notify/data.txt", "notes/etc/passwd", "notes/a/b", "profile/profile.json", "profile/preferences.json", "profile/avatar.png", "profile/jobs.json"} {
			if files[name] == "" {
				t.Errorf("there is no %s", name)
			}
		}
		if len(files) != 13 || files["notes/data.txt"] != "notes"+user.String() || !strings.Contains(files["profile/profile.json"], `"display_name": "User`) {
			t.Errorf("%d files: %v", len(files), files)
		}
		if res, _ := s.send(t, uuid.New(), "GET", j.Download, nil); res.StatusCode != 404 {
			t.Errorf("another's: %s", res.Status)
		}
		if res, _ := s.send(t, uuid.Nil, "GET", j.Download, nil); res.StatusCode != 401 {
			t.Errorf("nobody's: %s", res.Status)
		}
		for range profile.MaxExports - 1 {
			j, err := s.StartExport(ann)
			must(t, err)
			s.status(t, user, j.ID, profile.Done)
		}
		_, err = s.StartExport(ann)
		if f := wantCode(t, "too many", err, 429, "too_many_exports"); f.RetryAfter < time.Hour || f.RetryAfter > profile.ExportsPer {
			t.Errorf("again after %s", f.RetryAfter)
		}
		list, err := s.ListJobs(ann)
		if must(t, err); len(list.Data) != profile.MaxExports || list.Data[2].ID != j.ID {
			t.Errorf("listed %+v", list)
		}

		r, err := store.Get(t.Context(), user)
		must(t, err)
		profile.Advance(s.service, profile.KeptFor+time.Minute)
		j = s.status(t, user, j.ID, profile.Expired)
		if res, body := s.send(t, user, "GET", path+"/download", nil); res.StatusCode != 410 || !strings.Contains(body, "export_expired") {
			t.Errorf("too late: %s %s", res.Status, body)
		}
		testenv.Eventually(t, "the archive is gone", func() bool { _, _, err := store.OpenBlob(t.Context(), r.Tasks[0].Archive); return err != nil })
		profile.Advance(s.service, 31*24*time.Hour)
		testenv.Eventually(t, "the job is gone", func() bool {
			r, err := store.Get(t.Context(), user)
			return err == nil && len(r.Tasks) == 0 && len(r.Waste) == 0
		})
	})
}

func TestErasure(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		s.run(t)
		ann := s.As(t, user)
		_, err := s.ReadProfile(ann)
		must(t, err)
		_, err = s.ChangePreferences(ann, profile.PatchPreferencesRequest{IfMatch: transport.IfMatch{Any: true}, Theme: transport.Some(new("dark"))})
		must(t, err)
		asPNG, _, _ := pictures(t)
		s.send(t, user, "PUT", "/v1/profile/avatar", asPNG, "Content-Type: image/png")
		export, err := s.StartExport(ann)
		must(t, err)
		s.status(t, user, export.ID, profile.Done)
		before, err := store.Get(t.Context(), user)
		must(t, err)
		s.told(t, user)

		_, err = s.CloseAccount(ann, profile.CloseRequest{Password: "guess"})
		wantCode(t, "another password", err, 403, "wrong_password")
		_, err = s.RestoreAccount(ann)
		wantCode(t, "nothing to restore", err, 409, "erasure_not_scheduled")
		res, body := s.send(t, user, "DELETE", "/v1/account", []byte(`{"password":"`+password+`"}`), "Content-Type: application/json")
		if res.StatusCode != 202 || !strings.HasPrefix(res.Header.Get("Location"), "/v1/account/jobs/") {
			t.Fatalf("%s %v %s", res.Status, res.Header, body)
		}
		first, err := s.CloseAccount(ann, profile.CloseRequest{Password: password})
		must(t, err)
		if !strings.Contains(body, first.ReceiptToken) || first.Status != profile.Scheduled || !first.EraseAt.After(time.Now().Add(50*time.Minute)) {
			t.Errorf("asked again: %+v, at first %s", first, body)
		}
		restored, err := s.RestoreAccount(ann)
		must(t, err)
		if restored.ID != first.ID || restored.Status != profile.Canceled {
			t.Errorf("restored: %+v", restored)
		}
		if got := s.told(t, user); got != "account.erasure_scheduled.v1 account.erasure_canceled.v1" {
			t.Errorf("told %q", got)
		}
		second, err := s.CloseAccount(ann, profile.CloseRequest{Password: password})
		must(t, err)
		if second.ID == first.ID || second.ReceiptToken == first.ReceiptToken {
			t.Error("the erasure that was taken back is taken up")
		}

		s.others.set("close auth", "erase notes", "erase auth")
		at := len(s.others.done())
		profile.Advance(s.service, 2*time.Hour)
		testenv.Eventually(t, "it is begun", func() bool {
			j, err := s.ReadJob(ann, profile.JobRequest{ID: second.ID})
			return err == nil && j.Status != profile.Scheduled
		})
		_, err = s.RestoreAccount(ann)
		wantCode(t, "too late", err, 409, "erasure_begun")
		if did := s.others.done()[at:]; len(did) != 0 {
			t.Errorf("before nobody can log in any more: %v", did)
		}
		s.others.set("erase notes", "erase auth")
		receipts := func() profile.AccountJob {
			t.Helper()
			j, err := s.ReadReceipts(t.Context(), profile.ReceiptRequest{Token: second.ReceiptToken})
			must(t, err)
			return j
		}
		is := func(want string) bool {
			var got []string
			for _, p := range receipts().Services {
				got = append(got, p.Service+" "+string(p.Status))
			}
			return strings.Join(got, ", ") == want
		}
		testenv.Eventually(t, "notify has erased", func() bool { return is("notes waiting, notify done, profile waiting, auth waiting") })
		if p, err := s.ReadProfile(ann); err != nil || p.Version == 0 {
			t.Errorf("its own comes after the others': %+v, %v", p, err)
		}
		s.others.set("erase auth")
		testenv.Eventually(t, "all but auth have erased", func() bool { return is("notes done, notify done, profile done, auth waiting") })
		_, err = s.ReadProfile(ann)
		wantCode(t, "an erased profile", err, 410, "account_erased")
		_, err = s.ReadSettings(t.Context(), user)
		wantCode(t, "erased settings", err, 410, "account_erased")
		s.register(t, user, "Ann")
		s.others.set()
		testenv.Eventually(t, "all have erased", func() bool { return receipts().Status == profile.Done })
		j := receipts()
		if j.Services[0].Erased["things"] != 5 || j.Services[0].ErasedAt == nil || fmt.Sprint(j.Services[2].Erased) != "map[avatars:1 devices:0 exports:1 preferences:1 profiles:1]" {
			t.Errorf("receipts: %+v", j)
		}
		var order []string
		for _, did := range s.others.done()[at:] {
			if !strings.HasPrefix(did, "name") && !slices.Contains(order, did) {
				order = append(order, did)
			}
		}
		if strings.Join(order, ", ") != "close auth, erase notify, erase notes, erase auth" {
			t.Errorf("in the order of %v", order)
		}
		after, err := store.Get(t.Context(), user)
		must(t, err)
		if after.User != uuid.Nil || after.DueAt() != nil || after.Avatar != nil || after.Profile != (profile.Profile{}) || len(after.Tasks) != 2 {
			t.Errorf("what stays is %+v", after)
		}
		for _, blob := range []uuid.UUID{before.Avatar.Blob, before.Tasks[0].Archive} {
			if _, _, err := store.OpenBlob(t.Context(), blob); err == nil {
				t.Error("a blob stays")
			}
		}
		if res, _ := s.send(t, uuid.Nil, "GET", "/v1/profiles/"+user.String()+"/avatar", nil); res.StatusCode != 404 {
			t.Errorf("an erased user's picture: %s", res.Status)
		}
		for _, token := range []string{"x", first.ReceiptToken[1:] + "A", strings.Repeat("A", 64)} {
			_, err := s.ReadReceipts(t.Context(), profile.ReceiptRequest{Token: token})
			wantCode(t, "a token that nobody gave out", err, 404, "job_not_found")
		}
		if got := s.told(t, user); got != "" {
			t.Errorf("told %q", got)
		}
	})
}

// The service is an account.Holder like the others, too.
func TestHolder(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		_, err := s.ReadProfile(s.As(t, user))
		must(t, err)
		c := account.NewClient(s.Over)
		var out bytes.Buffer
		must(t, c.Export(t.Context(), "profile", user, &out))
		if files := unzip(t, out.String()); files["profile.json"] == "" || len(files) != 3 {
			t.Errorf("exported %v", files)
		}
		out.Reset()
		must(t, c.Export(t.Context(), "profile", uuid.New(), &out))
		// Somebody is writing a picture of theirs; it is not to come behind the erasure.
		_, err = store.Update(t.Context(), user, func(r *profile.Record) ([]event.Message, error) {
			r.Waste = []profile.Waste{{Blob: uuid.New(), DueAt: time.Now().Add(time.Hour)}}
			return nil, nil
		})
		must(t, err)
		if _, err := c.Erase(t.Context(), "profile", user); err == nil {
			t.Error("it is erased, and may still come")
		}
		profile.Advance(s.service, 6*time.Minute)
		first, err := c.Erase(t.Context(), "profile", user)
		must(t, err)
		second, err := c.Erase(t.Context(), "profile", user)
		must(t, err)
		if first.Erased["profiles"] != 1 || !second.ErasedAt.Equal(first.ErasedAt) || second.Erased["profiles"] != 1 || first.Service != "profile" {
			t.Errorf("%+v, then %+v", first, second)
		}
		_, err = s.ReadProfile(s.As(t, user))
		wantCode(t, "an erased profile", err, 410, "account_erased")
		if r, err := store.Get(t.Context(), user); err != nil || r.User != uuid.Nil {
			t.Errorf("it is still known whose it was: %+v, %v", r, err)
		}
	})
}

// A job whose instance stops is gone on with by another at once; one whose
// instance says nothing any more, when its claim has run out.
func TestTakeOver(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		one, user := serve(t, store, func(c *profile.Config) { c.Lease = time.Hour }), uuid.New()
		one.others.hang, one.others.hanging = make(chan struct{}), make(chan struct{}, 10)
		stop := one.run(t)
		j, err := one.StartExport(one.As(t, user))
		must(t, err)
		<-one.others.hanging
		two := serve(t, store)
		two.run(t)
		if j, err := one.ReadJob(one.As(t, user), profile.JobRequest{ID: j.ID}); err != nil || j.Status != profile.Running || len(two.others.done()) > 0 {
			t.Fatalf("%+v, %v", j, err)
		}
		stop() // it gives the job up, or nobody has it for an hour
		one.status(t, user, j.ID, profile.Done)

		three := serve(t, store, func(c *profile.Config) { c.Lease = 500 * time.Millisecond })
		other := uuid.New()
		must(t, profile.Abandon(three.service, t.Context(), other))
		testenv.Eventually(t, "the claim of a dead one runs out", func() bool {
			list, err := two.ListJobs(two.As(t, other))
			must(t, err)
			return len(list.Data) == 1 && list.Data[0].Status == profile.Done
		})
	})
}

// Whoever works on a job has it for longer than a claim lasts.
func TestHold(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store), uuid.New()
		s.others.hang, s.others.hanging = make(chan struct{}), make(chan struct{}, 100)
		s.run(t)
		_, err := s.StartExport(s.As(t, user))
		must(t, err)
		<-s.others.hanging
		var first profile.Task
		testenv.Eventually(t, "the same claim lasts longer", func() bool {
			r, err := store.Get(t.Context(), user)
			must(t, err)
			task := r.Tasks[0]
			if task.Claim != first.Claim { // the first one seen; or that ran out while this process stood still
				first = task
			}
			return task.DueAt.After(*first.DueAt)
		})
	})
}

// Who erases is who keeps something of users' then, not when it was asked for.
func TestErasureByOthersThanBefore(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		before := serve(t, store, func(c *profile.Config) { c.Holders = []string{"auth", "old", "notes"} })
		user := uuid.New()
		asked, err := before.CloseAccount(before.As(t, user), profile.CloseRequest{Password: password})
		must(t, err)
		now := serve(t, store)
		profile.Advance(now.service, 2*time.Hour)
		now.run(t)
		var j profile.AccountJob
		testenv.Eventually(t, "all have erased", func() bool {
			j, err = now.ReadReceipts(t.Context(), profile.ReceiptRequest{Token: asked.ReceiptToken})
			must(t, err)
			return j.Status == profile.Done
		})
		var by []string
		for _, p := range j.Services {
			by = append(by, p.Service+" "+string(p.Status))
		}
		if got := strings.Join(by, ", "); got != "notes done, notify done, profile done, auth done" {
			t.Errorf("erased by %s", got)
		}
	})
}

// However many exports wait, an erasure does not wait for them.
func TestErasureBehindExports(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		s, user := serve(t, store, func(c *profile.Config) { c.Lease = time.Minute }), uuid.New()
		s.others.hang, s.others.hanging = make(chan struct{}), make(chan struct{}, 10)
		const waiting = 210
		for range waiting {
			_, err := store.Update(t.Context(), uuid.New(), func(r *profile.Record) ([]event.Message, error) {
				at := time.Now().Add(-time.Hour)
				r.Tasks = []profile.Task{{
					ID: uuid.New(), Kind: profile.KindExport, Status: profile.Waiting, CreatedAt: at, UpdatedAt: at, DueAt: &at,
					Parts: []profile.Part{{Service: "notes"}},
				}}
				return nil, nil
			})
			must(t, err)
		}
		asked, err := s.CloseAccount(s.As(t, user), profile.CloseRequest{Password: password})
		must(t, err)
		profile.Advance(s.service, 2*time.Hour)
		s.run(t)
		testenv.Eventually(t, "all have erased", func() bool {
			j, err := s.ReadReceipts(t.Context(), profile.ReceiptRequest{Token: asked.ReceiptToken})
			must(t, err)
			return j.Status == profile.Done
		})
		if due, err := store.Due(t.Context(), time.Now(), waiting); err != nil || len(due) < waiting-10 {
			t.Errorf("only %d exports wait, %v", len(due), err)
		}
	})
}

// What cannot be removed of one user keeps nobody else waiting.
func TestWasteThatStays(t *testing.T) {
	onStores(t, func(t *testing.T, store profile.Store) {
		blob, told := uuid.New(), make(chan string, 1000)
		s := serve(t, stuck{store, blob}, func(c *profile.Config) {
			c.Failed = func(what string, err error) { told <- fmt.Sprint(what, ": ", err) }
		})
		_, err := store.Update(t.Context(), uuid.New(), func(r *profile.Record) ([]event.Message, error) {
			r.Waste = []profile.Waste{{Blob: blob, DueAt: time.Now().Add(-time.Hour)}}
			return nil, nil
		})
		must(t, err)
		user := uuid.New()
		j, err := s.StartExport(s.As(t, user))
		must(t, err)
		s.run(t)
		s.status(t, user, j.ID, profile.Done)
		if got := <-told; !strings.Contains(got, errDown.Message) {
			t.Errorf("told %q", got)
		}
	})
}

// stuck is a store that cannot remove a blob.
type stuck struct {
	profile.Store
	blob uuid.UUID
}

func (s stuck) DeleteBlob(ctx context.Context, id uuid.UUID) error {
	if id == s.blob {
		return errDown
	}
	return s.Store.DeleteBlob(ctx, id)
}
