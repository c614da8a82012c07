package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/proto/evidence"
)

type makerShape struct {
	Name      string          `json:"name"`
	Key       evidence.Digest `json:"key_sha256"`
	TrustedAt *time.Time      `json:"trusted_at"`
	TrustedBy string          `json:"trusted_by"` // user id, or "local"
}

type firmwareShape struct {
	Model       string          `json:"model"`
	Release     string          `json:"release"`
	Counter     uint64          `json:"counter"`
	State       string          `json:"state"` // offered, published (behind a newer one), withdrawn
	Length      uint64          `json:"length"`
	SHA256      evidence.Digest `json:"sha256"`
	Maker       string          `json:"maker"`
	Window      string          `json:"window_utc,omitempty"` // hh:mm-hh:mm; absent: any time
	MinBattery  int             `json:"min_battery"`
	Notes       string          `json:"notes,omitempty"`
	PublishedAt *time.Time      `json:"published_at"`
	PublishedBy string          `json:"published_by"`
	WithdrawnAt *time.Time      `json:"withdrawn_at"`
	WithdrawnBy string          `json:"withdrawn_by,omitempty"`
}

type profileShape struct {
	Model       string            `json:"model"` // "": every model that has none of its own
	Number      uint64            `json:"number"`
	Values      map[string]string `json:"values"`
	PublishedAt *time.Time        `json:"published_at"`
	PublishedBy string            `json:"published_by"`
}

func (a *api) firmware(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	listing, err := a.Fleet.ShowFirmware(r.Context(), actor)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	makers, all := []makerShape{}, []firmwareShape{}
	for _, m := range listing.Makers {
		makers = append(makers, makerShape{m.Name, evidence.KeyID(m.PublicKey), moment(m.TrustedAt), m.TrustedBy})
	}
	for i := range listing.Firmware {
		all = append(all, firmwareOf(&listing.Firmware[i]))
	}
	a.answer(w, r, map[string]any{"makers": makers, "firmware": all})
}

func firmwareOf(f *fleet.Listed) firmwareShape {
	return firmwareShape{
		Model: f.Model, Release: f.Release, Counter: f.Counter, State: f.State(), Length: f.Length, SHA256: f.SHA256, Maker: f.Maker,
		Window: fleet.Window(f.WindowFrom, f.WindowTo), MinBattery: f.MinBattery, Notes: f.Notes,
		PublishedAt: moment(f.PublishedAt), PublishedBy: f.PublishedBy, WithdrawnAt: moment(f.WithdrawnAt), WithdrawnBy: f.WithdrawnBy,
	}
}

// maxWithdraw bounds the body of a withdrawal, in bytes.
const maxWithdraw = 4 << 10

// withdraw takes {"model":"…","counter":7}.
func (a *api) withdraw(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var wanted struct {
		Model   string `json:"model"`
		Counter uint64 `json:"counter"`
	}
	body := json.NewDecoder(io.LimitReader(r.Body, maxWithdraw))
	body.DisallowUnknownFields()
	if err := body.Decode(&wanted); err != nil || wanted.Model == "" || wanted.Counter == 0 || wanted.Counter > 1<<63-1 {
		problem(w, http.StatusBadRequest, "The request cannot be read", `Send {"model":"…","counter":7} with what the list of firmware says.`)
		return
	}
	err := a.Fleet.WithdrawFirmware(r.Context(), actor, wanted.Model, wanted.Counter)
	if errors.Is(err, catalog.ErrNotFound) {
		problem(w, http.StatusNotFound, "No such firmware", "No firmware of this model and counter is published here, or not any more.")
		return
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) cameraSettings(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	orders, err := a.Fleet.ShowOrders(r.Context(), actor)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	profiles := []profileShape{}
	for _, p := range orders.Settings {
		profiles = append(profiles, profileShape{p.Model, p.Number, p.Values, moment(p.PublishedAt), p.PublishedBy})
	}
	a.answer(w, r, map[string]any{"keep_days": orders.KeepDays, "profiles": profiles})
}
