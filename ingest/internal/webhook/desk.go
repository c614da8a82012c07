package webhook

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	// MaxWebhooks is how many an agency may have.
	MaxWebhooks = 32
	// FormerLife is how long a former secret still signs after a rotation.
	FormerLife = 24 * time.Hour
	// ShownDeliveries is how many of the last deliveries Desk.Get returns.
	ShownDeliveries = 50
)

// The errors that callers tell apart, beside auth.ErrForbidden, auth.ErrFreshFactor and
// catalog.ErrNotFound. Their texts are for people.
var (
	// ErrInput: what was asked for cannot be meant.
	ErrInput = errors.New("this webhook cannot be kept")
	// ErrName: another webhook has the name.
	ErrName = errors.New("another webhook has this name already")
	// ErrMany: there are MaxWebhooks.
	ErrMany = fmt.Errorf("there are %d webhooks already: delete one that nobody needs", MaxWebhooks)
)

// Desk is the Service as one person may use it. Everything asks for ManageWebhooks and
// ReadAudit in the whole agency, since a webhook tells of everything that happens there;
// changes ask for a fresh factor too. Every change, and every refused one, is a custody
// event.
type Desk struct {
	s     *Service
	actor *auth.Actor
}

// For returns the Desk of a signed-in person.
func (s *Service) For(actor *auth.Actor) *Desk { return &Desk{s, actor} }

// May reports whether the person may see and change webhooks.
func (k *Desk) May() bool { return May(k.actor, k.s.Agency) }

// May reports whether a person may see and change an agency's webhooks.
func May(actor *auth.Actor, agency evidence.AgencyID) bool {
	on := auth.Object{Agency: agency}
	return auth.May(actor, auth.ManageWebhooks, on) && auth.May(actor, auth.ReadAudit, on)
}

// List returns all webhooks by name. Secrets are sealed in them. auth.ErrForbidden.
func (k *Desk) List(ctx context.Context) ([]catalog.Webhook, error) {
	if !k.May() {
		return nil, auth.ErrForbidden
	}
	return k.s.Catalog.Webhooks(ctx, k.s.Agency)
}

// Get returns a webhook and its last deliveries, newest first. auth.ErrForbidden,
// catalog.ErrNotFound.
func (k *Desk) Get(ctx context.Context, id string) (*catalog.Webhook, []catalog.Delivery, error) {
	if !k.May() {
		return nil, nil, auth.ErrForbidden
	}
	w, err := k.s.Catalog.Webhook(ctx, k.s.Agency, id)
	if err != nil {
		return nil, nil, err
	}
	last, err := k.s.Catalog.Deliveries(ctx, w.ID, ShownDeliveries)
	return w, last, err
}

// Make makes a webhook, enabled, which is told of what comes from now on. secret is what
// its receiver checks signatures with; nobody is shown it again.
func (k *Desk) Make(ctx context.Context, name, address string, types []evidence.EventType) (w *catalog.Webhook, secret string, err error) {
	id := make([]byte, 8)
	key := make([]byte, secretBytes)
	rand.Read(id) // never fails: crypto/rand ends the program instead
	rand.Read(key)
	w = &catalog.Webhook{Agency: k.s.Agency, ID: hex.EncodeToString(id), Name: strings.TrimSpace(name), URL: strings.TrimSpace(address), Types: ordered(types), MadeAt: k.s.instant()}
	w.Secret = k.s.seal(w.ID, key)
	err = k.act(ctx, evidence.EventWebhookMade, w.ID, func(tx *sqldb.Tx) (*catalog.Webhook, error) {
		if err := check(w); err != nil {
			return nil, err
		}
		all, err := tx.Webhooks(ctx, k.s.Agency)
		if err != nil {
			return nil, err
		}
		if len(all) >= MaxWebhooks {
			return nil, ErrMany
		}
		log, err := tx.LogState(ctx)
		if err != nil {
			return nil, err
		}
		w.MadeBy, w.Next = k.actor.User, log.Assigned
		return w, tx.InsertWebhook(ctx, w)
	})
	if err != nil {
		return nil, "", err
	}
	return w, shown(key), nil
}

// Change is what somebody wants to be otherwise; what is nil stays.
type Change struct {
	Name, URL *string
	Types     []evidence.EventType // counts for what comes after the change, give or take what was being looked at
	Enabled   *bool
	Skip      bool // with Enabled: what waits is not sent; it goes on with what comes from now on
}

// Change changes a webhook. A change to what it is already is none.
func (k *Desk) Change(ctx context.Context, id string, c Change) error {
	kind := evidence.EventWebhookChanged
	if c.Enabled != nil && c.Name == nil && c.URL == nil && c.Types == nil {
		kind = map[bool]evidence.EventType{true: evidence.EventWebhookEnabled, false: evidence.EventWebhookDisabled}[*c.Enabled]
	}
	return k.act(ctx, kind, id, func(tx *sqldb.Tx) (*catalog.Webhook, error) {
		w, err := tx.Webhook(ctx, k.s.Agency, id)
		if err != nil {
			return nil, err
		}
		before := *w
		if c.Name != nil {
			w.Name = strings.TrimSpace(*c.Name)
		}
		if c.URL != nil {
			w.URL = strings.TrimSpace(*c.URL)
		}
		if c.Types != nil {
			w.Types = ordered(c.Types)
		}
		if err := check(w); err != nil {
			return nil, err
		}
		if err := k.turn(ctx, tx, w, &c); err != nil {
			return nil, err
		}
		if w.Name == before.Name && w.URL == before.URL && slices.Equal(w.Types, before.Types) && w.DisabledAt.Equal(before.DisabledAt) {
			return nil, nil
		}
		return w, tx.UpdateWebhook(ctx, w)
	})
}

// turn disables or enables a webhook.
func (k *Desk) turn(ctx context.Context, tx *sqldb.Tx, w *catalog.Webhook, c *Change) error {
	switch {
	case c.Enabled == nil || *c.Enabled == w.DisabledAt.IsZero():
		return nil
	case !*c.Enabled:
		w.DisabledAt, w.DisabledWhy = k.s.instant(), "by a person"
		return nil
	}
	w.DisabledAt, w.DisabledWhy = time.Time{}, ""
	w.Attempts, w.TryAt, w.FailingSince = 0, time.Time{}, time.Time{}
	if c.Skip {
		log, err := tx.LogState(ctx)
		if err != nil {
			return err
		}
		w.Next = log.Assigned
	}
	if err := tx.SetWebhookProgress(ctx, w); err != nil {
		return err
	}
	return alarm.Clear(ctx, tx, k.s.alert(w, ""), "the webhook was enabled again", nil)
}

// Rotate gives a webhook a new secret. For FormerLife messages are signed with both.
func (k *Desk) Rotate(ctx context.Context, id string) (secret string, formerUntil time.Time, err error) {
	key := make([]byte, secretBytes)
	rand.Read(key)
	err = k.act(ctx, evidence.EventWebhookRotated, id, func(tx *sqldb.Tx) (*catalog.Webhook, error) {
		w, err := tx.Webhook(ctx, k.s.Agency, id)
		if err != nil {
			return nil, err
		}
		formerUntil = k.s.instant().Add(FormerLife)
		w.FormerSecret, w.FormerUntil, w.Secret = w.Secret, formerUntil, k.s.seal(w.ID, key)
		if _, err := k.s.open(w.ID, w.FormerSecret); err != nil { // of another pepper file: it can sign nothing
			w.FormerSecret, w.FormerUntil, formerUntil = "", time.Time{}, time.Time{}
		}
		return w, tx.UpdateWebhook(ctx, w)
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return shown(key), formerUntil, nil
}

// Delete removes a webhook with its deliveries. What waited is not sent.
func (k *Desk) Delete(ctx context.Context, id string) error {
	return k.act(ctx, evidence.EventWebhookDeleted, id, func(tx *sqldb.Tx) (*catalog.Webhook, error) {
		w, err := tx.Webhook(ctx, k.s.Agency, id)
		if err != nil {
			return nil, err
		}
		if err := alarm.Clear(ctx, tx, k.s.alert(w, ""), "the webhook was deleted", nil); err != nil {
			return nil, err
		}
		return w, tx.DeleteWebhook(ctx, k.s.Agency, w.ID)
	})
}

// Test sends one test message now, also for a webhook that is disabled, and returns what
// came of it. It changes nothing of what the webhook is to send.
func (k *Desk) Test(ctx context.Context, id string) (*catalog.Delivery, error) {
	var w *catalog.Webhook
	err := k.act(ctx, evidence.EventWebhookTested, id, func(tx *sqldb.Tx) (_ *catalog.Webhook, err error) {
		w, err = tx.Webhook(ctx, k.s.Agency, id)
		return w, err
	})
	if err != nil {
		return nil, err
	}
	m, err := k.s.testMessage(w)
	if err != nil {
		return nil, err
	}
	o := k.s.post(ctx, w, m)
	ctx = context.WithoutCancel(ctx)
	d := &catalog.Delivery{Webhook: w.ID, Message: m.id, Type: m.kind, LogIndex: m.logIndex, Attempt: 1, At: k.s.instant(), Took: o.took, Status: o.status, Trouble: o.trouble}
	return d, k.s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if _, err := tx.Webhook(ctx, k.s.Agency, w.ID); err != nil {
			return err // it was deleted meanwhile
		}
		return tx.InsertDelivery(ctx, d)
	})
}

// act does something and records it, both or neither. do returns the webhook as it is
// afterwards, nil where nothing changed. Refusals are recorded too.
func (k *Desk) act(ctx context.Context, kind evidence.EventType, id string, do func(*sqldb.Tx) (*catalog.Webhook, error)) error {
	if k.actor == nil {
		return auth.ErrForbidden
	}
	err := auth.ErrForbidden
	if k.May() {
		err = auth.Fresh(k.actor, k.s.Now())
	}
	switch {
	case errors.Is(err, auth.ErrFreshFactor):
		err = &auth.FreshError{Act: webhookAct(k.s.Agency, kind, id)}
	case err == nil:
		err = auth.Clear(ctx, k.actor, webhookAct(k.s.Agency, kind, id))
	}
	if err == nil {
		err = k.s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
			w, err := do(tx)
			if err != nil || w == nil {
				return err
			}
			_, err = tx.AppendEvent(ctx, k.event(kind, w.ID, evidence.OutcomeDone, "", told(w)))
			return err
		})
		if errors.Is(err, catalog.ErrExists) {
			err = ErrName
		}
	}
	if !errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrFreshFactor) && !errors.Is(err, ErrInput) && !errors.Is(err, ErrName) && !errors.Is(err, ErrMany) {
		return err
	}
	reason := err.Error()
	if errors.Is(err, auth.ErrForbidden) {
		reason = "the role does not allow " + string(auth.ManageWebhooks) + " and " + string(auth.ReadAudit)
	}
	if len(id) > 64 || strings.Trim(id, "0123456789abcdef") != "" {
		id = "unknown"
	}
	failed := k.s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		_, err := tx.AppendEvent(ctx, k.event(kind, id, evidence.OutcomeRefused, reason, nil))
		return err
	})
	if failed != nil {
		return errors.Join(err, fmt.Errorf("recording a refused act: %w", failed))
	}
	return err
}

// webhookAct is what is about to be done. What shows a secret, or sends, is done by who
// asked, once it is approved.
func webhookAct(agency evidence.AgencyID, kind evidence.EventType, id string) auth.Act {
	act := auth.Act{Do: auth.ManageWebhooks, On: []auth.Object{{Agency: agency}}, About: evidence.WebhookObject(id), Kind: kind}
	act.Later = kind == evidence.EventWebhookMade || kind == evidence.EventWebhookRotated || kind == evidence.EventWebhookTested
	if kind == evidence.EventWebhookMade {
		act.About = "" // its id is new with each try
	}
	return act
}

func (k *Desk) event(kind evidence.EventType, id string, outcome evidence.Outcome, reason string, details map[string]string) evidence.Event {
	return evidence.Event{Version: 1, Agency: k.s.Agency, Type: kind, At: k.s.instant(), Actor: k.actor.Custody(), Source: k.actor.Origin.Address,
		Object: evidence.WebhookObject(id), Outcome: outcome, Reason: reason, Details: details}
}
