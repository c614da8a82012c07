package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/agent/internal/carry"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/hotplug"
	"github.com/sealdock/sealdock/agent/internal/kiosk"
	"github.com/sealdock/sealdock/agent/internal/lanes"
	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/policy"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/agent/internal/upload"
	"github.com/sealdock/sealdock/agent/internal/usb"
	"github.com/sealdock/sealdock/agent/internal/usbip"
	"github.com/sealdock/sealdock/agent/internal/volume"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/internal/wire"
)

// expirySoon is how long before its end a certificate is spoken of.
const expirySoon = 14 * 24 * time.Hour

// agent is the running whole. All fields are set before anything runs.
type agent struct {
	config   Config
	version  string
	now      func() time.Time
	log      *slog.Logger
	identity *enrol.Enrolment
	spool    *spool.Spool
	policy   *policy.Keeper
	page     *kiosk.Kiosk // nil for none
	bays     *bays
	doors    []door
	uploader *upload.Uploader
	pace     pace
	desk     *carry.Desk // takes in receipts that came by drive
}

// Run runs the agent and its companions until ctx ends, which is a nil error.
func Run(ctx context.Context, config Config, version string, now func() time.Time, log *slog.Logger, companions ...Companion) (err error) {
	if err := config.Check(); err != nil {
		return err
	}
	if _, err := enrol.Load(config.Data); err != nil { // before anything is made in a folder that may be the wrong one
		return err
	}
	unlock, err := durable.LockDir(config.Data)
	if errors.Is(err, durable.ErrLocked) {
		return fmt.Errorf("another agent runs on this data folder: %w", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if _, err := durable.RemoveUnfinished(ctx, config.Data, time.Now().Add(-durable.UnfinishedAge)); err != nil { // by the clock of the file system
		log.WarnContext(ctx, "unfinished files of an earlier crash stay; they are no part of anything and may be deleted", "error", err)
	}
	a := &agent{config: config, version: version, now: now, log: log}
	if a.identity, err = enrol.Load(config.Data); err != nil {
		return err
	}
	if a.doors, err = config.doors(log); err != nil {
		return err
	}
	a.spool, err = spool.Open(ctx, spool.Options{Dir: config.Data, Quota: config.Spool.QuotaBytes, Reserve: config.Spool.ReserveBytes, Now: now, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.spool.Close()) }()
	if err := a.join(); err != nil {
		return err
	}
	a.greet()
	return a.run(ctx, companions)
}

// door is a camera.Door, and whether this machine's own devices come through it:
// their plugging is heard.
type door struct {
	camera.Door
	local bool
}

func (c Config) doors(log *slog.Logger) ([]door, error) {
	var all []door
	ptp := camera.Options{Timeout: max(c.Copying.ReadTimeout/3, time.Second), Log: log}
	if c.Cameras.USB {
		all = append(all, door{camera.Over(usb.New(log), ptp), true})
	}
	if c.Cameras.Storage {
		all = append(all, door{volume.New(volume.Options{Data: c.Data, Imaging: !c.Cameras.USB, Log: log}), true})
	}
	if len(c.Cameras.USBIP) > 0 {
		bus, err := usbip.New(c.Cameras.USBIP, log)
		if err != nil {
			return nil, fmt.Errorf("setting cameras.usbip: %w", err)
		}
		all = append(all, door{camera.Over(bus, ptp), false})
	}
	return all, nil
}

// join makes the parts and ties them together: they meet at the spool.
func (a *agent) join() error {
	o := a.config.offloadOptions()
	o.Spool, o.Agency, o.Station, o.Dock = a.spool, a.identity.Agency, a.identity.Station, a.identity.Dock
	o.AgencyKey, o.Signer, o.Version, o.Now, o.Log = a.identity.AgencyKey, a.identity.StatementKey, a.version, a.now, a.log
	a.policy = policy.Open(a.config.Data, a.identity.Agency, a.log)
	o.Server, o.Images = server{a}, policy.NewImages(a.config.Data)
	desk := offload.New(o)
	a.bays = newBays(desk, a.config.Cameras.Poll, a.now, a.log)

	agencyKey, err := a.identity.AgencyKey.MarshalBinary()
	if err != nil {
		return err
	}
	u := a.config.uploadOptions()
	u.Spool, u.Agency, u.Dock, u.Trust, u.AgencyKey = a.spool, a.identity.Agency, a.identity.Dock, a.identity.Trust, agencyKey
	u.Version, u.Now, u.Log = a.version, a.now, a.log.With("component", "upload")
	u.Dial, u.Status, u.Policy, u.Images, u.Lost = a.dial, a.report, a.policy, o.Images, desk.TellErased
	a.uploader = upload.New(u)
	a.desk = &carry.Desk{Spool: a.spool, Trust: a.identity.Trust, Data: a.config.Data, Log: a.log.With("component", "carry")}
	return a.makePage()
}

// dial opens a session with the enrolled server.
func (a *agent) dial(ctx context.Context, kind wire.Kind) (lanes.Session, error) {
	address := a.config.Server.Address
	if address == "" {
		address = a.identity.Server
	}
	dial := wire.Dial
	if kind == wire.TCP {
		dial = wire.DialTCP
	}
	session, err := dial(ctx, address, identity.DockTLS(a.identity.TLS, a.identity.Pool(), a.identity.ServerName), wire.Options{})
	if err != nil {
		return nil, err
	}
	return lanes.Wired(session), nil
}

// greet says in the log who this is and what will need care.
func (a *agent) greet() {
	used, quota := a.spool.Usage()
	a.log.Info("agent started", "version", a.version, "agency", a.identity.Agency, "station", a.identity.Station, "dock", a.identity.Dock,
		"server", a.identity.Server, "spool_bytes", used, "spool_quota", quota)
	switch left := a.identity.Certificate.NotAfter.Sub(a.now()); {
	case left < 0:
		a.log.Error("the dock's certificate has expired: uploads wait until the dock is enrolled again with a new token; copying goes on", "expired", a.identity.Certificate.NotAfter.UTC())
	case left < expirySoon:
		a.log.Warn("the dock's certificate expires soon: enrol the dock again with a new token", "expires", a.identity.Certificate.NotAfter.UTC())
	}
}

// run runs the parts until ctx ends or one of them fails for good.
func (a *agent) run(ctx context.Context, companions []Companion) error {
	group, within := errgroup.WithContext(ctx)
	plugging := hotplug.New(a.log)
	for _, d := range a.doors {
		var heard ear
		if d.local {
			heard = plugging
		}
		group.Go(func() error { return a.bays.watch(within, d, heard) })
	}
	group.Go(func() error { return plugging.Run(within) })
	group.Go(func() error { return a.uploader.Run(within) })
	group.Go(func() error { return a.desk.Run(within) })
	group.Go(func() error { return a.spool.Watch(within) })
	group.Go(func() error { return a.serveStatus(within) })
	group.Go(func() error { return a.servePage(within) })
	for _, companion := range companions {
		group.Go(func() error { return companion(within, a.view()) })
	}
	err := group.Wait()
	if ctx.Err() != nil {
		a.log.Info("agent stopped")
		return nil
	}
	return err
}
