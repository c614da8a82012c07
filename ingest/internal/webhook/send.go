package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	lookEvery    = 500 * time.Millisecond // as often as the custody log is written
	leaseTime    = time.Minute            // well more than one attempt takes
	readAtOnce   = 200                    // events of the log
	keptBehind   = 1000                   // entries that nobody wants are walked over again after a start, at most
	firstPause   = 5 * time.Second
	longestPause = 4 * time.Hour
	givenUpAfter = 3 * 24 * time.Hour // of nothing but failures
)

// Run sends until ctx ends. What it does not get to is sent after the next start.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	defer s.workers.Wait()
	failing := false
	for {
		err := s.start(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "it cannot be seen which webhooks have something to send; tried again", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Round sends all that is due at this moment, and returns when that was done. It is for
// whoever keeps time themselves; Run needs no rounds.
func (s *Service) Round(ctx context.Context) error {
	err := s.start(ctx)
	s.workers.Wait()
	return err
}

// start begins to send for each webhook that has something and is not at it.
func (s *Service) start(ctx context.Context) error {
	log, err := s.Catalog.LogState(ctx)
	if err != nil {
		return err
	}
	all, err := s.Catalog.Webhooks(ctx, s.Agency)
	if err != nil {
		return err
	}
	now := s.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range all {
		w := &all[i]
		if !w.DisabledAt.IsZero() || w.TryAt.After(now) || s.running[w.ID] || max(w.Next, s.scanned[w.ID]) >= log.Size {
			continue
		}
		s.running[w.ID] = true
		s.workers.Go(func() {
			err := s.work(ctx, w.ID, log.Size)
			s.mu.Lock()
			delete(s.running, w.ID)
			s.mu.Unlock()
			if err != nil && ctx.Err() == nil && !errors.Is(err, catalog.ErrLease) && !errors.Is(err, catalog.ErrNotFound) {
				s.Log.ErrorContext(ctx, "sending for a webhook broke off; it goes on where it stood", "webhook", w.ID, "error", err)
			}
		})
	}
	return nil
}

// work walks a webhook through the log, up to but without index end.
func (s *Service) work(ctx context.Context, id string, end int64) error {
	w, err := s.hold(ctx, id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	at := max(w.Next, s.scanned[id])
	s.mu.Unlock()
	for at < end {
		upto := min(at+readAtOnce, end)
		wanted := map[evidence.EventType]bool{}
		for _, kind := range w.Types {
			wanted[kind] = true
		}
		var rows []catalog.EventRow
		if err := s.Catalog.EventsByIndex(ctx, at, upto, func(e *catalog.EventRow) error {
			if e.Agency == s.Agency && wanted[e.Type] {
				rows = append(rows, *e)
			}
			return nil
		}); err != nil {
			return err
		}
		for i := range rows {
			goOn, err := s.deliver(ctx, w, &rows[i])
			if err != nil || !goOn {
				return err
			}
			at = *rows[i].LogIndex + 1
			former := w.Types
			if w, err = s.Catalog.Webhook(ctx, s.Agency, id); err != nil || !w.DisabledAt.IsZero() || w.Holder != s.holder {
				return err
			}
			if w.Next != at || fmt.Sprint(former) != fmt.Sprint(w.Types) {
				return nil // people have changed it: the next start sees how
			}
		}
		at = upto
		s.mu.Lock()
		s.scanned[id] = at
		s.mu.Unlock()
	}
	if at-w.Next < keptBehind {
		return nil
	}
	was := w.Next
	w.Next = at
	return s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.WebhookCame(ctx, w, was, s.Now().Add(leaseTime)) })
}

func (s *Service) hold(ctx context.Context, id string) (w *catalog.Webhook, err error) {
	err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		w, err = tx.HoldWebhook(ctx, s.Agency, id, s.holder, s.Now().Add(leaseTime))
		return err
	})
	if err == nil && (!w.DisabledAt.IsZero() || w.TryAt.After(s.Now())) {
		return nil, fmt.Errorf("webhook %s was changed meanwhile: %w", id, catalog.ErrLease)
	}
	return w, err
}

// deliver makes one attempt at an event and keeps what came of it. goOn: the webhook may
// go on to the next event.
func (s *Service) deliver(ctx context.Context, w *catalog.Webhook, e *catalog.EventRow) (goOn bool, err error) {
	m, err := messageOf(e)
	if err != nil {
		return false, err
	}
	o := s.post(ctx, w, m)
	if ctx.Err() != nil && !o.taken() {
		return false, ctx.Err() // it was this server that stopped
	}
	ctx = context.WithoutCancel(ctx) // what was taken is kept, also while this server stops
	now, was := s.instant(), w.Next
	d := &catalog.Delivery{Webhook: w.ID, Message: m.id, Type: m.kind, LogIndex: m.logIndex, Attempt: w.Attempts + 1, At: now, Took: o.took, Status: o.status, Trouble: o.trouble}
	if o.taken() {
		w.Next, w.Attempts, w.TryAt, w.FailingSince = m.logIndex+1, 0, time.Time{}, time.Time{}
	} else {
		w.Next = m.logIndex // what was walked over is done with
		w.Attempts++
		w.TryAt = now.Add(max(s.pause(w.Attempts), o.after))
		if w.FailingSince.IsZero() {
			w.FailingSince = now
		}
	}
	why := ""
	switch {
	case o.taken():
	case o.status == http.StatusGone:
		why = "its receiver said that it is gone for good"
	case now.Sub(w.FailingSince) >= givenUpAfter:
		why = "its receiver took nothing for three days; the last time, " + o.trouble
	}
	err = s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.WebhookCame(ctx, w, was, now.Add(leaseTime)); err != nil {
			return err
		}
		if err := tx.InsertDelivery(ctx, d); err != nil || why == "" {
			return err
		}
		return s.giveUp(ctx, tx, w.ID, why)
	})
	if err == nil && !o.taken() {
		s.Log.WarnContext(ctx, "a webhook’s message was not taken", "webhook", w.ID, "message", m.id, "attempt", d.Attempt, "trouble", o.trouble, "disabled", why != "")
	}
	return o.taken(), err
}

// pause is how long to wait after so many attempts that failed.
func (s *Service) pause(attempts int64) (d time.Duration) {
	b := backoff.NewWith(firstPause, longestPause, s.Random, nil)
	for range min(attempts, 64) { // the longest one is reached long before
		d = b.Pause()
	}
	return d
}

// giveUp disables a webhook with its event and an alarm.
func (s *Service) giveUp(ctx context.Context, tx *sqldb.Tx, id, why string) error {
	w, err := tx.Webhook(ctx, s.Agency, id)
	if err != nil || !w.DisabledAt.IsZero() {
		return err
	}
	w.DisabledAt, w.DisabledWhy = s.instant(), why
	if err := tx.UpdateWebhook(ctx, w); err != nil {
		return err
	}
	e := evidence.Event{Version: 1, Agency: s.Agency, Type: evidence.EventWebhookDisabled, At: s.instant(), Actor: evidence.Actor{Kind: "server", ID: "ingest"}, Source: "local",
		Object: evidence.WebhookObject(id), Outcome: evidence.OutcomeDone, Reason: why, Details: told(w)}
	if _, err := tx.AppendEvent(ctx, e); err != nil {
		return err
	}
	return alarm.Raise(ctx, tx, s.alert(w, "The webhook "+w.Name+" was disabled: "+why+"."), nil)
}

// alert is the alert about a webhook that was given up.
func (s *Service) alert(w *catalog.Webhook, message string) *catalog.Alert {
	return &catalog.Alert{Agency: s.Agency, Code: catalog.AlertWebhook, Severity: catalog.SeverityWarning, Object: evidence.WebhookObject(w.ID), Message: message, RaisedAt: s.instant(), LastAt: s.instant()}
}
