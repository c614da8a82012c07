package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/internal/wire"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Ready tells where a running server listens.
type Ready struct {
	QUIC, HTTPS net.Addr
	Web         string // what a browser's address line begins with
}

// Run runs a server until ctx ends. ready is called once, when docks and
// browsers may come.
func Run(ctx context.Context, c Config, version string, log *slog.Logger, now func() time.Time, ready func(Ready)) (err error) {
	if err := c.Check(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	p, err := open(ctx, &c, version, log, now)
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	defer func() { err = errors.Join(err, p.close()) }()
	doors, err := p.listen()
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	defer doors.close()
	if err := p.noteStart(context.WithoutCancel(ctx), version); err != nil { // who is told to stop now stops in order
		return fmt.Errorf("starting: %w", err)
	}
	log.InfoContext(ctx, "the server is ready", "docks", doors.quic.Addr().String(), "web", doors.https.Addr().String(), "data", c.DataDir, "version", version)
	if ready != nil {
		ready(Ready{QUIC: doors.quic.Addr(), HTTPS: doors.https.Addr(), Web: c.webAddress()})
	}
	return p.serve(ctx, doors)
}

// doors are the listening sockets.
type doors struct {
	quic  *wire.Listener
	https net.Listener
	plain net.Listener // nil: nothing is served without TLS
	local net.Listener // nil: commands on this machine do not reach the server
	web   *http.Server
	http  *http.Server // behind plain
}

func (d *doors) close() {
	d.quic.Shutdown(upload.EndGoingAway, "the server stops")
	d.web.Close()
	d.http.Close()
	if d.plain != nil {
		d.plain.Close()
	}
	if d.local != nil {
		d.local.Close()
	}
}

func (p *parts) listen() (*doors, error) {
	c := p.config
	certificates := p.certificates
	dockTLS, err := certificates.renewing(func(first tls.Certificate) *tls.Config { return identity.ServerTLS(first, p.secrets.authority.Pool()) })
	if err != nil {
		return nil, err
	}
	webTLS := p.webTLS()
	quic, err := wire.Listen(c.ListenQUIC, dockTLS, wire.Options{MaxSessions: c.MaxDocks, ResetKey: &p.secrets.resetKey})
	if err != nil {
		return nil, fmt.Errorf("listen_quic: %w", err)
	}
	handler, err := p.web(quic.Addr())
	if err != nil {
		return nil, errors.Join(err, quic.Close())
	}
	local, err := p.listenLocal()
	if err != nil {
		return nil, errors.Join(err, quic.Close())
	}
	https, err := net.Listen("tcp", c.ListenHTTPS) // the last: who can connect here finds the others too
	if err != nil {
		err = errors.Join(fmt.Errorf("listen_https: %w", err), quic.Close())
		if local != nil {
			err = errors.Join(err, local.Close())
		}
		return nil, err
	}
	d := &doors{quic: quic, local: local, https: tls.NewListener(https, webTLS), web: p.webServer(handler), http: p.webServer(p.edge.Plain())}
	d.web.TLSConfig = webTLS
	if plain := c.Certificate.ListenHTTP; plain != "" {
		if d.plain, err = net.Listen("tcp", plain); err != nil {
			d.close()
			d.https.Close()
			return nil, fmt.Errorf("certificate.listen_http: %w", err)
		}
	}
	return d, nil
}

// webServer bounds what a request may take, whatever is behind.
func (p *parts) webServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler: cutSlow(handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(telemetry.Component(p.log, "web").Handler(), slog.LevelDebug),
	}
}

func (p *parts) noteStart(ctx context.Context, version string) error {
	return p.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, evidence.Event{
			Version: 1, Agency: p.config.agency(), Type: evidence.EventServerStarted, At: p.now().UTC().Truncate(time.Microsecond),
			Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local", Outcome: evidence.OutcomeDone, Details: map[string]string{"version": version},
		})
		return err
	})
}

// serve runs until ctx ends or a part fails. The parts end in the order in
// which recordings pass through them, so that each can finish what it has.
func (p *parts) serve(ctx context.Context, d *doors) error {
	group, ctx := errgroup.WithContext(ctx)
	inner, stopInner := context.WithCancel(context.WithoutCancel(ctx)) // outlives ctx, until docks are served
	defer stopInner()
	group.Go(func() error {
		defer stopInner()
		err := p.receive(ctx, d)
		return errors.Join(err, d.quic.Shutdown(upload.EndGoingAway, "the server stops"))
	})
	group.Go(func() error {
		if err := p.custody.Run(inner); err != nil {
			return fmt.Errorf("making receipts: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		if err := p.uplink.Run(inner); err != nil {
			return fmt.Errorf("directing docks: %w", err)
		}
		return nil
	})
	group.Go(func() error { return p.dismissDocks(inner) })
	group.Go(func() error { return boundMemory(inner) })
	group.Go(func() error {
		if err := p.audit.Run(inner); err != nil {
			return fmt.Errorf("keeping the custody log: %w", err)
		}
		return nil
	})
	group.Go(func() error { return p.giveSlots(inner) })
	prover := p.config.openScrub(p.secrets, p.catalog, p.vault, p.log, p.now)
	if p.config.ScrubCycle > 0 {
		group.Go(func() error { return prover.Run(inner) })
	}
	if p.config.MirrorDir != "" {
		group.Go(func() error {
			return p.config.openMirroring(p.secrets, p.catalog, p.vault, prover, p.log, p.now).Run(inner)
		})
	}
	if p.config.underTransit() {
		group.Go(func() error { return p.config.keepToken(inner, p.log) })
	}
	if p.stamp != nil {
		group.Go(func() error { return p.stamp.Run(inner) })
	}
	if p.witness != nil {
		group.Go(func() error { return p.witness.Run(inner) })
	}
	group.Go(func() error { return p.webhooks.Run(inner) })
	if p.config.Directory.any() {
		group.Go(func() error { return p.recheckPeople(inner) })
	}
	group.Go(func() error { return p.sweepDormant(inner) })
	group.Go(func() error {
		if err := d.web.Serve(d.https); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving browsers: %w", err)
		}
		return nil
	})
	group.Go(func() error { return p.edge.Run(inner) })
	if d.plain != nil {
		group.Go(func() error {
			if err := d.http.Serve(d.plain); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serving without TLS: %w", err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		p.log.Info("stopping")
		defer d.http.Close()
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.web.Shutdown(grace); err != nil {
			return d.web.Close() // a page that watches live stays open for ever
		}
		return nil
	})
	err := group.Wait()
	came := p.live.Traffic()
	p.log.Info("stopped", "segment_bytes", came.Bytes, "segment_bytes_twice", came.Twice)
	return err
}

// takeIn serves docks and commands on this machine until the first of them or ctx
// ends, and returns when both have.
func (p *parts) takeIn(ctx context.Context, d *doors) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer cancel()
		return p.receiver.Serve(ctx, d.quic)
	})
	group.Go(func() error { return p.serveLocal(ctx, d.local) })
	return group.Wait()
}

// receive takes in until ctx ends, and then for as long as recordings are
// being proven, but not longer than the drain time.
func (p *parts) receive(ctx context.Context, d *doors) error {
	served := make(chan error, 1)
	go func() { served <- p.takeIn(ctx, d) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	drain := time.NewTimer(time.Duration(p.config.DrainTime))
	defer drain.Stop()
	select {
	case err := <-served:
		return err
	case <-drain.C:
		p.log.Warn("recordings were still being proven when the drain time was over; they go on after the next start")
		p.custody.Close()
		return <-served
	}
}
