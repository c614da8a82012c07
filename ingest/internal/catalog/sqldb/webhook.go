package sqldb

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// keptDeliveries is how many deliveries of each webhook are kept.
const keptDeliveries = 100

const webhookColumns = "agency, id, name, url, types, secret, former_secret, former_until, made_at, made_by, disabled_at, disabled_why, next_index, attempts, try_at, failing_since, holder, lease_until"

func scanWebhook(s scanner, w *catalog.Webhook) error {
	var types []byte
	if err := s.Scan(&w.Agency, &w.ID, &w.Name, &w.URL, &types, &w.Secret, &w.FormerSecret, timeInto{&w.FormerUntil}, timeInto{&w.MadeAt}, &w.MadeBy, timeInto{&w.DisabledAt}, &w.DisabledWhy,
		&w.Next, &w.Attempts, timeInto{&w.TryAt}, timeInto{&w.FailingSince}, &w.Holder, timeInto{&w.LeaseUntil}); err != nil {
		return err
	}
	if err := json.Unmarshal(types, &w.Types); err != nil {
		return fmt.Errorf("the types of webhook %s cannot be read, the row was changed by other hands: %w", w.ID, err)
	}
	return nil
}

// Webhooks returns an agency's webhooks by name.
func (r *Reader) Webhooks(ctx context.Context, agency evidence.AgencyID) ([]catalog.Webhook, error) {
	return list(ctx, r, "webhooks", scanWebhook, "SELECT "+webhookColumns+" FROM webhooks WHERE agency = $1 ORDER BY name", agency)
}

// Webhook returns one webhook. catalog.ErrNotFound.
func (r *Reader) Webhook(ctx context.Context, agency evidence.AgencyID, id string) (*catalog.Webhook, error) {
	return get(ctx, r, "a webhook", scanWebhook, "SELECT "+webhookColumns+" FROM webhooks WHERE agency = $1 AND id = $2", agency, clean(id))
}

// InsertWebhook adds a webhook. catalog.ErrExists when its name is taken.
func (tx *Tx) InsertWebhook(ctx context.Context, w *catalog.Webhook) error {
	types, err := json.Marshal(w.Types)
	if err != nil {
		return fmt.Errorf("adding a webhook: %w", err)
	}
	_, err = tx.change(ctx, "adding a webhook", "INSERT INTO webhooks ("+webhookColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
		w.Agency, w.ID, clean(w.Name), clean(w.URL), string(types), w.Secret, w.FormerSecret, micros(w.FormerUntil), micros(w.MadeAt), clean(w.MadeBy), micros(w.DisabledAt), clean(w.DisabledWhy),
		w.Next, w.Attempts, micros(w.TryAt), micros(w.FailingSince), clean(w.Holder), micros(w.LeaseUntil))
	return err
}

// UpdateWebhook keeps what people decide about a webhook, and not its progress.
// catalog.ErrNotFound; catalog.ErrExists when its name is taken.
func (tx *Tx) UpdateWebhook(ctx context.Context, w *catalog.Webhook) error {
	types, err := json.Marshal(w.Types)
	if err != nil {
		return fmt.Errorf("changing a webhook: %w", err)
	}
	return tx.exec(ctx, "changing a webhook", catalog.ErrNotFound, `UPDATE webhooks SET name = $3, url = $4, types = $5, secret = $6, former_secret = $7, former_until = $8, disabled_at = $9, disabled_why = $10
		WHERE agency = $1 AND id = $2`, w.Agency, clean(w.ID), clean(w.Name), clean(w.URL), string(types), w.Secret, w.FormerSecret, micros(w.FormerUntil), micros(w.DisabledAt), clean(w.DisabledWhy))
}

// DeleteWebhook removes a webhook and its deliveries. catalog.ErrNotFound.
func (tx *Tx) DeleteWebhook(ctx context.Context, agency evidence.AgencyID, id string) error {
	if err := tx.exec(ctx, "removing a webhook", catalog.ErrNotFound, "DELETE FROM webhooks WHERE agency = $1 AND id = $2", agency, clean(id)); err != nil {
		return err
	}
	_, err := tx.change(ctx, "removing a webhook's deliveries", "DELETE FROM webhook_deliveries WHERE webhook = $1", clean(id))
	return err
}

// HoldWebhook makes a process the one that sends for a webhook, until a time, and
// returns the webhook. A holder is "node#instance", as in DB.AssignIndices.
// catalog.ErrLease when another node holds it; catalog.ErrNotFound.
func (tx *Tx) HoldWebhook(ctx context.Context, agency evidence.AgencyID, id, holder string, until time.Time) (*catalog.Webhook, error) {
	w, err := tx.Webhook(ctx, agency, id)
	if err != nil {
		return nil, err
	}
	if w.Holder != holder && node(w.Holder) != node(holder) && tx.now().Before(w.LeaseUntil) {
		return nil, fmt.Errorf("sending for webhook %s: %w: %q until %s", id, catalog.ErrLease, w.Holder, w.LeaseUntil.Format(time.RFC3339))
	}
	w.Holder, w.LeaseUntil = holder, until.UTC().Truncate(time.Microsecond)
	return w, tx.exec(ctx, "keeping a webhook's lease", catalog.ErrNotFound, "UPDATE webhooks SET holder = $3, lease_until = $4 WHERE agency = $1 AND id = $2",
		agency, w.ID, clean(holder), micros(until))
}

// WebhookCame keeps how far a webhook has come from index was on, and renews its
// holder's lease. catalog.ErrLease when another process sends by now, or people have
// set another place from which it goes on.
func (tx *Tx) WebhookCame(ctx context.Context, w *catalog.Webhook, was int64, until time.Time) error {
	return tx.exec(ctx, "keeping how far a webhook has come", catalog.ErrLease, `UPDATE webhooks SET next_index = $5, attempts = $6, try_at = $7, failing_since = $8, lease_until = $9
		WHERE agency = $1 AND id = $2 AND holder = $3 AND next_index = $4`, w.Agency, w.ID, clean(w.Holder), was, w.Next, w.Attempts, micros(w.TryAt), micros(w.FailingSince), micros(until))
}

// SetWebhookProgress sets from where a webhook goes on, whoever sends for it.
// catalog.ErrNotFound.
func (tx *Tx) SetWebhookProgress(ctx context.Context, w *catalog.Webhook) error {
	return tx.exec(ctx, "setting from where a webhook goes on", catalog.ErrNotFound, "UPDATE webhooks SET next_index = $3, attempts = $4, try_at = $5, failing_since = $6 WHERE agency = $1 AND id = $2",
		w.Agency, clean(w.ID), w.Next, w.Attempts, micros(w.TryAt), micros(w.FailingSince))
}

const deliveryColumns = "webhook, number, message, type, log_index, attempt, at, took, status, trouble"

// InsertDelivery keeps a delivery and gives it its number. It lets go of those that are
// too many.
func (tx *Tx) InsertDelivery(ctx context.Context, d *catalog.Delivery) error {
	if err := tx.one(ctx, "the number of a delivery", func(s scanner) error { return s.Scan(&d.Number) }, "SELECT coalesce(max(number), 0) + 1 FROM webhook_deliveries WHERE webhook = $1", clean(d.Webhook)); err != nil {
		return err
	}
	if _, err := tx.change(ctx, "keeping a delivery", "INSERT INTO webhook_deliveries ("+deliveryColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		clean(d.Webhook), d.Number, clean(d.Message), string(d.Type), d.LogIndex, d.Attempt, micros(d.At), d.Took.Microseconds(), d.Status, clean(d.Trouble)); err != nil {
		return err
	}
	_, err := tx.change(ctx, "letting go of old deliveries", "DELETE FROM webhook_deliveries WHERE webhook = $1 AND number <= $2", clean(d.Webhook), d.Number-keptDeliveries)
	return err
}

// Deliveries returns a webhook's newest deliveries, the newest first.
func (r *Reader) Deliveries(ctx context.Context, webhook string, limit int) ([]catalog.Delivery, error) {
	return list(ctx, r, "deliveries of a webhook", func(s scanner, d *catalog.Delivery) error {
		var took int64
		err := s.Scan(&d.Webhook, &d.Number, &d.Message, &d.Type, &d.LogIndex, &d.Attempt, timeInto{&d.At}, &took, &d.Status, &d.Trouble)
		d.Took = time.Duration(took) * time.Microsecond
		return err
	}, fmt.Sprintf("SELECT %s FROM webhook_deliveries WHERE webhook = $1 ORDER BY number DESC LIMIT %d", deliveryColumns, page(limit)), clean(webhook))
}
