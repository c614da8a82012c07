package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/proto/evidence"
)

// keyActs does what takes two people, at the command line and from afar.
type keyActs struct {
	config  *Config
	catalog *sqldb.DB
	people  *auth.Service
	from    auth.Origin // where both sign in
	now     func() time.Time
}

// keyActs are those of the command line.
func (c *Config) keyActs(ctx context.Context, db *sqldb.DB, now func() time.Time) (*keyActs, error) {
	secrets, err := loadOwnSecrets(c)
	if err != nil {
		return nil, err
	}
	people, err := c.people(ctx, db, secrets, now)
	if err != nil {
		return nil, err
	}
	_, from := local()
	return &keyActs{config: c, catalog: db, people: people, from: from, now: now}, nil
}

// refuse is an api.Refused.
func refuse(format string, args ...any) error { return &api.Refused{Why: fmt.Errorf(format, args...)} }

// pair are the two people whom an act takes: who wants it, and how that is shown, and
// who approves, and signs in for it.
type pair struct {
	login     string
	requester func(context.Context) (*auth.Actor, error)
	approver  Credentials
}

// both are two people who sign in at the command line.
func (k *keyActs) both(requester, approver Credentials) pair {
	return pair{requester.Login, func(ctx context.Context) (*auth.Actor, error) { return signInOnce(ctx, k.people, requester, k.from) }, approver}
}

// sign wants two administrators to show who they are: what they are asked for takes
// both. Each sign-in, refused ones too, is on record.
func (k *keyActs) sign(ctx context.Context, p pair) (both [2]*auth.Actor, err error) {
	if both[0], err = p.requester(ctx); err != nil {
		return both, fmt.Errorf("signing in %s: %w", p.login, err)
	}
	if both[1], err = signInOnce(ctx, k.people, p.approver, k.from); err != nil {
		return both, fmt.Errorf("signing in %s: %w", p.approver.Login, err)
	}
	for _, who := range both {
		if !auth.May(who, auth.ManageKeys, auth.Object{Agency: k.config.agency()}) {
			return both, fmt.Errorf("%s: %w", who.Login, auth.ErrForbidden)
		}
	}
	if both[0].User == both[1].User {
		return both, refuse("the same person asks and approves: this takes two")
	}
	one, err := k.people.OnePerson(ctx, both[0].User, both[1].User)
	if err == nil && one {
		err = refuse("%s and %s are accounts of one person, by e-mail address, directory identity or officer id: this takes two", both[0].Login, both[1].Login)
	}
	return both, err
}

// signInOnce signs somebody in for one act, and out again.
func signInOnce(ctx context.Context, people *auth.Service, who Credentials, from auth.Origin) (*auth.Actor, error) {
	token, err := people.SignInWithCode(ctx, who.Login, who.Password, who.Code, from)
	if err != nil {
		return nil, err
	}
	actor, err := people.Actor(ctx, token, from)
	return actor, errors.Join(err, people.SignOut(ctx, token, from))
}

// event is an event of two people.
func (k *keyActs) event(kind evidence.EventType, object string, people [2]*auth.Actor, details map[string]string) evidence.Event {
	e := k.config.keyEvent(kind, object, map[string]string{"approved_by": people[1].User, "approved_by_name": people[1].Name})
	e.Actor, e.Source = people[0].Custody(), k.from.Address
	for name, value := range details {
		e.Details[name] = value
	}
	return e
}

// retire destroys an older key pair. That nothing stands on it is asked in the commit
// that records it, from which on the catalog keeps nothing more under that key.
func (k *keyActs) retire(ctx context.Context, ring *keys.Ring, id keys.ID, by pair) error {
	agency := k.config.agency()
	states, err := k.config.keyStates(ctx, k.catalog, ring)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(states, func(s KeyState) bool { return s.ID == id })
	if at < 0 { // gone already; a former run, which is on record, may have been cut short
		return ring.Retire(agency, id)
	}
	s := states[at]
	if err := s.retirable(); err != nil {
		return err
	}
	people, err := k.sign(ctx, by)
	if err != nil {
		return err
	}
	check := func(tx *sqldb.Tx) error {
		stands, err := tx.StandsOnKey(ctx, agency, s.noted())
		if err == nil && stands {
			err = refuse("something was wrapped to key %s just now: try again; nothing was destroyed", id)
		}
		return err
	}
	return recordedIf(ctx, k.catalog, check, k.event(evidence.EventKeyRetired, evidence.KeyObject(string(id)), people, nil), func() error { return ring.Retire(agency, id) })
}

// noted is how the catalog may name the pair.
func (s *KeyState) noted() []string {
	if s.Number == 1 {
		return []string{string(s.ID), ""}
	}
	return []string{string(s.ID)}
}

func (s *KeyState) retirable() error {
	switch {
	case s.Newest:
		return refuse("key %s is the newest one, to which everything is wrapped: rotate first", s.ID)
	case s.Wrapped > 0:
		return refuse("%d recordings' keys are wrapped to key %s: rotate the keys first (sealdock-ingest keys rotate); nothing was destroyed", s.Wrapped, s.ID)
	case s.Docks > 0:
		return refuse("%d docks still wrap to key %s: enrol them again with new tokens, or disable them, first; nothing was destroyed", s.Docks, s.ID)
	}
	return nil
}

// destroy overwrites the keys of a stored item.
func (k *keyActs) destroy(ctx context.Context, id evidence.EvidenceID, reason string, by pair) (done Destroyed, err error) {
	agency := k.config.agency()
	if _, err := destroyable(ctx, &k.catalog.Reader, agency, id); err != nil {
		return done, err
	}
	people, err := k.sign(ctx, by)
	if err != nil {
		return done, err
	}
	err = k.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		for _, who := range people {
			if err := k.people.StillMay(ctx, tx, who, auth.ManageKeys); err != nil {
				return refuse("%s: %w", who.Login, err)
			}
		}
		item, err := destroyable(ctx, &tx.Reader, agency, id)
		if err != nil {
			return err
		}
		done.Path, done.Original = item.Path, !item.ErasedAt.IsZero()
		facts := map[string]string{"path": item.Path, "sha256": item.SHA256.String(), "requested_by": people[0].User, "requested_by_name": people[0].Name}
		wanted := k.event(evidence.EventDestructionWanted, evidence.ItemObject(id), people, facts)
		act := k.event(evidence.EventItemDestroyed, evidence.ItemObject(id), people, facts)
		act.Actor = people[1].Custody()
		wanted.Reason, act.Reason = reason, reason
		for _, event := range []evidence.Event{wanted, act} {
			if _, err := tx.AppendEvent(ctx, event); err != nil {
				return err
			}
		}
		return tx.DestroyKeys(ctx, agency, id, k.now())
	})
	if errors.Is(err, catalog.ErrFrozen) || errors.Is(err, catalog.ErrConflict) {
		return done, refuse("destroying item %s: %w", id, err)
	}
	if err != nil {
		return done, fmt.Errorf("destroying item %s: %w", id, err)
	}
	done.Forgotten, err = k.catalog.Forget(ctx)
	return done, err
}
