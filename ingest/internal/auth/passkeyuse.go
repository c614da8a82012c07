package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// errCopied: a passkey's count did not go up, as it does with the one true key.
var errCopied = errors.New("the passkey's count went back: there may be a copy of it")

// BeginPasskeySignIn begins a sign-in by passkey alone and returns the options
// for navigator.credentials.get as JSON, and the token for PasskeyStep.
// ErrNoPasskeys, *TooManyError.
func (s *Service) BeginPasskeySignIn(ctx context.Context, from Origin) (options []byte, ceremony string, err error) {
	if s.party == nil {
		return nil, "", ErrNoPasskeys
	}
	if err := errors.Join(s.sources.admit(from.Address), s.Admit(ctx, from)); err != nil {
		return nil, "", err
	}
	relying, err := s.party.relying("https://" + s.party.id)
	if err != nil {
		return nil, "", unexpected("asking for a passkey", err)
	}
	assertion, session, err := relying.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, "", unexpected("asking for a passkey", err)
	}
	return s.offer(ctx, ceremonySignIn, &Actor{}, assertion.Response, session)
}

// PasskeyStep signs in whoever's passkey answered: it is two factors, since the
// authenticator asks for a finger, a face or a PIN. A locked account is no
// obstacle: nobody guesses a signature. A refusal is ErrPasskey, and an event.
// ErrPending, ErrNoPasskeys.
func (s *Service) PasskeyStep(ctx context.Context, ceremony string, response []byte, b Browser, from Origin) (*Entry, error) {
	session, err := s.takeSession(ctx, ceremonySignIn, ceremony, nil)
	if err != nil {
		return nil, err
	}
	holder := &keyholder{user: &catalog.User{}}
	used, err := s.discovered(ctx, holder, session, response)
	if err != nil {
		return nil, s.refusePasskey(ctx, evidence.EventSignInFailed, holder.user, err, from)
	}
	if err := s.confirmStanding(ctx, holder.user); errors.Is(err, errStanding) {
		return nil, s.refusePasskey(ctx, evidence.EventSignInFailed, holder.user, err, from)
	} else if err != nil {
		return nil, unexpected("signing in", err)
	}
	var e *Entry
	var unused *DormantError
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		user, err := tx.User(ctx, holder.user.ID)
		if err != nil {
			return err
		}
		if !user.DisabledAt.IsZero() {
			if unused, err = s.dormant(ctx, &tx.Reader, user, disabledReason); err != nil {
				return err
			}
			return fmt.Errorf("%w: %s", ErrPasskey, disabledReason)
		}
		if !s.policy(ctx).Networks.Allow(Role(user.Role), from.Address) {
			return fmt.Errorf("%w: this network is not allowed for the role", ErrPasskey)
		}
		if err := s.usePasskey(ctx, tx, used); err != nil {
			return err
		}
		where, err := s.placeOf(ctx, &tx.Reader, user.ID, b, from)
		if err != nil {
			return err
		}
		e, err = s.enter(ctx, tx, user, Passkey, where, b, from)
		return err
	})
	switch {
	case errors.Is(err, ErrPasskey), errors.Is(err, errCopied):
		refused := s.refusePasskey(ctx, evidence.EventSignInFailed, holder.user, err, from)
		if unused != nil && errors.Is(refused, ErrPasskey) {
			return nil, unused
		}
		return nil, refused
	case err != nil:
		return nil, unexpected("signing in", err)
	}
	return e, nil
}

// discovered checks an answer of nobody knows whom, and fills in who it is as
// soon as that is known.
func (s *Service) discovered(ctx context.Context, holder *keyholder, session *webauthn.SessionData, response []byte) (*webauthn.Credential, error) {
	parsed, err := parseAssertion(response)
	if err != nil {
		return nil, err
	}
	relying, err := s.party.answered(&parsed.Response.CollectedClientData)
	if err != nil {
		return nil, err
	}
	_, used, err := relying.ValidatePasskeyLogin(func(rawID, handle []byte) (webauthn.User, error) {
		row, err := s.catalog.Passkey(ctx, credentialID(rawID))
		if err != nil {
			return nil, err
		}
		user, err := s.catalog.User(ctx, row.User)
		if err != nil {
			return nil, err
		}
		if user.Agency != s.agency {
			return nil, catalog.ErrNotFound
		}
		known, err := newKeyholder(user, []catalog.Passkey{*row})
		if err != nil {
			return nil, err
		}
		*holder = *known
		return holder, nil
	}, *session, parsed)
	return used, err
}

// usePasskey keeps what a use changed. errCopied.
func (s *Service) usePasskey(ctx context.Context, tx *sqldb.Tx, used *webauthn.Credential) error {
	if used.Authenticator.CloneWarning {
		return errCopied
	}
	text, err := json.Marshal(used)
	if err != nil {
		return err
	}
	err = tx.UsePasskey(ctx, credentialID(used.ID), string(text), used.Authenticator.SignCount, s.clock())
	if errors.Is(err, catalog.ErrConflict) {
		return errCopied
	}
	return err
}

// refusePasskey records why a passkey was refused, and returns ErrPasskey.
func (s *Service) refusePasskey(ctx context.Context, kind evidence.EventType, user *catalog.User, why error, from Origin) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	by, object := evidence.Actor{Kind: "user", ID: "unknown"}, ""
	if user.ID != "" {
		by, object = evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, "user:"+user.ID
	}
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		e := s.event(kind, by, from, object, evidence.OutcomeRefused)
		e.Reason, e.Details = "passkey: "+passkeyReason(why), map[string]string{"factor": Passkey}
		if _, err := tx.AppendEvent(ctx, e); err != nil || !errors.Is(why, errCopied) {
			return err
		}
		e = s.event(evidence.EventPasskeyDoubted, by, from, object, evidence.OutcomeRefused)
		e.Reason = errCopied.Error()
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	if err != nil {
		return unexpected("recording a refusal", err)
	}
	return ErrPasskey
}

// passkeyReason is what the record says; the library's own texts say little
// without their details.
func passkeyReason(err error) string {
	var p *protocol.Error
	if errors.As(err, &p) {
		return clip(p.Details+" "+p.DevInfo, 300)
	}
	return clip(err.Error(), 300)
}

// BeginConfirm begins to confirm by passkey who is there. ErrNoPasskeys,
// ErrNoFactor, *TooManyError.
func (s *Service) BeginConfirm(ctx context.Context, actor *Actor, from Origin) (options []byte, ceremony string, err error) {
	if s.party == nil {
		return nil, "", ErrNoPasskeys
	}
	if err := s.sources.admit(from.Address); err != nil {
		return nil, "", err
	}
	holder, err := s.keyholder(ctx, actor.User)
	if err != nil {
		return nil, "", err
	}
	if len(holder.keys) == 0 {
		return nil, "", ErrNoFactor
	}
	relying, err := s.party.relying("https://" + s.party.id)
	if err != nil {
		return nil, "", unexpected("asking for a passkey", err)
	}
	assertion, session, err := relying.BeginLogin(holder, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, "", unexpected("asking for a passkey", err)
	}
	return s.offer(ctx, ceremonyConfirm, actor, assertion.Response, session)
}

// FinishConfirm is Confirm by passkey. ErrPending, ErrPasskey.
func (s *Service) FinishConfirm(ctx context.Context, actor *Actor, ceremony string, response []byte, from Origin) error {
	session, err := s.takeSession(ctx, ceremonyConfirm, ceremony, actor)
	if err != nil {
		return err
	}
	holder, err := s.keyholder(ctx, actor.User)
	if err != nil {
		return err
	}
	used, err := s.party.asserted(holder, session, response)
	if err != nil {
		return s.refusePasskey(ctx, evidence.EventConfirmed, holder.user, err, from)
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := s.usePasskey(ctx, tx, used); err != nil {
			return err
		}
		return s.confirmed(ctx, tx, actor, Passkey, from)
	})
	switch {
	case errors.Is(err, errCopied):
		return s.refusePasskey(ctx, evidence.EventConfirmed, holder.user, err, from)
	case errors.Is(err, catalog.ErrNotFound):
		return ErrNoSession
	}
	return unexpected("confirming who is there", err)
}

// asserted checks the answer of a user's passkey.
func (p *party) asserted(holder *keyholder, session *webauthn.SessionData, response []byte) (*webauthn.Credential, error) {
	parsed, err := parseAssertion(response)
	if err != nil {
		return nil, err
	}
	relying, err := p.answered(&parsed.Response.CollectedClientData)
	if err != nil {
		return nil, err
	}
	return relying.ValidateLogin(holder, *session, parsed)
}
