package profile

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/trellis-go/trellis/kit/event"
)

// ownName is this service's.
const ownName = "profile"

// writeTime is what writing an archive may take; what is there of it then goes.
const writeTime = time.Hour

// export collects what all services keep of the user, now, and makes one zip of
// it. When one of them cannot be had there is no export; all are asked again.
func (r run) export(ctx context.Context, t *Task) error {
	err := r.step(ctx, func(_ *Record, t *Task) ([]event.Message, error) {
		for i := range t.Parts {
			t.Parts[i].Done = false
		}
		return nil, nil
	})
	if err != nil {
		return err
	}
	files := make([]*os.File, len(t.Parts))
	for i := range files {
		if files[i], err = temporary(); err != nil {
			return err
		}
		defer files[i].Close()
	}
	err = r.each(ctx, t.Parts, func(i int, p Part) error {
		if err := r.collect(ctx, p.Service, files[i]); err != nil {
			return err
		}
		return r.note(ctx, p.Service, func(p *Part) { p.Done = true })
	})
	if err != nil {
		return err
	}
	return r.archive(ctx, t, files)
}

// temporary returns a file that is gone with its process, however that ends.
func temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "trellis-export-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// each does something for several of a job's parts at once, and notes which of
// them failed.
func (r run) each(ctx context.Context, list []Part, do func(i int, p Part) error) error {
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, p := range list {
		all.Go(func() {
			if err := do(i, p); err != nil {
				errs[i] = errors.Join(fmt.Errorf("%s: %w", p.Service, err), r.note(ctx, p.Service, func(p *Part) { p.Attempts++ }))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// note changes what the job says of a service.
func (r run) note(ctx context.Context, service string, edit func(*Part)) error {
	return r.step(ctx, func(_ *Record, t *Task) ([]event.Message, error) {
		edit(t.part(service))
		return nil, nil
	})
}

// part returns a service's part.
func (t *Task) part(service string) *Part {
	for i := range t.Parts {
		if t.Parts[i].Service == service {
			return &t.Parts[i]
		}
	}
	return &Part{}
}

// collect writes the zip of one service to a file.
func (r run) collect(ctx context.Context, service string, f *os.File) error {
	if service != ownName {
		return r.holders.Export(ctx, service, r.user, f)
	}
	z := zip.NewWriter(f)
	err := holder{r.Service}.Export(ctx, r.user, func(name string, modified time.Time) (io.Writer, error) {
		return z.CreateHeader(&zip.FileHeader{Name: name, Modified: modified, Method: zip.Deflate})
	})
	return errors.Join(err, z.Close())
}

// archive keeps one zip, with a folder for each service, and tells that it is there.
func (r run) archive(ctx context.Context, t *Task, files []*os.File) error {
	blob, err := uuid.NewV7()
	if err != nil {
		return err
	}
	err = r.step(ctx, func(record *Record, _ *Task) ([]event.Message, error) {
		record.discard(blob, r.now().Add(writeTime))
		return nil, nil
	})
	if err != nil {
		return err
	}
	out, in := io.Pipe()
	go func() { in.CloseWithError(merge(in, t.Parts, files)) }()
	size, err := r.store.PutBlob(ctx, blob, out)
	out.CloseWithError(err) // for merge, if it is not done
	if err != nil {
		return err
	}
	err = r.step(ctx, func(record *Record, t *Task) ([]event.Message, error) {
		if !record.keep(blob) {
			return nil, errors.New("it took too long to write the archive")
		}
		expires := micros(r.now().Add(KeptFor))
		t.Status, t.Claim, t.Archive, t.Bytes, t.ExpiresAt, t.DueAt = Done, uuid.Nil, blob, size, &expires, &expires
		e, err := ExportReady.About(ctx, r.user, Job{t.ID})
		return []event.Message{e}, err
	})
	if err != nil {
		r.drop(ctx, blob)
	}
	return err
}

// merge writes a zip of zips: what is in each, in a folder of its service's name.
func merge(w io.Writer, list []Part, files []*os.File) error {
	z := zip.NewWriter(w)
	for i, p := range list {
		size, err := files[i].Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		part, err := zip.NewReader(files[i], size)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Service, err)
		}
		for _, f := range part.File {
			if err := add(z, p.Service, f); err != nil {
				return fmt.Errorf("%s: %w", p.Service, err)
			}
		}
	}
	return z.Close()
}

// add adds a file to a zip as it was compressed. Its name cannot lead out of
// the service's folder.
func add(z *zip.Writer, folder string, f *zip.File) error {
	header := f.FileHeader
	header.Name = folder + path.Clean("/"+header.Name)
	from, err := f.OpenRaw()
	if err != nil {
		return err
	}
	to, err := z.CreateRaw(&header)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return err
}
