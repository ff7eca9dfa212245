package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-kit/kit/sd"
)

const (
	lookEvery   = 5 * time.Second  // a service may change its document while it runs: a new version is rolled out
	retryEvery  = time.Second      // while a service's document is not known yet
	startWithin = 15 * time.Second // after which a service without one is not waited for
	fetchWithin = 5 * time.Second
	maxDocument = 4 << 20 // bytes
)

// watch keeps the gateway's table at what the registry and the services say.
// A service that goes away keeps its routes, which answer 503 until it is
// back; so does one whose document cannot be had or read any more.
type watch struct {
	gateway   *Gateway
	client    *http.Client
	services  []string
	documents map[string][]byte
	again     bool // rebuild, though no document changed
}

func newWatch(g *Gateway) *watch {
	return &watch{gateway: g, client: &http.Client{Transport: g.Services, Timeout: fetchWithin}, documents: map[string][]byte{}}
}

func (w *watch) run(ctx context.Context) {
	catalog := w.gateway.Registry.Catalog()
	defer catalog.Stop()
	events := make(chan sd.Event)
	catalog.Register(events)
	defer func() {
		go func() { // the registry may be about to send
			for range events {
			}
		}()
		catalog.Deregister(events)
		close(events)
	}()
	timer := time.NewTimer(retryEvery)
	defer timer.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if e.Err == nil {
				w.services = e.Instances
			}
		case <-w.gateway.Traffic.Changed():
			w.again = true
		case <-timer.C:
		}
		complete := w.look(ctx)
		if complete && len(w.documents) > 0 || time.Since(began) > startWithin {
			w.gateway.complete.Store(true)
		}
		if complete && w.gateway.complete.Load() {
			timer.Reset(lookEvery)
		} else {
			timer.Reset(retryEvery)
		}
	}
}

// look fetches the documents and rebuilds the table if one changed. It tells
// whether every service's is known.
func (w *watch) look(ctx context.Context) (complete bool) {
	documents := maps.Clone(w.documents)
	complete = true
	for _, service := range w.services {
		text, err := w.fetch(ctx, service)
		if err != nil {
			if _, known := documents[service]; !known {
				complete = false
			}
			_ = w.gateway.Logger.Log("level", "warn", "msg", "no document", "from", service, "err", err)
			continue
		}
		documents[service] = text
	}
	if maps.EqualFunc(documents, w.documents, bytes.Equal) && !w.again {
		return complete
	}
	if err := w.gateway.rebuild(documents); err != nil {
		_ = w.gateway.Logger.Log("level", "error", "msg", "the new routes are refused, the old ones stay", "err", err)
		return complete
	}
	w.documents, w.again = documents, false
	_ = w.gateway.Logger.Log("level", "info", "msg", "routes", "services", fmt.Sprint(slices.Sorted(maps.Keys(documents))))
	return complete
}

// fetch returns a service's document, if it can be read as one.
func (w *watch) fetch(ctx context.Context, service string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+service+"/openapi.json", nil)
	if err != nil {
		return nil, err
	}
	res, err := w.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxDocument {
		return nil, fmt.Errorf("has more than %d bytes", maxDocument)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	return text, nil
}
