package catalogtest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func actRequests(s suite) {
	now := s.clock.Now()
	first := &catalog.ActRequest{Agency: Agency, ID: "1111111111111111", User: "ada", Action: "evidence.download", Objects: `[{"item":"x"}]`, About: "item:x", Asked: []byte("{\"a\":\"\x00é\"}"),
		Digest: evidence.SHA256([]byte("a")), Event: 7, Device: "d", Later: true, AskedAt: now, Lapses: now.Add(time.Hour), State: catalog.RequestWaits}
	second := *first
	second.ID, second.User, second.Later, second.AskedAt, second.Lapses = "2222222222222222", "ben", false, now.Add(time.Minute), now.Add(2*time.Hour)
	foreign := *first
	foreign.Agency = "other"
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return errors.Join(tx.InsertActRequest(ctx, first), tx.InsertActRequest(ctx, &second), tx.InsertActRequest(ctx, &foreign))
	})
	got, err := s.db.ActRequest(s.Context(), Agency, first.ID)
	s.must(err)
	if !reflect.DeepEqual(got, first) {
		s.Errorf("kept %+v, want %+v", got, first)
	}
	_, err = s.db.ActRequest(s.Context(), Agency, "3333333333333333")
	s.isError(err, catalog.ErrNotFound)
	ids := func(all []catalog.ActRequest, err error) (ids string) {
		s.Helper()
		s.must(err)
		for _, v := range all {
			ids += v.ID[:1]
		}
		return ids
	}
	is := func(what, got, want string) {
		s.Helper()
		if got != want {
			s.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	is("waiting", ids(s.db.WaitingRequests(s.Context(), Agency, now)), "12")
	is("waiting when the first has lapsed", ids(s.db.WaitingRequests(s.Context(), Agency, now.Add(time.Hour))), "2")
	is("past then", ids(s.db.PastRequests(s.Context(), Agency, now.Add(time.Hour), 10)), "1")
	is("about it", ids(s.db.RequestsAbout(s.Context(), Agency, "item:x", now)), "12")
	is("about another", ids(s.db.RequestsAbout(s.Context(), Agency, "item:y", now)), "")
	of, err := s.db.RequestOf(s.Context(), Agency, "ben", first.Digest, catalog.RequestWaits)
	s.must(err)
	is("of a person", of.ID, second.ID)
	_, err = s.db.RequestOf(s.Context(), Agency, "ben", first.Digest, catalog.RequestApproved)
	s.isError(err, catalog.ErrNotFound)

	decided := *first
	decided.State, decided.DecidedBy, decided.DecidedAt, decided.Reason, decided.UseUntil = catalog.RequestApproved, "cleo", now.Add(time.Second), "why", now.Add(time.Hour)
	s.update(func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DecideActRequest(ctx, &decided, catalog.RequestWaits)
	})
	s.refused(catalog.ErrConflict, func(ctx context.Context, tx *sqldb.Tx) error {
		return tx.DecideActRequest(ctx, &decided, catalog.RequestWaits)
	})
	got, err = s.db.ActRequest(s.Context(), Agency, first.ID)
	s.must(err)
	if !reflect.DeepEqual(got, &decided) {
		s.Errorf("decided %+v, want %+v", got, &decided)
	}
	is("about it, one approved", ids(s.db.RequestsAbout(s.Context(), Agency, "item:x", now)), "12")
	is("about it, when nobody may use that any more", ids(s.db.RequestsAbout(s.Context(), Agency, "item:x", now.Add(time.Hour))), "2")
	is("past now", ids(s.db.PastRequests(s.Context(), Agency, now, 10)), "1")
}

// Updates within a transaction stay with it or go with it, and what is for behind it
// comes behind it.
func updatesWithin(s suite) {
	event := evidence.Event{Agency: Agency, Type: evidence.EventActApproved, Actor: evidence.Actor{Kind: "user", ID: "ada"}, Outcome: evidence.OutcomeDone, Details: map[string]string{"own": "word"}}
	add := func(kind evidence.EventType, outcome evidence.Outcome) func(*sqldb.Tx) error {
		return func(tx *sqldb.Tx) error {
			e := event
			e.Type, e.Outcome = kind, outcome
			_, err := tx.AppendEvent(s.Context(), e)
			return err
		}
	}
	count := func(kind evidence.EventType) int64 {
		s.Helper()
		n, err := s.db.CountEvents(s.Context(), catalog.EventFilter{Agency: Agency, Type: kind})
		s.must(err)
		return n
	}
	stop := errors.New("stop")
	var order []string
	run := func(fails bool) (rest sqldb.Rest, err error) {
		err = s.db.Update(s.Context(), func(tx *sqldb.Tx) (err error) {
			order = nil
			if err := add(evidence.EventActApproved, evidence.OutcomeDone)(tx); err != nil {
				return err
			}
			rest, err = tx.Within(s.Context(), s.db, func(ctx context.Context) error {
				if !sqldb.Behind(ctx, func(context.Context) { order = append(order, "behind") }) {
					s.Error("within a transaction nothing is put off")
				}
				err := s.db.Update(ctx, func(tx *sqldb.Tx) error {
					order = append(order, "within")
					err := add(evidence.EventUserDisabled, evidence.OutcomeDone)(tx)
					if fails {
						err = stop
					}
					return err
				})
				if fails != errors.Is(err, stop) {
					s.Errorf("the inner update says %v", err)
				}
				return s.db.Update(ctx, add(evidence.EventActRefused, evidence.OutcomeRefused))
			})
			return err
		})
		return rest, err
	}
	rest, err := run(true)
	s.isError(err, stop)
	if n := count(evidence.EventActApproved) + count(evidence.EventUserDisabled) + count(evidence.EventActRefused); n != 0 || len(order) != 1 {
		s.Errorf("%d events stay of what failed; %v", n, order)
	}
	s.must(rest.Failed(s.Context()))
	if n := count(evidence.EventActRefused); n != 1 {
		s.Errorf("%d records of the refusal", n)
	}
	rest, err = run(false)
	s.must(err)
	rest.Done(s.Context())
	if count(evidence.EventActApproved) != 1 || count(evidence.EventUserDisabled) != 1 || !slices.Equal(order, []string{"within", "behind"}) {
		s.Errorf("%d and %d events, %v", count(evidence.EventActApproved), count(evidence.EventUserDisabled), order)
	}
	if sqldb.Behind(s.Context(), func(context.Context) {}) {
		s.Error("behind nothing")
	}
	sqldb.Rest{}.Done(s.Context())
	s.must(sqldb.Rest{}.Failed(s.Context()))
}

// Marks of a context go into events of what was done, behind their own words.
func markedEvents(s suite) {
	ctx := sqldb.Marked(s.Context(), &sqldb.Marks{})
	details := func(outcome evidence.Outcome) map[string]string {
		s.Helper()
		own := map[string]string{"approved_by": "own", "x": "y"}
		var id int64
		s.must(s.db.Update(ctx, func(tx *sqldb.Tx) (err error) {
			id, err = tx.AppendEvent(ctx, evidence.Event{Agency: Agency, Type: evidence.EventUserDisabled, Actor: evidence.Actor{Kind: "user", ID: "ada"}, Outcome: outcome, Details: own})
			return err
		}))
		if len(own) != 2 {
			s.Error("the caller's details were changed")
		}
		row, err := s.db.Event(s.Context(), Agency, id)
		s.must(err)
		var e evidence.Event
		s.must(evidence.Decode(row.JSON, &e))
		return e.Details
	}
	if got := details(evidence.OutcomeDone); len(got) != 2 {
		s.Errorf("without marks: %v", got)
	}
	sqldb.Mark(ctx, map[string]string{"approved_by": "ben", "request": "1"})
	if got := details(evidence.OutcomeDone); got["approved_by"] != "own" || got["request"] != "1" || got["x"] != "y" {
		s.Errorf("with marks: %v", got)
	}
	if got := details(evidence.OutcomeRefused); got["request"] != "" {
		s.Errorf("a refused act: %v", got)
	}
	sqldb.Mark(s.Context(), map[string]string{"a": "b"}) // nobody asked for it
}
