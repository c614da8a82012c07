package api

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (a *api) fleetRoutes() []Route {
	const tag = "Firmware and settings of cameras"
	return []Route{
		Answer("GET /api/v1/firmware", Description{Tag: tag, Summary: "Firmware for cameras, and whose is trusted", Asks: []auth.Action{auth.ListFirmware}}, a.firmware),
		Answer("POST /api/v1/firmware/withdraw", Description{Tag: tag, Summary: "Withdraw firmware", Asks: []auth.Action{auth.ManageFirmware}, Missing: "No firmware of this model and counter is published here, or not any more."}, a.withdraw),
		Answer("GET /api/v1/camera-settings", Description{Tag: tag, Summary: "Settings that cameras are given", Asks: []auth.Action{auth.ListSettings}}, a.cameraSettings),
	}
}

type makerShape struct {
	Name      string          `json:"name"`
	Key       evidence.Digest `json:"key_sha256"`
	TrustedAt *time.Time      `json:"trusted_at"`
	TrustedBy string          `json:"trusted_by" jsonschema:"user id, or 'local'"`
}

type firmwareShape struct {
	Model       string          `json:"model"`
	Release     string          `json:"release"`
	Counter     uint64          `json:"counter"`
	State       string          `json:"state" jsonschema:"offered, published (behind a newer one), withdrawn"`
	Length      uint64          `json:"length"`
	SHA256      evidence.Digest `json:"sha256"`
	Maker       string          `json:"maker"`
	Window      string          `json:"window_utc,omitempty" jsonschema:"hh:mm-hh:mm; absent: any time"`
	MinBattery  int             `json:"min_battery"`
	Notes       string          `json:"notes,omitempty"`
	PublishedAt *time.Time      `json:"published_at"`
	PublishedBy string          `json:"published_by"`
	WithdrawnAt *time.Time      `json:"withdrawn_at"`
	WithdrawnBy string          `json:"withdrawn_by,omitempty"`
}

type profileShape struct {
	Model       string            `json:"model" jsonschema:"'': every model that has none of its own"`
	Number      uint64            `json:"number"`
	Values      map[string]string `json:"values"`
	PublishedAt *time.Time        `json:"published_at"`
	PublishedBy string            `json:"published_by"`
}

type firmwareAnswer struct {
	Makers   []makerShape    `json:"makers"`
	Firmware []firmwareShape `json:"firmware"`
}

func (a *api) firmware(r *Request, _ *Nothing) (firmwareAnswer, error) {
	listing, err := a.Fleet.ShowFirmware(r.Context(), r.Actor)
	if err != nil {
		return firmwareAnswer{}, err
	}
	all := firmwareAnswer{[]makerShape{}, []firmwareShape{}}
	for _, m := range listing.Makers {
		all.Makers = append(all.Makers, makerShape{m.Name, evidence.KeyID(m.PublicKey), moment(m.TrustedAt), m.TrustedBy})
	}
	for i := range listing.Firmware {
		all.Firmware = append(all.Firmware, firmwareOf(&listing.Firmware[i]))
	}
	return all, nil
}

func firmwareOf(f *fleet.Listed) firmwareShape {
	return firmwareShape{
		Model: f.Model, Release: f.Release, Counter: f.Counter, State: f.State(), Length: f.Length, SHA256: f.SHA256, Maker: f.Maker,
		Window: fleet.Window(f.WindowFrom, f.WindowTo), MinBattery: f.MinBattery, Notes: f.Notes,
		PublishedAt: moment(f.PublishedAt), PublishedBy: f.PublishedBy, WithdrawnAt: moment(f.WithdrawnAt), WithdrawnBy: f.WithdrawnBy,
	}
}

type withdrawBody struct {
	Model   string `json:"model" required:"true"`
	Counter uint64 `json:"counter" required:"true"`
}

func (a *api) withdraw(r *Request, wanted *withdrawBody) (Nothing, error) {
	if wanted.Model == "" || wanted.Counter == 0 || wanted.Counter > 1<<63-1 {
		return Nothing{}, refuse(http.StatusBadRequest, "The request cannot be read", "Send model and counter as the list of firmware says them.")
	}
	return Nothing{}, a.Fleet.WithdrawFirmware(r.Context(), r.Actor, wanted.Model, wanted.Counter)
}

type cameraSettingsAnswer struct {
	KeepDays int            `json:"keep_days"`
	Profiles []profileShape `json:"profiles"`
}

func (a *api) cameraSettings(r *Request, _ *Nothing) (cameraSettingsAnswer, error) {
	orders, err := a.Fleet.ShowOrders(r.Context(), r.Actor)
	if err != nil {
		return cameraSettingsAnswer{}, err
	}
	profiles := []profileShape{}
	for _, p := range orders.Settings {
		profiles = append(profiles, profileShape{p.Model, p.Number, p.Values, moment(p.PublishedAt), p.PublishedBy})
	}
	return cameraSettingsAnswer{orders.KeepDays, profiles}, nil
}
