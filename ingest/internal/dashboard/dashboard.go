package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/annotate"
	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/cases"
	"github.com/sealdock/sealdock/ingest/internal/derive"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/ingest/internal/fleet"
	"github.com/sealdock/sealdock/ingest/internal/freeze"
	"github.com/sealdock/sealdock/ingest/internal/inspection"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/ingest/internal/throttle"
	"github.com/sealdock/sealdock/ingest/internal/uplink"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
)

// Config is what the dashboard stands on.
type Config struct {
	Auth     *auth.Service     // required
	Reading  *reading.Service  // required
	Packages *export.Service   // required
	Derive   *derive.Service   // nil: no clips are made
	Cameras  *cameras.Service  // required
	Cases    *cases.Service    // required
	Uplink   *uplink.Service   // required
	Fleet    *fleet.Service    // required
	Annotate *annotate.Service // required
	Settings *settings.Service // nil: no rooms for them, and nothing that they decide
	Webhooks *webhook.Service  // nil: there are none
	Freezes  *freeze.Service   // nil: no room for them
	Slow     bool              // whoever asks too often is told to wait
	// Inspection is the audit desk; required.
	Inspection *inspection.Service
	// API answers below /api/v1/, see package api; nil: there is none.
	API http.Handler
	// Zone is the agency's time zone, in which pages show times; nil is UTC.
	Zone *time.Location
	// LiveClients bounds how many browsers may hold the live overview open at
	// once; 0 is 128.
	LiveClients int
	Now         func() time.Time // required
	Log         *slog.Logger     // required
}

//go:embed pages static
var files embed.FS

// Dashboard serves the pages. Make it with New.
type Dashboard struct {
	Config
	pages   *template.Template
	assets  map[string]asset // by file name
	release string           // names this set of assets in addresses
	clients chan struct{}    // one per open live overview
	streams chan struct{}    // one per footage being read
	survey  survey
	cards   cards
	meters  meters
	making  underWay
}

type asset struct {
	text        []byte
	contentType string
}

const (
	defaultLiveClients = 128
	maxStreams         = 256
)

// New returns the dashboard's handler. It answers every path that is not the
// API's, with all security headers, over TLS only: its cookies are Secure.
func New(c Config) (http.Handler, error) {
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.LiveClients <= 0 {
		c.LiveClients = defaultLiveClients
	}
	d := &Dashboard{Config: c, clients: make(chan struct{}, c.LiveClients), streams: make(chan struct{}, maxStreams), meters: meters{new(throttle.Meter), new(throttle.Meter)}}
	if err := d.loadAssets(); err != nil {
		return nil, err
	}
	pages, err := template.New("").Funcs(d.functions()).ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	d.pages = pages
	routes := d.routes()
	d.Auth.Serve(auth.DoorPage, routes)
	return d.protect(routes), nil
}

func (d *Dashboard) loadAssets() error {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return fmt.Errorf("reading the static files: %w", err)
	}
	d.assets = map[string]asset{}
	sum := sha256.New()
	for _, e := range entries {
		text, err := fs.ReadFile(files, "static/"+e.Name())
		if err != nil {
			return fmt.Errorf("reading the static files: %w", err)
		}
		for suffix, contentType := range types {
			if len(e.Name()) > len(suffix) && e.Name()[len(e.Name())-len(suffix):] == suffix {
				d.assets[e.Name()] = asset{text, contentType}
			}
		}
		fmt.Fprintf(sum, "%s %d\n", e.Name(), len(text))
		sum.Write(text)
	}
	d.release = hex.EncodeToString(sum.Sum(nil)[:8])
	return nil
}

func (d *Dashboard) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{release}/{name}", d.static)
	mux.HandleFunc("GET /setup", d.setupPage)
	mux.HandleFunc("POST /setup", d.setUp)
	mux.HandleFunc("GET /sign-in", d.signInPage)
	mux.HandleFunc("POST /sign-in", d.signIn)
	mux.HandleFunc("POST /sign-out", d.signOut)
	d.accountRoutes(mux)
	d.tokenRoutes(mux)
	d.providerRoutes(mux)
	mux.HandleFunc("GET /session", d.session)
	mux.HandleFunc("GET /{$}", d.private(d.overview))
	mux.HandleFunc("GET /live", d.live)
	mux.HandleFunc("GET /evidence", d.private(d.items))
	mux.HandleFunc("POST /evidence/searches", d.private(d.keepSearch))
	mux.HandleFunc("GET /evidence/{id}", d.private(d.item))
	mux.HandleFunc("GET /evidence/{id}/play", d.private(d.play))
	mux.HandleFunc("POST /evidence/{id}/original", d.private(d.original))
	mux.HandleFunc("POST /evidence/{id}/package", d.private(d.packageOf))
	mux.HandleFunc("GET /evidence/{id}/package/progress", d.private(d.packageProgress))
	mux.HandleFunc("POST /evidence/{id}/clip", d.private(d.clip))
	mux.HandleFunc("GET /evidence/{id}/receipt", d.private(d.receipt))
	mux.HandleFunc("POST /evidence/{id}/receipt", d.private(d.receiptFile))
	mux.HandleFunc("GET /quarantine", d.private(d.quarantine))
	mux.HandleFunc("GET /cameras", d.private(d.cameras))
	mux.HandleFunc("GET /cameras/{serial}", d.private(d.cameraPage))
	d.actRoutes(mux)
	d.uplinkRoutes(mux)
	d.caseRoutes(mux)
	d.dockRoutes(mux)
	d.annotationRoutes(mux)
	d.peopleRoutes(mux)
	d.settingsRoutes(mux)
	d.auditRoutes(mux)
	d.webhookRoutes(mux)
	d.approvalRoutes(mux)
	d.freezeRoutes(mux)
	mux.HandleFunc("GET /alerts", d.private(d.alerts))
	mux.HandleFunc("POST /alerts/acknowledge", d.private(d.acknowledge))
	if d.API != nil {
		mux.Handle("/api/v1/", d.API)
		mux.Handle("GET /api/openapi.json", d.API)
	}
	mux.HandleFunc("GET /api/{$}", d.private(d.apiPage))
	mux.HandleFunc("/", d.private(func(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
		d.problem(w, r, actor, http.StatusNotFound, "There is no such page", "The address may be mistyped, or the page has moved.")
	}))
	return mux
}
