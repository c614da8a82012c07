package server

import (
	"io"
	"net"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/dashboard"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/scim"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/internal/tlog"
)

// web is everything behind the HTTPS address.
func (p *parts) web(quic net.Addr) (http.Handler, error) {
	enrolment, err := p.enrolment(quic)
	if err != nil {
		return nil, err
	}
	pages, err := p.dashboard()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /api/v1/enrol", enrolment)
	mux.HandleFunc("GET /healthz", p.health)
	mux.HandleFunc("GET /log/checkpoint", p.checkpoint)
	mux.HandleFunc("GET /log/checkpoint.witnessed", p.witnessed)
	mux.HandleFunc("GET /log/tile/{path...}", p.tile)
	if p.config.Directory.any() {
		mux.Handle(scim.Prefix+"/", p.provisioning())
	}
	mux.Handle("/", pages)
	return guarded(mux), nil
}

// guarded puts on every answer what none may lack, whoever gives it; pages say more.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

func (p *parts) dashboard() (http.Handler, error) {
	zone, err := time.LoadLocation(p.config.TimeZone)
	if err != nil {
		return nil, err
	}
	agencys, err := p.config.openDirectory(p.now)
	if err != nil {
		return nil, err
	}
	people, err := auth.New(auth.Config{
		Catalog: p.catalog, Agency: p.config.agency(), Pepper: p.secrets.pepper, Policy: p.settings.Policy, Hosts: p.config.PublicNames, Directory: agencys, Gateway: p.webhooks.SendCode, Now: p.now,
	})
	if err != nil {
		return nil, err
	}
	p.people = people
	services := reading.New(reading.Config{
		Catalog: p.catalog, Blobs: p.vault, Keys: p.secrets.ring, Live: liveView{p.live}, ReceiptKey: p.secrets.receipt.Public(),
		DerivativeKey: p.secrets.derivativePublic(), Agency: p.config.agency(), Space: p.vault.Space, Now: p.now, Log: telemetry.Component(p.log, "reading"),
	})
	packages := p.packages(inProcess{p.audit})
	desk := inspection.New(inspection.Config{
		Catalog: p.catalog, Tiles: p.tiles, Origin: p.config.logOrigin(), LogKey: p.secrets.checkpoint.Public(), Agency: p.config.agency(), Now: p.now, Log: telemetry.Component(p.log, "inspection"),
	})
	freezes := freeze.New(freeze.Config{Catalog: p.catalog, Agency: p.config.agency(), Now: p.now, Log: telemetry.Component(p.log, "freeze")})
	gathered := cases.New(cases.Config{Catalog: p.catalog, Auth: people, Agency: p.config.agency(), Now: p.now, Log: telemetry.Component(p.log, "cases")})
	said := annotate.New(annotate.Config{Catalog: p.catalog, Agency: p.config.agency(), Now: p.now, Log: telemetry.Component(p.log, "annotate")})
	return dashboard.New(dashboard.Config{
		Cases: gathered, Auth: people, Reading: services, Cameras: p.cameras, Uplink: p.uplink, Fleet: p.fleet, Annotate: said, Packages: packages, Derive: p.derive, Settings: p.settings, Webhooks: p.webhooks, Freezes: freezes, Slow: true, Inspection: desk,
		API: api.New(api.Config{
			Cases: gathered, Auth: people, Reading: services, Packages: packages, Derive: p.derive, Keys: p.keyDesk(people), Fleet: p.fleet, Cameras: p.cameras, Uplink: p.uplink,
			Settings: p.settings, Inspection: desk, Annotate: said, Webhooks: p.webhooks, Freezes: freezes, Answers: p.catalog, Slow: true, Now: p.now, Log: telemetry.Component(p.log, "api"),
		}),
		Zone: zone, Now: p.now, Log: telemetry.Component(p.log, "dashboard"),
	})
}

// health answers machines that watch the server: 200 when the catalog answers.
func (p *parts) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := p.catalog.Ping(r.Context()); err != nil {
		p.log.ErrorContext(r.Context(), "the catalog does not answer", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "the catalog does not answer\n")
		return
	}
	io.WriteString(w, "ok\n")
}

// checkpoint and tile give the custody log to whoever wants to check it (C2SP
// tlog-tiles). Its entries are salted hashes and tell nothing of anybody.
func (p *parts) checkpoint(w http.ResponseWriter, r *http.Request) {
	state, err := p.catalog.LogState(r.Context())
	if err != nil {
		p.log.ErrorContext(r.Context(), "reading the checkpoint failed", "error", err)
		problem(w, http.StatusServiceUnavailable, "the checkpoint cannot be read at the moment")
		return
	}
	if state.Checkpoint == nil {
		problem(w, http.StatusNotFound, "nothing has been logged yet")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(state.Checkpoint)
}

func (p *parts) tile(w http.ResponseWriter, r *http.Request) {
	path := "tile/" + r.PathValue("path")
	if !tlog.ValidPath(path) {
		problem(w, http.StatusNotFound, "this is no path of a log")
		return
	}
	data, err := p.tiles.Get(r.Context(), path)
	if err != nil {
		problem(w, http.StatusNotFound, "the log has no such tile")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(data)
}
