package api

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
	"github.com/sealdock/sealdock/proto/evidence"
)

// Config is what the API stands on. All fields are required.
type Config struct {
	Auth       *auth.Service
	Reading    *reading.Service
	Packages   *export.Service
	Derive     *derive.Service // nil: no clips are made
	Keys       KeyWork         // nil: keys are for the command line
	Fleet      *fleet.Service
	Cameras    *cameras.Service
	Cases      *cases.Service
	Uplink     *uplink.Service
	Settings   *settings.Service // nil: there are none over the API
	Inspection *inspection.Service
	Annotate   *annotate.Service
	Webhooks   *webhook.Service // nil: there are none
	Freezes    *freeze.Service  // nil: they are for the command line
	Streams    Streams
	Answers    Answers          // nil: no Idempotency-Key is heard
	Slow       bool             // who asks too often is told to wait
	More       []Route          // of other packages
	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger
}

// Handler is everything below /api/v1/, and the document of it at /api/openapi.json.
type Handler struct {
	mux      *http.ServeMux
	document *Document
}

// New returns the Handler. Give it to dashboard.Config.API, which puts the security
// headers around it.
func New(c Config) *Handler {
	mux, document := routed(c)
	if c.Auth != nil {
		c.Auth.Serve(auth.DoorAPI, mux)
	}
	return &Handler{mux: mux, document: document}
}

// Document is what the API answers, for people and programs.
func (h *Handler) Document() *Document { return h.document }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// routesOf are all routes there are.
func routesOf(c Config) []Route {
	a := &api{Config: c}
	return slices.Concat(a.readingRoutes(), a.keyRoutes(), a.fleetRoutes(), a.meRoutes(), a.cameraRoutes(), a.uplinkRoutes(), a.enrolmentRoutes(), a.annotationRoutes(), a.relatedRoutes(),
		a.peopleRoutes(), a.groupRoutes(), a.grantRoutes(), a.caseRoutes(), a.settingsRoutes(), a.eventRoutes(), a.webhookRoutes(), a.approvalRoutes(), a.freezeRoutes(), a.streamRoutes(), c.More)
}

// Routes is what New answers, by pattern.
func Routes(c Config) *http.ServeMux {
	mux, _ := routed(c)
	return mux
}

func routed(c Config) (*http.ServeMux, *Document) {
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &api{Config: c}
	mux := http.NewServeMux()
	all := routesOf(c)
	for _, route := range all {
		mux.HandleFunc(route.pattern, a.serving(route))
	}
	document := documentOf(all)
	mux.HandleFunc("GET /api/openapi.json", document.serve)
	mux.HandleFunc("/api/v1/", a.nothing(mux))
	return mux, document
}

type api struct {
	Config
	meter throttle.Meter
}

// serving is how every route is answered.
func (a *api) serving(route Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, route.maxBody)
		actor, err := a.who(r, &route)
		if err != nil {
			a.fail(w, r, err, "")
			return
		}
		r = asking(r)
		q := &Request{Request: r, Actor: actor, answer: w}
		if err = a.pace(w, r, actor); err == nil {
			err = a.answer(w, q, &route)
		}
		if err = a.refusedFirst(actor, &route, err); err != nil {
			a.fail(w, r, err, route.Missing)
		}
	}
}

// refusedFirst tells who may not that, whatever they sent.
func (a *api) refusedFirst(actor *auth.Actor, route *Route, err error) error {
	var said *Problem
	if errors.As(err, &said) && said.Status == http.StatusBadRequest && !a.maySome(actor, route) {
		return auth.ErrForbidden
	}
	return err
}

// answer does what is asked, once where a key says so.
func (a *api) answer(w http.ResponseWriter, q *Request, route *Route) (err error) {
	if q.values, err = route.readQuery(q.URL.Query()); err != nil {
		return err
	}
	serve := func(w http.ResponseWriter) error { return route.serve(a, w, q) }
	if !route.keyed() || a.Answers == nil {
		return serve(w)
	}
	key, err := keyOf(q.Request)
	if err != nil {
		return err
	}
	if key == "" {
		return serve(w)
	}
	return a.once(w, q, route, key, func(w http.ResponseWriter) error { return a.refusedFirst(q.Actor, route, serve(w)) })
}

// who is asking: somebody who is signed in, or a token in somebody's name.
func (a *api) who(r *http.Request, route *Route) (*auth.Actor, error) {
	if actor := auth.Running(r.Context()); actor != nil {
		return actor, nil // what they asked for was approved
	}
	token, err := auth.Bearer(r)
	if err != nil {
		return nil, err
	}
	if token != "" {
		actor, err := a.Auth.TokenActor(r.Context(), token, auth.OriginOf(r))
		if err == nil && route.pattern != "" && !route.Token && !route.byToken() {
			return nil, a.Auth.RefuseTokenAct(r.Context(), actor, route.pattern)
		}
		return actor, err
	}
	if route.Token {
		return nil, auth.ErrToken
	}
	if route.Follows {
		return a.Auth.Peek(r.Context(), auth.Token(r), auth.OriginOf(r))
	}
	if route.Account {
		return a.Auth.Owner(r.Context(), auth.Token(r), auth.OriginOf(r))
	}
	return a.Auth.Actor(r.Context(), auth.Token(r), auth.OriginOf(r))
}

// still refuses who could not ask any more what they are being answered.
func (a *api) still(r *Request, route *Route) error {
	actor, err := a.now(r)
	if err == nil && !a.maySome(actor, route) {
		err = auth.ErrForbidden
	}
	return err
}

// now is who is being answered, with what they may do by now.
func (a *api) now(r *Request) (*auth.Actor, error) {
	token, err := auth.Bearer(r.Request)
	if err != nil {
		return nil, err
	}
	ask := a.Auth.Peek
	if token == "" {
		token = auth.Token(r.Request)
	} else {
		ask = a.Auth.PeekToken
	}
	return ask(r.Context(), token, r.From())
}

// maySome reports whether the route could let somebody through on anything at all.
func (a *api) maySome(actor *auth.Actor, route *Route) bool {
	return route.Account || route.Token || slices.ContainsFunc(route.Asks, func(do auth.Action) bool { return auth.MaySome(actor, do, a.Auth.Agency()) })
}

// nothing answers what no route does.
func (a *api) nothing(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.who(r, &Route{}); err != nil {
			a.fail(w, r, err, "")
			return
		}
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			refuse(http.StatusMethodNotAllowed, "Not by this method", clip(r.URL.Path)+" answers "+strings.Join(allowed, " and ")+".").write(w)
			return
		}
		refuse(http.StatusNotFound, "No such address", "There is nothing at "+clip(r.URL.Path)+". What there is: /api/openapi.json.").write(w)
	}
}

// item is the item that a path names. Another text than an id's is one that is not there.
func (r *Request) item() (evidence.EvidenceID, error) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		return id, notThere
	}
	return id, nil
}
