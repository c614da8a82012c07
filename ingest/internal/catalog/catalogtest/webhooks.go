package catalogtest

import (
	"context"
	"reflect"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func (s suite) webhook(id, name string) *catalog.Webhook {
	now := s.clock.Now()
	w := &catalog.Webhook{
		Agency: Agency, ID: id, Name: name, URL: "https://example.org/" + id, Types: []evidence.EventType{evidence.EventEvidenceStored, evidence.EventAlertRaised}, Secret: "sealed", FormerSecret: "former",
		FormerUntil: now.Add(time.Hour), MadeAt: now, MadeBy: "u1", DisabledAt: now.Add(time.Minute), DisabledWhy: "gone",
		WebhookProgress: catalog.WebhookProgress{Next: 7, Attempts: 2, TryAt: now.Add(time.Second), FailingSince: now}, Holder: "node#1", LeaseUntil: now.Add(time.Minute),
	}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertWebhook(ctx, w) })
	return w
}

// alike is is for what cannot be compared by ==.
func alike(s suite, what string, got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func webhooks(s suite) {
	b, a := s.webhook("0b", "beta"), s.webhook("0a", "alpha")
	all, err := s.db.Webhooks(s.Context(), Agency)
	s.must(err)
	alike(s, "all, by name", all, []catalog.Webhook{*a, *b})
	_, err = s.db.Webhook(s.Context(), "other-pd", "0a")
	s.isError(err, catalog.ErrNotFound)
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.InsertWebhook(ctx, &catalog.Webhook{Agency: Agency, ID: "0c", Name: "alpha"})
	})
	taken := *b
	taken.Name = "alpha"
	s.refused(catalog.ErrExists, func(ctx context.Context, tx *sqldb.Tx) error { return tx.UpdateWebhook(ctx, &taken) })
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.UpdateWebhook(ctx, &catalog.Webhook{Agency: "other-pd", ID: "0a"})
	})

	// What people change and how far it has come do not touch each other.
	changed := *a
	changed.Name, changed.URL, changed.Types, changed.Secret, changed.FormerSecret, changed.FormerUntil, changed.DisabledAt, changed.DisabledWhy = "gamma", "https://example.org", []evidence.EventType{"x"}, "s2", "", time.Time{}, time.Time{}, ""
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		other := changed
		other.WebhookProgress = catalog.WebhookProgress{}
		return tx.UpdateWebhook(ctx, &other)
	})
	came := *a
	came.WebhookProgress = catalog.WebhookProgress{Next: 9}
	changed.WebhookProgress, changed.LeaseUntil = came.WebhookProgress, a.LeaseUntil.Add(time.Hour)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.WebhookCame(ctx, &came, 7, changed.LeaseUntil)
	})
	s.refused(catalog.ErrLease, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.WebhookCame(ctx, &came, 7, changed.LeaseUntil)
	})
	got, err := s.db.Webhook(s.Context(), Agency, "0a")
	s.must(err)
	alike(s, "changed", *got, changed)
	changed.WebhookProgress = catalog.WebhookProgress{Next: 3, Attempts: 1, TryAt: changed.MadeAt, FailingSince: changed.MadeAt}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.SetWebhookProgress(ctx, &changed) })
	got, err = s.db.Webhook(s.Context(), Agency, "0a")
	s.must(err)
	alike(s, "set", *got, changed)

	// The newest hundred deliveries are kept, of each webhook for itself.
	one := catalog.Delivery{Webhook: "0b", Message: "evt_1", Type: "x", LogIndex: -1, Attempt: 1, At: s.clock.Now(), Took: 12 * time.Millisecond, Status: 503, Trouble: "busy"}
	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.InsertDelivery(ctx, &one) })
	for range 103 {
		s.update(func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertDelivery(ctx, &catalog.Delivery{Webhook: "0a", LogIndex: 5})
		})
	}
	last, err := s.db.Deliveries(s.Context(), "0a", 0)
	s.must(err)
	is(s, "deliveries kept", len(last), 100)
	is(s, "the newest first", last[0].Number, 103)
	last, err = s.db.Deliveries(s.Context(), "0b", 5)
	s.must(err)
	alike(s, "the other's", last, []catalog.Delivery{one})

	s.update(func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteWebhook(ctx, Agency, "0a") })
	last, err = s.db.Deliveries(s.Context(), "0a", 5)
	s.must(err)
	is(s, "deliveries of what was deleted", len(last), 0)
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error { return tx.DeleteWebhook(ctx, Agency, "0a") })
	s.refused(catalog.ErrLease, func(ctx context.Context, tx *sqldb.Tx) error { return tx.WebhookCame(ctx, &came, 3, came.LeaseUntil) })
}

func webhookLease(s suite) {
	w := s.webhook("0a", "alpha")
	hold := func(holder string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			got, err := tx.HoldWebhook(ctx, Agency, "0a", holder, s.clock.Now().Add(time.Minute))
			if err == nil {
				is(s, "holder", got.Holder, holder)
			}
			return err
		}
	}
	s.refused(catalog.ErrLease, hold("other#1"))
	s.update(hold("node#2")) // of the same machine: the one before it is no more
	s.refused(catalog.ErrLease, func(ctx context.Context, tx *sqldb.Tx) error { return tx.WebhookCame(ctx, w, 7, s.clock.Now()) })
	s.clock.Advance(time.Minute)
	s.update(hold("other#1"))
	s.refused(catalog.ErrNotFound, func(ctx context.Context, tx *sqldb.Tx) error {
		_, err := tx.HoldWebhook(ctx, Agency, "0f", "node#1", s.clock.Now())
		return err
	})
}
