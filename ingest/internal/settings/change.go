package settings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

const maxReason = 1000

// Change is what somebody wants.
type Change struct {
	Name   string
	Value  string
	Unset  bool    // back to the default, whatever Value is
	Was    *string // value that they saw; nil: whatever it is
	Reason string  // wanted for a weaker value
}

// Set changes a setting and returns the value that it had before. A change to
// what it is already is none. Refusals are auth.ErrForbidden, ErrUnknown,
// ErrValue, ErrReason, ErrLockout and ErrConflict, each with an event of its own
// and without a change.
func (d *Desk) Set(ctx context.Context, c Change) (former string, err error) {
	def, known := Find(c.Name)
	if !known {
		def.Name = "unknown"
	}
	c.Reason = shortened(strings.TrimSpace(strings.ToValidUTF8(c.Reason, "")), maxReason)
	if !d.may(auth.ManageAgency) {
		return "", d.refuse(ctx, def, c, "", auth.ErrForbidden)
	}
	if !known {
		return "", fmt.Errorf("%w: %q", ErrUnknown, shorten(c.Name))
	}
	value := def.Default
	if !c.Unset {
		if value, err = def.Canonical(c.Value); err != nil {
			return "", d.refuse(ctx, def, c, "", err)
		}
	}
	if err := d.clear(ctx, def, c, value); err != nil {
		return "", d.refuse(ctx, def, c, "", err)
	}
	var refusal error
	err = d.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		refusal = nil
		set, err := d.stored(ctx, tx)
		if err != nil {
			return err
		}
		former = valueOf(set, def.Name)
		if refusal, err = d.tooShort(ctx, tx, def, value); err != nil || refusal != nil {
			return err
		}
		if refusal = d.judge(def, c, value, former, set); refusal != nil || value == former {
			return nil
		}
		if value == def.Default {
			err = tx.UnsetSetting(ctx, d.Agency, def.Name)
		} else {
			err = tx.SetSetting(ctx, &catalog.Setting{Agency: d.Agency, Name: def.Name, Value: value, UpdatedAt: d.instant(), UpdatedBy: d.by.ID})
		}
		if err != nil {
			return err
		}
		e := d.event(def, c.Reason, map[string]string{"before": told(former), "after": told(value), "standing": string(def.Compare(value))})
		_, err = tx.AppendEvent(ctx, e)
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("changing the setting %s: %w", def.Name, err)
	case refusal != nil:
		return former, d.refuse(ctx, def, c, former, refusal)
	}
	if !sqldb.Behind(ctx, func(context.Context) { d.forget() }) {
		d.forget()
	}
	return former, nil
}

// clear wants a fresh factor before the rule about two people is changed, and a second
// person where the rule says so. Taking an act off the rule always takes two, else one
// person switches it off and goes on alone; so does any change of it while people or
// settings are under it.
func (d *Desk) clear(ctx context.Context, def Definition, c Change, value string) error {
	if d.local {
		return nil
	}
	set, err := d.load(ctx)
	if err != nil {
		return err
	}
	former := valueOf(set, def.Name)
	if err := d.judge(def, c, value, former, set); err != nil || value == former {
		return err // nobody is asked to approve what cannot be
	}
	act := auth.Act{Do: auth.ManageAgency, On: []auth.Object{{Agency: d.Agency}}, About: "setting:" + def.Name, Kind: evidence.EventSettingChanged}
	if def.Name == TwoPeople || def.Name == RequestHours || def.Name == ExportFactor {
		if auth.Running(ctx) == nil {
			if err := auth.Fresh(d.actor, d.Now()); errors.Is(err, auth.ErrFreshFactor) {
				return &auth.FreshError{Act: act}
			} else if err != nil {
				return err
			}
		}
	}
	if def.Name == TwoPeople {
		under := twoPeople(former)
		act.Always = under[auth.ManageAgency] || under[auth.ManageAccount] || fewer(former, value)
	}
	return auth.Clear(ctx, d.actor, act)
}

// fewer reports whether an act of the former value is not in the other one.
func fewer(former, value string) bool {
	after := twoPeople(value)
	for act := range twoPeople(former) {
		if !after[act] {
			return true
		}
	}
	return false
}

// judge says why a change is refused.
func (d *Desk) judge(def Definition, c Change, value, former string, set map[string]catalog.Setting) error {
	if c.Was != nil && *c.Was != former {
		return ErrConflict
	}
	if weaker := def.Compare(value) == Weaker || def.Name == TwoPeople && fewer(former, value); weaker && value != former && c.Reason == "" {
		return ErrReason
	}
	if d.local || def.Name != Networks && def.Name != RoleNetworks {
		return nil
	}
	after := maps.Clone(set)
	after[def.Name] = catalog.Setting{Value: value}
	if !policyOf(after).Networks.Allow(d.actor.Role, d.actor.Origin.Address) {
		return fmt.Errorf("%w: you are at %s, which the lists would not allow for the role %s. Add a network that holds it, or make the change from one that is allowed", ErrLockout, d.actor.Origin.Address, d.actor.Role)
	}
	return nil
}

// tooShort refuses passwords that would be too short to stand alone, where they may.
func (d *Desk) tooShort(ctx context.Context, tx *sqldb.Tx, def Definition, value string) (refusal, err error) {
	if n, _ := strconv.Atoi(value); def.Name != PasswordLength || n >= auth.MinPassword {
		return nil, nil
	}
	rule, err := auth.StoredFactorRule(ctx, &tx.Reader, d.Agency)
	if err != nil || rule.OfEverybody() {
		return nil, err
	}
	return bad("fewer than %d characters are taken only while a second factor is required of everyone, at each sign-in and without days of grace: set that rule first", auth.MinPassword), nil
}

// stored reads the settings in the transaction that changes one.
func (d *Desk) stored(ctx context.Context, tx *sqldb.Tx) (map[string]catalog.Setting, error) {
	rows, err := tx.Settings(ctx, d.Agency)
	if err != nil {
		return nil, err
	}
	set := map[string]catalog.Setting{}
	for _, row := range rows {
		if def, known := Find(row.Name); known {
			if value, err := def.Canonical(row.Value); err == nil {
				row.Value = value
				set[row.Name] = row
			}
		}
	}
	return set, nil
}

// refuse records a refused change and returns why, which it joins with the
// error of recording it, if any.
func (d *Desk) refuse(ctx context.Context, def Definition, c Change, former string, why error) error {
	var waits *auth.WaitingError
	if d.by.Kind == "" || errors.As(why, &waits) {
		return why // nobody asked; or it is on record that it waits
	}
	wanted := c.Value
	if c.Unset {
		wanted = def.Default
	}
	e := d.event(def, c.Reason, map[string]string{"before": told(former), "after": told(strings.ToValidUTF8(wanted, "�")), "refused": why.Error()})
	e.Outcome = evidence.OutcomeRefused
	if errors.Is(why, auth.ErrForbidden) {
		delete(e.Details, "before")
	}
	err := d.Catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err })
	if err != nil {
		return fmt.Errorf("recording a refused change: %w", err)
	}
	return why
}

func (d *Desk) event(def Definition, reason string, details map[string]string) evidence.Event {
	return evidence.Event{
		Version: 1, Agency: d.Agency, Type: evidence.EventSettingChanged, At: d.instant(), Actor: d.by, Source: d.source,
		Object: "setting:" + def.Name, Outcome: evidence.OutcomeDone, Reason: reason, Details: details,
	}
}

// told is a value as an event holds it: a long one is its beginning and its hash.
func told(value string) string {
	if len(value) <= maxTold {
		return value
	}
	return strings.ToValidUTF8(value[:maxTold], "") + toldMore + evidence.SHA256([]byte(value)).String()
}

const (
	maxTold  = 4000
	toldMore = "… and more; sha256 of the whole: "
)

// Past is a change that was made.
type Past struct {
	At            time.Time
	By            string // name, or "command line"
	Before, After string
	Reason        string
	Whole         bool // Before is all of it, so that it can be set back
}

// History returns the changes that were made of a setting, newest first.
// auth.ErrForbidden, ErrUnknown.
func (d *Desk) History(ctx context.Context, name string, limit int) ([]Past, error) {
	if _, known := Find(name); !known {
		return nil, ErrUnknown
	}
	if !d.may(auth.ManageAgency) {
		return nil, auth.ErrForbidden
	}
	rows, err := d.Catalog.Events(ctx, catalog.EventFilter{Agency: d.Agency, Type: evidence.EventSettingChanged, Object: "setting:" + name}, limit)
	if err != nil {
		return nil, fmt.Errorf("looking up changes of a setting: %w", err)
	}
	var all []Past
	for _, row := range rows {
		var e evidence.Event
		if err := evidence.Decode(row.JSON, &e); err != nil {
			return nil, fmt.Errorf("looking up changes of a setting: %w", err)
		}
		if e.Outcome != evidence.OutcomeDone {
			continue
		}
		p := Past{At: e.At, By: e.Actor.Name, Before: e.Details["before"], After: e.Details["after"], Reason: e.Reason}
		if e.Actor.ID == "local" {
			p.By = "command line"
		}
		p.Whole = !strings.Contains(p.Before, toldMore)
		all = append(all, p)
	}
	return all, nil
}

// forget has the next reader read anew.
func (s *Service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = time.Time{}
}

func (s *Service) instant() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

func shortened(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit])
	}
	return s
}
