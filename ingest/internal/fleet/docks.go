package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/identity"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	// MaxTokenLife is how long an enrolment token may be good.
	MaxTokenLife = 30 * 24 * time.Hour
	// tokensAtOnce is how many tokens one transaction makes.
	tokensAtOnce = 500
)

// The errors of a DockDesk that callers tell apart, beside auth.ErrForbidden,
// auth.ErrFreshFactor and catalog.ErrNotFound. Their texts are for people.
var (
	// ErrInput: what was asked for cannot be meant.
	ErrInput = errors.New("this cannot be taken")
	// ErrInUse: the dock did something, so that it stays on record.
	ErrInUse = errors.New("this dock was in use: what it brought names it, so it is disabled, not removed")
	// ErrTokenGone: the token was used or withdrawn.
	ErrTokenGone = errors.New("this token is not open any more: it was used, was withdrawn, or has expired")
)

// DockDesk is where one person, or the command line, decides which docks may come in.
// Seeing docks asks for ListDocks, everything else for ManageDocks, each at the dock's
// station; acts of people, but for withdrawing a token, ask for a fresh factor too. Every
// act, and every refused one, is a custody event.
type DockDesk struct {
	s     *Service
	actor *auth.Actor // nil: the command line
	by    By
}

// DocksFor returns the DockDesk of a signed-in person.
func (s *Service) DocksFor(actor *auth.Actor) *DockDesk {
	return &DockDesk{s, actor, By{Actor: actor.Custody(), Source: actor.Origin.Address}}
}

// Docks returns the DockDesk of whoever may run the server's commands.
func (s *Service) Docks() *DockDesk { return &DockDesk{s, nil, CommandLine()} }

func (d *DockDesk) may(do auth.Action, at evidence.StationID) bool {
	return d.actor == nil || auth.May(d.actor, do, auth.Object{Agency: d.s.Agency, Station: at})
}

// MayManage reports whether the person may decide about docks of a station; with "",
// about some.
func (d *DockDesk) MayManage(at evidence.StationID) bool {
	if at == "" {
		return d.actor == nil || auth.MaySome(d.actor, auth.ManageDocks, d.s.Agency)
	}
	return d.may(auth.ManageDocks, at)
}

// List returns the docks that the person may see, by name, and the open tokens that they
// may take back, newest first. auth.ErrForbidden.
func (d *DockDesk) List(ctx context.Context) (docks []catalog.Dock, tokens []catalog.DockToken, err error) {
	if d.actor != nil && !auth.MaySome(d.actor, auth.ListDocks, d.s.Agency) {
		return nil, nil, auth.ErrForbidden
	}
	all, err := d.s.Catalog.Docks(ctx, d.s.Agency)
	if err != nil {
		return nil, nil, err
	}
	for _, dock := range all {
		if d.may(auth.ListDocks, dock.Station) {
			docks = append(docks, dock)
		}
	}
	open, err := d.s.Catalog.DockTokens(ctx, d.s.Agency)
	for _, t := range open {
		if d.may(auth.ManageDocks, t.Station) {
			tokens = append(tokens, t)
		}
	}
	return docks, tokens, err
}

// Get returns a dock and its open tokens. auth.ErrForbidden, catalog.ErrNotFound.
func (d *DockDesk) Get(ctx context.Context, id evidence.DockID) (*catalog.Dock, []catalog.DockToken, error) {
	_, tokens, err := d.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	dock, err := d.s.Catalog.Dock(ctx, d.s.Agency, id)
	if err == nil && !d.may(auth.ListDocks, dock.Station) {
		err = fmt.Errorf("dock %s: %w", id, catalog.ErrNotFound)
	}
	var own []catalog.DockToken
	for _, t := range tokens {
		if t.Dock == id {
			own = append(own, t)
		}
	}
	return dock, own, err
}

// MakeToken makes the text with which one dock enrols at a station, once, within a time.
// It is told this once. A dock that is enrolled already is enrolled anew with it, and so
// moved to another station. auth.ErrForbidden, auth.ErrFreshFactor, ErrInput.
func (d *DockDesk) MakeToken(ctx context.Context, station evidence.StationID, dock evidence.DockID, valid time.Duration) (text string, token *catalog.DockToken, err error) {
	texts, tokens, err := d.MakeTokens(ctx, station, []evidence.DockID{dock}, valid)
	if err != nil {
		return "", nil, err
	}
	return texts[0], tokens[0], nil
}

// MakeTokens makes a token for each of the docks, in their order. After an error some may
// be known to the server; nobody has them, and they expire.
func (d *DockDesk) MakeTokens(ctx context.Context, station evidence.StationID, docks []evidence.DockID, valid time.Duration) (texts []string, tokens []*catalog.DockToken, err error) {
	if !d.MayManage("") && len(docks) > 0 {
		return nil, nil, d.refuse(ctx, evidence.EventDockTokenMade, docks[0], auth.ErrForbidden)
	}
	if err := checkTokens(station, docks, valid); err != nil {
		return nil, nil, err
	}
	if d.s.Certificate == nil {
		return nil, nil, errors.New("making an enrolment token: the server's authority is not at hand")
	}
	for len(docks) > 0 {
		some := docks[:min(tokensAtOnce, len(docks))]
		docks = docks[len(some):]
		rows := make([]*catalog.DockToken, len(some))
		at := d.s.instant()
		for i, dock := range some {
			text, secret, err := identity.NewEnrolmentToken(d.s.Certificate)
			if err != nil {
				return nil, nil, err
			}
			texts = append(texts, text)
			rows[i] = &catalog.DockToken{Hash: evidence.SHA256(secret[:]), Agency: d.s.Agency, Dock: dock, Station: station, CreatedBy: d.by.Actor.ID, CreatedAt: at, ExpiresAt: at.Add(valid)}
		}
		tokens = append(tokens, rows...)
		if err := d.keepTokens(ctx, rows); err != nil {
			return nil, nil, fmt.Errorf("making an enrolment token: %w", err)
		}
	}
	return texts, tokens, nil
}

func checkTokens(station evidence.StationID, docks []evidence.DockID, valid time.Duration) error {
	err := evidence.CheckName("station", string(station))
	for _, dock := range docks {
		err = errors.Join(err, evidence.CheckName("dock", string(dock)))
	}
	if err == nil && (valid <= 0 || valid > MaxTokenLife) {
		err = fmt.Errorf("a token is good for more than 0s and at most %v", MaxTokenLife)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	return nil
}

// keepTokens enters tokens, each with its event.
func (d *DockDesk) keepTokens(ctx context.Context, tokens []*catalog.DockToken) error {
	first := tokens[0]
	return d.act(ctx, evidence.EventDockTokenMade, first.Dock, first.Station, true, func(tx *sqldb.Tx) error {
		for _, t := range tokens {
			if err := d.asks(ctx, tx, t.Dock, t.Station, true); err != nil {
				return err
			}
			if err := tx.InsertDockToken(ctx, t); err != nil {
				return err
			}
			if err := d.record(ctx, tx, evidence.EventDockTokenMade, t.Dock, "", map[string]string{"station": string(t.Station), "expires_at": t.ExpiresAt.Format(time.RFC3339)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Withdraw takes an open token back: nobody enrols with it any more. auth.ErrForbidden,
// catalog.ErrNotFound, ErrTokenGone.
func (d *DockDesk) Withdraw(ctx context.Context, hash evidence.Digest) error {
	if !d.MayManage("") {
		return d.refuse(ctx, evidence.EventDockTokenEnded, "unknown", auth.ErrForbidden)
	}
	token, err := d.s.Catalog.DockToken(ctx, d.s.Agency, hash)
	if errors.Is(err, catalog.ErrNotFound) {
		return d.refuse(ctx, evidence.EventDockTokenEnded, "unknown", err)
	}
	if err != nil {
		return err
	}
	return d.act(ctx, evidence.EventDockTokenEnded, token.Dock, token.Station, false, func(tx *sqldb.Tx) error {
		if !d.may(auth.ManageDocks, token.Station) {
			return d.hidden(token.Station, token.Dock)
		}
		at := d.s.instant()
		if !at.Before(token.ExpiresAt) {
			return ErrTokenGone
		}
		err := tx.WithdrawDockToken(ctx, d.s.Agency, hash, at)
		if errors.Is(err, catalog.ErrConflict) {
			return ErrTokenGone
		}
		if err != nil {
			return err
		}
		return d.record(ctx, tx, evidence.EventDockTokenEnded, token.Dock, "", map[string]string{"station": string(token.Station), "made_by": token.CreatedBy})
	})
}

// SetEnabled lets a dock in or keeps it out, with a reason that may be "", and tells
// cameras in the same step. With a dock that is kept out its open tokens are withdrawn,
// and the server ends its connections. auth.ErrForbidden, auth.ErrFreshFactor,
// catalog.ErrNotFound, ErrInput.
func (d *DockDesk) SetEnabled(ctx context.Context, dock evidence.DockID, enabled bool, reason string) error {
	kind := evidence.EventDockEnabled
	if !enabled {
		kind = evidence.EventDockDisabled
	}
	if err := checkReason(reason); err != nil && d.MayManage("") {
		return err
	}
	return d.act(ctx, kind, dock, "", true, func(tx *sqldb.Tx) error {
		if err := d.asks(ctx, tx, dock, "", false); err != nil {
			return err
		}
		if err := tx.SetDockEnabled(ctx, d.s.Agency, dock, enabled); err != nil {
			return err
		}
		var details map[string]string
		if !enabled {
			n, err := tx.WithdrawDockTokens(ctx, d.s.Agency, dock, d.s.instant())
			if err != nil {
				return err
			}
			if n > 0 {
				details = map[string]string{"tokens_withdrawn": strconv.FormatInt(n, 10)}
			}
		}
		if err := d.record(ctx, tx, kind, dock, reason, details); err != nil {
			return err
		}
		return d.s.RenewTrust(ctx, tx)
	})
}

// Remove removes a dock that did nothing but enrol. auth.ErrForbidden,
// auth.ErrFreshFactor, catalog.ErrNotFound, ErrInUse.
func (d *DockDesk) Remove(ctx context.Context, dock evidence.DockID) error {
	return d.act(ctx, evidence.EventDockRemoved, dock, "", true, func(tx *sqldb.Tx) error {
		if err := d.asks(ctx, tx, dock, "", false); err != nil {
			return err
		}
		row, err := tx.Dock(ctx, d.s.Agency, dock)
		if err != nil {
			return err
		}
		if err := tx.DeleteDock(ctx, d.s.Agency, dock); errors.Is(err, catalog.ErrConflict) {
			return ErrInUse
		} else if err != nil {
			return err
		}
		if _, err := tx.WithdrawDockTokens(ctx, d.s.Agency, dock, d.s.instant()); err != nil {
			return err
		}
		if err := d.record(ctx, tx, evidence.EventDockRemoved, dock, "", map[string]string{"station": string(row.Station), "enrolled_at": row.EnrolledAt.Format(time.RFC3339)}); err != nil {
			return err
		}
		return d.s.RenewTrust(ctx, tx)
	})
}

// Unused reports whether a dock can be removed: it did nothing but enrol.
func (d *DockDesk) Unused(ctx context.Context, dock *catalog.Dock) (bool, error) {
	if !dock.LastSeenAt.IsZero() {
		return false, nil
	}
	acted, err := d.s.Catalog.DockHasActed(ctx, d.s.Agency, dock.ID)
	return !acted, err
}

func checkReason(reason string) error {
	if len(reason) > 1000 {
		return fmt.Errorf("%w: the reason has %d bytes, at most 1000 are taken", ErrInput, len(reason))
	}
	return nil
}

// asks asks for ManageDocks where a dock is, and at the station that it is to be at;
// fresh says that it need not be there yet.
func (d *DockDesk) asks(ctx context.Context, tx *sqldb.Tx, id evidence.DockID, to evidence.StationID, fresh bool) error {
	dock, err := tx.Dock(ctx, d.s.Agency, id)
	switch {
	case errors.Is(err, catalog.ErrNotFound) && fresh:
	case err != nil:
		return err
	case !d.may(auth.ManageDocks, dock.Station):
		if fresh {
			return auth.ErrForbidden // the name is taken, which is no secret to whoever may name docks
		}
		return d.hidden(dock.Station, id)
	}
	if to != "" && !d.may(auth.ManageDocks, to) {
		return auth.ErrForbidden
	}
	return nil
}

// hidden is what somebody is told who may not do something at a station.
func (d *DockDesk) hidden(at evidence.StationID, id evidence.DockID) error {
	if d.may(auth.ListDocks, at) {
		return auth.ErrForbidden
	}
	return fmt.Errorf("dock %s is out of reach: %w", id, catalog.ErrNotFound)
}

// act does something to a dock at a station, "" where it is at home, which records
// itself, all or nothing. Refusals are recorded too. People's acts wait for a second
// person where the agency says so.
func (d *DockDesk) act(ctx context.Context, kind evidence.EventType, dock evidence.DockID, at evidence.StationID, factor bool, do func(*sqldb.Tx) error) error {
	var err error
	switch {
	case !d.MayManage(""):
		err = auth.ErrForbidden
	case factor && d.actor != nil && auth.Running(ctx) == nil:
		err = auth.Fresh(d.actor, d.s.Now())
	}
	if err == nil && d.actor != nil {
		err = d.clear(ctx, kind, dock, at)
	}
	if err == nil {
		err = d.s.update(ctx, do)
	}
	return d.refuse(ctx, kind, dock, err)
}

// clear asks about what the person may do; the act itself refuses the rest.
func (d *DockDesk) clear(ctx context.Context, kind evidence.EventType, dock evidence.DockID, at evidence.StationID) error {
	if at == "" {
		row, err := d.s.Catalog.Dock(ctx, d.s.Agency, dock)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		at = row.Station
	}
	if !d.may(auth.ManageDocks, at) {
		return nil
	}
	return auth.Clear(ctx, d.actor, auth.Act{Do: auth.ManageDocks, On: []auth.Object{{Agency: d.s.Agency, Station: at}}, About: evidence.DockObject(dock), Kind: kind, Later: kind == evidence.EventDockTokenMade})
}

// refuse records that a person's act was refused, where err says so, and returns err.
func (d *DockDesk) refuse(ctx context.Context, kind evidence.EventType, dock evidence.DockID, err error) error {
	told := false
	for _, known := range []error{auth.ErrForbidden, auth.ErrFreshFactor, auth.ErrTokenAct, catalog.ErrNotFound, ErrInUse, ErrTokenGone} {
		told = told || errors.Is(err, known)
	}
	if d.actor == nil || !told {
		return err
	}
	if evidence.CheckName("dock", string(dock)) != nil {
		dock = "unknown"
	}
	reason := err.Error()
	switch {
	case errors.Is(err, auth.ErrForbidden):
		reason = auth.Refusal(err, auth.ManageDocks)
	case errors.Is(err, catalog.ErrNotFound):
		reason = "no such dock or token is within reach"
	}
	e := d.s.event(kind, d.by, evidence.DockObject(dock), nil)
	e.Outcome, e.Reason = evidence.OutcomeRefused, reason
	if failed := d.s.Catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err }); failed != nil {
		return errors.Join(err, fmt.Errorf("recording a refused act: %w", failed))
	}
	return err
}

func (d *DockDesk) record(ctx context.Context, tx *sqldb.Tx, kind evidence.EventType, dock evidence.DockID, reason string, details map[string]string) error {
	e := d.s.event(kind, d.by, evidence.DockObject(dock), details)
	e.Reason = reason
	_, err := tx.AppendEvent(ctx, e)
	return err
}
