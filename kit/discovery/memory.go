package discovery

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/go-kit/kit/sd"
)

// Memory is a registry for services that share a process. It believes what it
// is told: an instance is up until it leaves. The zero value is ready.
type Memory struct {
	mu      sync.Mutex
	closed  bool
	up      map[string]map[string]*Instance // by service and ID
	boards  map[string]*board
	catalog board
}

// Register implements Registry. An instance with an ID that is already there
// takes its place.
func (m *Memory) Register(ctx context.Context, i Instance) (func(context.Context) error, error) {
	i, err := i.complete()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if m.up == nil {
		m.up = map[string]map[string]*Instance{}
	}
	if m.up[i.Service] == nil {
		m.up[i.Service] = map[string]*Instance{}
	}
	m.up[i.Service][i.ID] = &i
	m.show(i.Service)
	return func(context.Context) error { m.leave(&i); return nil }, nil
}

func (m *Memory) leave(i *Instance) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.up[i.Service][i.ID] != i {
		return // left before, or replaced
	}
	delete(m.up[i.Service], i.ID)
	m.show(i.Service)
}

func (m *Memory) show(service string) {
	m.board(service).show(instances(m.up[service]))
	m.catalog.show(m.behindGateway())
}

func instances(up map[string]*Instance) (all []Instance) {
	for _, id := range slices.Sorted(maps.Keys(up)) {
		all = append(all, *up[id])
	}
	return all
}

// behindGateway are instances that stand for their services.
func (m *Memory) behindGateway() (services []Instance) {
	for service, instances := range m.up {
		for _, i := range instances {
			if slices.Contains(i.Tags, Gateway) {
				services = append(services, Instance{Service: service})
			}
		}
	}
	return services
}

func (m *Memory) board(service string) *board {
	b, ok := m.boards[service]
	if !ok {
		b = new(board)
		b.show(instances(m.up[service]))
		if m.closed {
			b.close()
		}
		if m.boards == nil {
			m.boards = map[string]*board{}
		}
		m.boards[service] = b
	}
	return b
}

// Watch implements Registry.
func (m *Memory) Watch(service string, ch chan<- Update) (stop func()) {
	m.mu.Lock()
	b := m.board(service)
	m.mu.Unlock()
	return b.watch(ch)
}

// Instancer implements Registry.
func (m *Memory) Instancer(service string) sd.Instancer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &view{m.board(service), addr}
}

// Catalog implements Registry.
func (m *Memory) Catalog() sd.Instancer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catalog.show(m.behindGateway())
	return &view{&m.catalog, name}
}

// Close implements Registry.
func (m *Memory) Close() error {
	m.mu.Lock()
	m.closed = true
	boards := slices.Collect(maps.Values(m.boards))
	m.mu.Unlock()
	for _, b := range append(boards, &m.catalog) {
		b.close()
	}
	return nil
}
