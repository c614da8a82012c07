package api

import (
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/webhook"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (a *api) webhookRoutes() []Route {
	if a.Webhooks == nil {
		return nil
	}
	const tag, none = "Webhooks", "There is no webhook with this id."
	look := Description{Tag: tag, Asks: []auth.Action{auth.ManageWebhooks}, Missing: none}
	change := look
	change.Fresh, change.Codes = true, []int{http.StatusConflict, http.StatusUnprocessableEntity}
	secret := change
	secret.Secret = true
	say := func(d Description, summary, about string) Description {
		d.Summary, d.About = summary, about
		return d
	}
	return []Route{
		Answer("GET /api/v1/webhooks", say(look, "Who is told of what", ""), a.webhooks),
		Answer("POST /api/v1/webhooks", say(secret, "Tell another system of events", "Its secret is shown this once."), a.makeWebhook),
		Answer("GET /api/v1/webhooks/{id}", say(look, "One webhook, with its last deliveries", ""), a.webhook),
		Answer("PATCH /api/v1/webhooks/{id}", say(change, "Change, stop or resume a webhook", "What is left out stays as it is."), a.changeWebhook),
		Answer("DELETE /api/v1/webhooks/{id}", say(change, "Delete a webhook", ""), a.deleteWebhook),
		Answer("POST /api/v1/webhooks/{id}/test", say(change, "Send a test message now", "The answer says what became of it."), a.testWebhook),
		Answer("POST /api/v1/webhooks/{id}/rotate", say(secret, "Replace the secret", "Messages are signed with both for a day."), a.rotateWebhook),
		Answer("POST /api/v1/settings/codes.gateway/secret", Description{Tag: "Agency", Summary: "Give the gateway for codes by phone a secret", About: "Messages are signed with both for a day.", Asks: []auth.Action{auth.ManageAgency}, Fresh: true, Secret: true}, a.rotateGateway),
	}
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

type webhooksAnswer struct {
	Webhooks []webhookShape `json:"webhooks"`
}

func (a *api) webhooks(r *Request, _ *Nothing) (webhooksAnswer, error) {
	all, err := a.Webhooks.For(r.Actor).List(r.Context())
	shapes := []webhookShape{}
	for i := range all {
		shapes = append(shapes, webhookOf(&all[i]))
	}
	return webhooksAnswer{shapes}, err
}

func (a *api) webhook(r *Request, _ *Nothing) (webhookShape, error) {
	hook, last, err := a.Webhooks.For(r.Actor).Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return webhookShape{}, err
	}
	shape := webhookOf(hook)
	for i := range last {
		shape.Deliveries = append(shape.Deliveries, deliveryOf(&last[i]))
	}
	return shape, nil
}

type webhookBody struct {
	Name  string               `json:"name"`
	URL   string               `json:"url" jsonschema:"begins with https://"`
	Types []evidence.EventType `json:"types"`
}

func (a *api) makeWebhook(r *Request, body *webhookBody) (webhookShape, error) {
	hook, secret, err := a.Webhooks.For(r.Actor).Make(r.Context(), body.Name, body.URL, body.Types)
	if err != nil {
		return webhookShape{}, err
	}
	shape := webhookOf(hook)
	shape.Secret = secret
	return shape, nil
}

type webhookChange struct {
	Name    *string              `json:"name"`
	URL     *string              `json:"url"`
	Types   []evidence.EventType `json:"types"`
	Enabled *bool                `json:"enabled"`
	Skip    bool                 `json:"skip" jsonschema:"beside enabled: what waits is left out"`
}

func (a *api) changeWebhook(r *Request, body *webhookChange) (webhookShape, error) {
	change := webhook.Change{Name: body.Name, URL: body.URL, Types: body.Types, Enabled: body.Enabled, Skip: body.Skip}
	if err := a.Webhooks.For(r.Actor).Change(r.Context(), r.PathValue("id"), change); err != nil {
		return webhookShape{}, err
	}
	return a.webhook(r, nil)
}

type webhookDeleted struct {
	Deleted string `json:"deleted"`
}

func (a *api) deleteWebhook(r *Request, _ *Nothing) (webhookDeleted, error) {
	return webhookDeleted{r.PathValue("id")}, a.Webhooks.For(r.Actor).Delete(r.Context(), r.PathValue("id"))
}

func (a *api) testWebhook(r *Request, _ *Nothing) (deliveryShape, error) {
	d, err := a.Webhooks.For(r.Actor).Test(r.Context(), r.PathValue("id"))
	if err != nil {
		return deliveryShape{}, err
	}
	return deliveryOf(d), nil
}

type webhookSecret struct {
	Secret      string     `json:"secret"`
	FormerUntil *time.Time `json:"former_secret_until"`
}

func (a *api) rotateGateway(r *Request, _ *Nothing) (webhookSecret, error) {
	secret, until, err := a.Webhooks.For(r.Actor).RotateGateway(r.Context())
	return webhookSecret{secret, timeOrNull(until)}, err
}

func (a *api) rotateWebhook(r *Request, _ *Nothing) (webhookSecret, error) {
	secret, until, err := a.Webhooks.For(r.Actor).Rotate(r.Context(), r.PathValue("id"))
	return webhookSecret{secret, timeOrNull(until)}, err
}
