package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (a *api) webhookRoutes(mux *http.ServeMux) {
	if a.Webhooks == nil {
		return
	}
	mux.HandleFunc("GET /api/v1/webhooks", a.private(a.webhooks))
	mux.HandleFunc("POST /api/v1/webhooks", a.private(a.makeWebhook))
	mux.HandleFunc("GET /api/v1/webhooks/{id}", a.private(a.webhook))
	mux.HandleFunc("PATCH /api/v1/webhooks/{id}", a.private(a.changeWebhook))
	mux.HandleFunc("DELETE /api/v1/webhooks/{id}", a.private(a.deleteWebhook))
	mux.HandleFunc("POST /api/v1/webhooks/{id}/test", a.private(a.testWebhook))
	mux.HandleFunc("POST /api/v1/webhooks/{id}/rotate", a.private(a.rotateWebhook))
}

type webhookShape struct {
	ID           string               `json:"id"`
	Name         string               `json:"name"`
	URL          string               `json:"url"`
	Types        []evidence.EventType `json:"types"`
	Enabled      bool                 `json:"enabled"`
	DisabledAt   *time.Time           `json:"disabled_at,omitempty"`
	DisabledWhy  string               `json:"disabled_why,omitempty"`
	MadeAt       time.Time            `json:"made_at"`
	MadeBy       string               `json:"made_by"`
	NextIndex    int64                `json:"next_index"` // of the custody log: what is before it is done with
	Attempts     int64                `json:"attempts"`   // at what stands there, that failed
	FailingSince *time.Time           `json:"failing_since,omitempty"`
	NextTry      *time.Time           `json:"next_try,omitempty"`
	FormerUntil  *time.Time           `json:"former_secret_until,omitempty"`
	Deliveries   []deliveryShape      `json:"deliveries,omitempty"`
	Secret       string               `json:"secret,omitempty"` // of one that was just made
}

type deliveryShape struct {
	Number   int64              `json:"number"`
	Message  string             `json:"message"`
	Type     evidence.EventType `json:"type"`
	LogIndex *int64             `json:"log_index,omitempty"`
	Attempt  int64              `json:"attempt"`
	At       time.Time          `json:"at"`
	TookMS   int64              `json:"took_ms"`
	Taken    bool               `json:"taken"`
	Status   int                `json:"status,omitempty"`
	Trouble  string             `json:"trouble,omitempty"`
}

func webhookOf(w *catalog.Webhook) webhookShape {
	return webhookShape{ID: w.ID, Name: w.Name, URL: w.URL, Types: w.Types, Enabled: w.DisabledAt.IsZero(), DisabledAt: timeOrNull(w.DisabledAt), DisabledWhy: w.DisabledWhy, MadeAt: w.MadeAt, MadeBy: w.MadeBy,
		NextIndex: w.Next, Attempts: w.Attempts, FailingSince: timeOrNull(w.FailingSince), NextTry: timeOrNull(w.TryAt), FormerUntil: timeOrNull(w.FormerUntil)}
}

func deliveryOf(d *catalog.Delivery) deliveryShape {
	shape := deliveryShape{Number: d.Number, Message: d.Message, Type: d.Type, Attempt: d.Attempt, At: d.At, TookMS: d.Took.Milliseconds(), Taken: d.Trouble == "", Status: d.Status, Trouble: d.Trouble}
	if d.LogIndex >= 0 {
		shape.LogIndex = &d.LogIndex
	}
	return shape
}

func (a *api) webhooks(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	all, err := a.Webhooks.For(actor).List(r.Context())
	if err != nil {
		a.failWebhook(w, r, err)
		return
	}
	shapes := []webhookShape{}
	for i := range all {
		shapes = append(shapes, webhookOf(&all[i]))
	}
	a.answer(w, r, map[string]any{"webhooks": shapes})
}

func (a *api) webhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	a.answerWebhook(w, r, actor, r.PathValue("id"))
}

func (a *api) answerWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor, id string) {
	hook, last, err := a.Webhooks.For(actor).Get(r.Context(), id)
	if err != nil {
		a.failWebhook(w, r, err)
		return
	}
	shape := webhookOf(hook)
	for i := range last {
		shape.Deliveries = append(shape.Deliveries, deliveryOf(&last[i]))
	}
	a.answer(w, r, shape)
}

func (a *api) makeWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var body struct {
		Name  string               `json:"name"`
		URL   string               `json:"url"`
		Types []evidence.EventType `json:"types"`
	}
	if !readStrict(r, &body, 16<<10) {
		unread(w, `{"name":"…","url":"https://…","types":["evidence.stored",…]}.`)
		return
	}
	hook, secret, err := a.Webhooks.For(actor).Make(r.Context(), body.Name, body.URL, body.Types)
	if err != nil {
		a.failWebhook(w, r, err)
		return
	}
	shape := webhookOf(hook)
	shape.Secret = secret
	w.Header().Set("Cache-Control", "no-store")
	a.answer(w, r, shape)
}

func (a *api) changeWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	var body struct {
		Name    *string              `json:"name"`
		URL     *string              `json:"url"`
		Types   []evidence.EventType `json:"types"`
		Enabled *bool                `json:"enabled"`
		Skip    bool                 `json:"skip"`
	}
	if !readStrict(r, &body, 16<<10) {
		unread(w, `what is to change of {"name":"…","url":"https://…","types":[…],"enabled":true}; "skip":true beside "enabled":true leaves out what waits.`)
		return
	}
	id := r.PathValue("id")
	if err := a.Webhooks.For(actor).Change(r.Context(), id, webhook.Change{Name: body.Name, URL: body.URL, Types: body.Types, Enabled: body.Enabled, Skip: body.Skip}); err != nil {
		a.failWebhook(w, r, err)
		return
	}
	a.answerWebhook(w, r, actor, id)
}

func (a *api) deleteWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	if err := a.Webhooks.For(actor).Delete(r.Context(), r.PathValue("id")); err != nil {
		a.failWebhook(w, r, err)
		return
	}
	a.answer(w, r, map[string]string{"deleted": r.PathValue("id")})
}

func (a *api) testWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	d, err := a.Webhooks.For(actor).Test(r.Context(), r.PathValue("id"))
	if err != nil {
		a.failWebhook(w, r, err)
		return
	}
	a.answer(w, r, deliveryOf(d))
}

func (a *api) rotateWebhook(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	secret, until, err := a.Webhooks.For(actor).Rotate(r.Context(), r.PathValue("id"))
	if err != nil {
		a.failWebhook(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	a.answer(w, r, map[string]any{"secret": secret, "former_secret_until": timeOrNull(until)})
}

func (a *api) failWebhook(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		problem(w, http.StatusNotFound, "No such webhook", "There is no webhook with this id.")
	case errors.Is(err, webhook.ErrInput):
		problem(w, http.StatusUnprocessableEntity, "Not kept", err.Error())
	case errors.Is(err, webhook.ErrName), errors.Is(err, webhook.ErrMany):
		problem(w, http.StatusConflict, "Not kept", err.Error())
	default:
		a.fail(w, r, err)
	}
}
