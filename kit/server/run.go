// Package server runs services: it configures, listens, registers, serves and drains.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/trellis-go/trellis/kit/discovery"
	"github.com/trellis-go/trellis/kit/telemetry"
	"github.com/trellis-go/trellis/kit/wire"
)

// finishTime is how long requests may take to finish once a service drains.
const finishTime = 20 * time.Second

// Run runs the services in this process until ctx ends or one of them fails.
// It tells on out where they are. Configuration comes from the environment.
func Run(ctx context.Context, out io.Writer, apps ...App) (err error) {
	common, err := loadCommon()
	services := make([]*service, len(apps))
	for i, app := range apps {
		s := &service{app: app}
		var wrong error
		s.own, s.config, wrong = app.load()
		services[i], err = s, errors.Join(err, wrong)
	}
	if err != nil {
		return err
	}
	registry, err := discovery.Open(common.Discovery, telemetry.NewLogger(os.Stderr, "service", "discovery"))
	if err != nil {
		return fmt.Errorf("TRELLIS_DISCOVERY: %w", err)
	}
	if err := common.share(apps); err != nil {
		return errors.Join(err, registry.Close())
	}
	if !strings.HasPrefix(common.Discovery, "memory:") && common.Drain == 0 {
		common.Drain = 2 * time.Second
	}
	others := discovery.Balance(registry, discovery.Via(new(wire.Transport)), discovery.Near(common.Zone), discovery.Log(telemetry.NewLogger(os.Stderr, "service", "discovery")))
	p := &process{common: common, registry: registry, others: others, events: &bus{url: common.Events}, failed: make(chan error, len(apps))}
	defer func() { err = errors.Join(err, p.stop(), p.events.close(), others.Close(), registry.Close()) }()

	if len(apps) == 1 && strings.HasPrefix(common.Discovery, "memory:") {
		fmt.Fprintf(os.Stderr, "warning: with TRELLIS_DISCOVERY=memory: %s finds no service outside this process; consul://HOST:PORT is for several\n", apps[0].Name)
	}
	for _, s := range services { // take every port before anything is opened or changed
		if s.ln, err = listen(s.app.Name, string(s.own.Addr)); err != nil {
			return err
		}
		p.services = append(p.services, s)
	}
	for _, s := range p.services {
		err := p.start(ctx, s)
		if ctx.Err() != nil { // told to stop before it was up
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.app.Name, err)
		}
		fmt.Fprintf(out, "%-8s %s://%s  %s\n", s.app.Name, s.scheme(), s.ln.Addr(), cmp.Or(s.env.Store, s.app.Doc))
	}
	select {
	case err := <-p.failed:
		return err
	case <-ctx.Done():
		fmt.Fprintln(out, "stopping")
		return nil
	}
}

type process struct {
	common   Common
	registry discovery.Registry
	others   *discovery.Balancer
	events   *bus
	services []*service
	failed   chan error
}

// service is an App with what it holds while it runs.
type service struct {
	app    App
	own    own
	config any
	ln     net.Listener
	env    *Env
	server *http.Server
	leave  func(context.Context) error
}

func (p *process) start(ctx context.Context, s *service) (err error) {
	advertise := string(s.own.Advertise)
	if advertise == "" {
		advertise = reachable(s.ln.Addr())
	}
	if s.env, err = newEnv(s.app.Name, advertise, p.common, p.registry, p.others, p.events); err != nil {
		return err
	}
	handler, err := s.app.assemble(ctx, s.env, s.config)
	if err != nil {
		return err
	}
	ln := net.Listener(guardedListener{s.ln})
	if s.env.certificate != nil {
		ln = secure(s.ln, s.env.certificate)
	}
	s.server = newServer(handler, s.env.Logger)
	go func() {
		if err := s.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- fmt.Errorf("%s: %w", s.app.Name, err)
		}
	}()
	s.env.Health.Ready(true)
	s.leave, err = p.registry.Register(ctx, discovery.Instance{
		Service: s.app.Name, Addr: advertise, Tags: s.app.tags(),
		Version: cmp.Or(p.common.Version, built()), Zone: p.common.Zone, Weight: int(s.own.Weight),
		TLS: s.env.certificate != nil,
	})
	return err
}

func (s *service) scheme() string {
	if s.env.certificate != nil {
		return "https"
	}
	return "http"
}

// built is the version that the binary was built from.
func built() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}

// tags puts every service but the gateway behind the gateway.
func (a App) tags() []string {
	if len(a.Routes) == 0 {
		return nil
	}
	return []string{discovery.Gateway}
}

// reachable is an address that others on this machine can call: one that
// listens everywhere is called on loopback.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}

// stop drains the services, the last started first: readiness goes, the
// instance leaves the registry, others get the time to notice, requests
// finish, stores close.
func (p *process) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), finishTime+p.common.Drain)
	defer cancel()
	var errs []error
	left := false
	for _, s := range p.services {
		if s.leave == nil {
			continue
		}
		left = true
		s.env.Health.Ready(false)
		if len(p.services) == 1 { // in one process the gateway goes first, and needs the others until then
			errs = append(errs, s.leave(ctx))
		}
	}
	if left && p.common.Drain > 0 {
		time.Sleep(p.common.Drain)
	}
	for i := len(p.services) - 1; i >= 0; i-- {
		errs = append(errs, p.services[i].stop(ctx))
	}
	return errors.Join(errs...)
}

func (s *service) stop(ctx context.Context) error {
	var errs []error
	if s.leave != nil {
		errs = append(errs, s.leave(ctx))
	}
	if s.env != nil {
		s.env.endStreams()
	}
	if s.server != nil {
		if err := s.server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: requests were cut off: %w", s.app.Name, err), s.server.Close())
		}
	} else {
		errs = append(errs, s.ln.Close())
	}
	if s.env != nil {
		errs = append(errs, s.env.close())
	}
	return errors.Join(errs...)
}
