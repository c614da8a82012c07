package daemon

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/agent/internal/kiosk"
	"github.com/sealdock/sealdock/agent/internal/offload"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// makePage makes the officers' page, unless the configuration wants none.
func (a *agent) makePage() (err error) {
	p := a.config.Page
	if p.Address == "" {
		return nil
	}
	a.page, err = kiosk.New(kiosk.Options{
		Address: p.Address, AllowNetwork: p.Network, Names: p.Names, Now: a.now, Log: a.log.With("component", "kiosk"),
		View: a.pageView, Urgent: a.bays.urgent,
	})
	return err
}

// servePage serves the page until ctx ends. A page that cannot be served, on an
// address in use for one, is no reason to leave cameras waiting.
func (a *agent) servePage(ctx context.Context) error {
	if a.page == nil {
		return nil
	}
	if err := a.page.Run(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("the officers' page is not served; choose another page.address", "address", a.config.Page.Address, "error", err)
	}
	return ctx.Err()
}

// pageView is the dock as its officers see it: no names of recordings, no hashes.
func (a *agent) pageView() kiosk.Dock {
	level := a.spool.Level()
	server := a.uploader.State()
	d := kiosk.Dock{Name: string(a.identity.Dock), Station: string(a.identity.Station), Connected: server.Connected, SpoolUsed: level.Used, SpoolQuota: level.Limit}
	if level.Alarm >= 85 && !level.FullAt.IsZero() {
		d.Alerts = append(d.Alerts, "This dock takes no more copies from about "+level.FullAt.In(time.Local).Format("Mon 15:04")+" on; cameras then keep their recordings. Tell the administrator.")
	}
	if !server.Connected {
		d.Server = "The server is not reached. Recordings are kept safe here and go on by themselves."
	}
	if waiting, err := a.spool.WaitingCount(context.Background()); err == nil {
		d.Waiting = waiting
	}
	all := a.bays.status()
	backlog, byBay := a.forecast(all)
	d.ClearAt = backlog.At
	for i, port := range a.config.Cameras.Bays {
		if !slices.ContainsFunc(all, func(s offload.Status) bool { return s.Port == port }) {
			all = slices.Insert(all, min(i, len(all)), offload.Status{Port: port, State: protocol.BayEmpty, BatteryPercent: -1, UpdatePercent: -1, SecondsLeft: -1})
		}
	}
	for _, s := range all {
		d.Bays = append(d.Bays, a.bayView(s, byBay[s.Port].At))
	}
	slices.SortStableFunc(d.Bays, func(x, y kiosk.Bay) int { return a.place(x.Port) - a.place(y.Port) })
	return d
}

// place is a bay's index on the dock; bays that the configuration does not number
// come last.
func (a *agent) place(port string) int {
	if i := slices.Index(a.config.Cameras.Bays, port); i >= 0 {
		return i
	}
	return len(a.config.Cameras.Bays)
}

func (a *agent) bayView(s offload.Status, clear time.Time) kiosk.Bay {
	label := s.Port
	if i := slices.Index(a.config.Cameras.Bays, s.Port); i >= 0 {
		label = strconv.Itoa(i + 1)
	}
	b := kiosk.Bay{
		Port: s.Port, Label: label, State: s.State, BytesDone: s.BytesDone, BytesTotal: s.BytesTotal, Rate: s.BytesPerSecond, TimeToGo: int64(s.SecondsLeft),
		RecordingsSafe: s.RecordingsDone, RecordingsTotal: s.RecordingsTotal, Battery: s.BatteryPercent, Charging: s.Charging,
		Officer: s.Officer, Registered: s.Known, Serial: short(s.CameraSerial), Safe: s.Safe, Urgent: s.Urgent, Firmware: s.UpdatePercent, Alerts: s.Notices, ClearAt: clear,
	}
	switch {
	case s.State == protocol.BayAttention && len(s.Notices) > 0:
		b.Sentence = s.Notices[len(s.Notices)-1]
		for _, notice := range s.Notices { // the newest that says what it is about
			if notice != offload.DiscreetNotice {
				b.Sentence = notice
			}
		}
	case s.State == protocol.BayAttention && s.CameraSerial != "":
		b.Sentence = "This camera needs a person to look. Its recordings stay on it."
	default: // sentences of the agent itself; what an error said stands in brackets
		b.Sentence, _, _ = strings.Cut(s.Message, " (")
	}
	return b
}

// short is the end of a serial number, as people compare it with a sticker.
func short(serial string) string {
	const length = 8
	if r := []rune(serial); len(r) > length {
		return "…" + string(r[len(r)-length:])
	}
	return serial
}
