package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// phoneMAC is an HMAC under a key that is not in the database.
func (s *Service) phoneMAC(parts ...string) ([]byte, error) {
	key, err := s.subkey("phone")
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(string(s.agency) + "\n" + strings.Join(parts, "\n")))
	return mac.Sum(nil), nil
}

// phoneHash is what is kept of a code: it holds for one sign-in or session, one purpose
// and one number.
func (s *Service) phoneHash(c *catalog.PhoneCode, code string) (hash evidence.Digest, err error) {
	mac, err := s.phoneMAC("code", c.BoundTo.String(), c.Purpose, c.User, c.NumberKey, code)
	if err != nil {
		return hash, err
	}
	return evidence.Digest(mac), nil
}

// newPhoneCode draws a code. rand.Int has no favourites.
func newPhoneCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%0*d", PhoneDigits, n), nil
}

// keepPhoneCode draws a code for a number that is to be sent, in the transaction that
// counts it. why says for the record that it is refused.
func (s *Service) keepPhoneCode(ctx context.Context, tx *sqldb.Tx, user *catalog.User, c *catalog.PhoneCode, number string, from Origin) (m *PhoneMessage, why error, err error) {
	now, policy := s.clock(), s.policy(ctx).Phone
	sent, err := tx.CountPhoneSends(ctx, s.agency, user.ID, c.NumberKey, now.Add(-phoneHour))
	if err != nil {
		return nil, nil, err
	}
	details := map[string]string{"for": c.Purpose, "channel": c.Channel, "number": maskedNumber(number)}
	e := s.event(evidence.EventPhoneCodeSent, evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Details = details
	for _, limit := range []struct {
		of      string
		has, at int64
	}{{"person", sent.User, phoneOfPerson}, {"number", sent.Number, phoneOfNumber}, {"agency", sent.Agency, int64(policy.PerHour)}} {
		if limit.has >= limit.at {
			e.Outcome, e.Reason = evidence.OutcomeRefused, fmt.Sprintf("%d codes within an hour, of one %s", limit.at, limit.of)
			_, err := tx.AppendEvent(ctx, e)
			return nil, ErrPhoneMany, err
		}
	}
	code, err := newPhoneCode()
	if err != nil {
		return nil, nil, err
	}
	c.User, c.SentAt, c.ExpiresAt = user.ID, now, now.Add(policy.Life)
	if c.Hash, err = s.phoneHash(c, code); err != nil {
		return nil, nil, err
	}
	if c.Number, err = s.sealText("phone", user.ID, number); err != nil {
		return nil, nil, err
	}
	if err := tx.SendPhoneCode(ctx, s.agency, c); err != nil {
		return nil, nil, err
	}
	_, err = tx.AppendEvent(ctx, e)
	return &PhoneMessage{number, c.Channel, code, c.ExpiresAt}, nil, err
}

// handOver gives a code to the gateway. One that it does not take is good for nothing,
// and that is an event.
func (s *Service) handOver(ctx context.Context, user *catalog.User, c *catalog.PhoneCode, m *PhoneMessage, from Origin) error {
	trouble := s.gateway(ctx, s.policy(ctx).Phone.Gateway, *m)
	if trouble == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.TakePhoneCode(ctx, c.BoundTo, c.Purpose, c.Hash); err != nil && !errors.Is(err, catalog.ErrConflict) {
			return err
		}
		e := s.event(evidence.EventPhoneCodeFailed, evidence.Actor{Kind: "server", ID: "server"}, from, "user:"+user.ID, evidence.OutcomeFailed)
		e.Reason = clip(trouble.Error(), 400)
		e.Details = map[string]string{"for": c.Purpose, "channel": c.Channel}
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	return errors.Join(ErrPhoneGateway, unexpected("recording that a code was not sent", err))
}

// SendCode sends a code for a sign-in that waits. Words and time are the same whether
// there is a phone or none, and whether the code was sent: the gateway is asked after
// the answer. ErrPending, *TooManyError, ErrNoPhones.
func (s *Service) SendCode(ctx context.Context, pending string, from Origin) error {
	if err := errors.Join(s.sources.admit(from.Address), s.Admit(ctx, from)); err != nil {
		return err
	}
	if !s.SendsCodes(ctx) {
		return ErrNoPhones
	}
	var user *catalog.User
	var c *catalog.PhoneCode
	var m *PhoneMessage
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		m = nil
		row, err := s.ceremony(ctx, &tx.Reader, ceremonySecond, pending)
		if err != nil {
			return err
		}
		if user, err = tx.User(ctx, row.User); err != nil {
			return err
		}
		c = &catalog.PhoneCode{BoundTo: row.TokenHash, Purpose: phoneSignIn}
		m, _, err = s.codeToPhone(ctx, tx, user, c, from)
		return err
	})
	if errors.Is(err, ErrPending) {
		return ErrPending
	} else if err != nil {
		return unexpected("sending a code", err)
	}
	if m != nil {
		late := context.WithoutCancel(ctx)
		s.sending.Go(func() { s.handOver(late, user, c, m, from) }) // what fails is on record
	}
	return nil
}

// codeToPhone is keepPhoneCode for the phone that a user has; without one it does
// nothing, but for the record.
func (s *Service) codeToPhone(ctx context.Context, tx *sqldb.Tx, user *catalog.User, c *catalog.PhoneCode, from Origin) (*PhoneMessage, error, error) {
	reason, err := s.judge(ctx, tx, user.Login, user, true, from)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.phone(ctx, &tx.Reader, user.ID)
	if err != nil {
		return nil, nil, err
	}
	if reason == "" && p == nil {
		reason = "there is no phone that codes are sent to"
	}
	if reason != "" {
		return nil, ErrFactor, s.recordFailed(ctx, tx, user, refusal{evidence.EventPhoneCodeSent, reason}, from)
	}
	number, err := s.openText("phone", user.ID, p.Number)
	if err != nil {
		return nil, nil, err
	}
	c.NumberKey, c.Channel = p.NumberKey, p.Channel
	return s.keepPhoneCode(ctx, tx, user, c, number, from)
}

// SendConfirmCode sends a code to somebody who is signed in and is to show once more
// who they are. ErrNoPhones, ErrFactor where there is no phone, ErrPhoneMany,
// ErrPhoneGateway, *TooManyError.
func (s *Service) SendConfirmCode(ctx context.Context, actor *Actor, from Origin) error {
	return s.sendTo(ctx, actor, from, &catalog.PhoneCode{BoundTo: actor.Session, Purpose: phoneConfirm}, func(tx *sqldb.Tx, user *catalog.User, c *catalog.PhoneCode) (*PhoneMessage, error, error) {
		return s.codeToPhone(ctx, tx, user, c, from)
	})
}

// BeginPhone sends a code to a number that codes are to be sent to from now on. A phone
// that there is already stays until FinishPhone. ErrFreshFactor, ErrNoPhones,
// ErrPhonePowers, ErrPhoneNumber, ErrPhoneChannel, ErrPhoneMany, ErrPhoneGateway,
// *TooManyError.
func (s *Service) BeginPhone(ctx context.Context, actor *Actor, number, channel string, from Origin) error {
	if err := s.fresh(ctx, evidence.EventFactorAdded, actor, from); err != nil {
		return err
	}
	number, err := phoneNumber(number)
	if err != nil {
		return err
	}
	if channel != SMS && channel != Call {
		return ErrPhoneChannel
	}
	key, err := s.phoneMAC("number", number)
	if err != nil {
		return unexpected("counting codes", err)
	}
	c := &catalog.PhoneCode{BoundTo: actor.Session, Purpose: phoneEnrol, NumberKey: hex.EncodeToString(key), Channel: channel}
	return s.sendTo(ctx, actor, from, c, func(tx *sqldb.Tx, user *catalog.User, c *catalog.PhoneCode) (*PhoneMessage, error, error) {
		if manages, err := s.managesAny(ctx, &tx.Reader, user); err != nil || manages {
			if err == nil {
				err = s.recordFailed(ctx, tx, user, refusal{evidence.EventFactorAdded, ErrPhonePowers.Error()}, from)
			}
			return nil, ErrPhonePowers, err
		}
		return s.keepPhoneCode(ctx, tx, user, c, number, from)
	})
}

// sendTo sends a code to somebody who is signed in; keep draws and keeps it.
func (s *Service) sendTo(ctx context.Context, actor *Actor, from Origin, c *catalog.PhoneCode, keep func(*sqldb.Tx, *catalog.User, *catalog.PhoneCode) (*PhoneMessage, error, error)) error {
	if err := s.sources.admit(from.Address); err != nil {
		return err
	}
	if actor.Token != nil {
		return ErrTokenAct
	}
	if !s.SendsCodes(ctx) {
		return ErrNoPhones
	}
	var user *catalog.User
	var m *PhoneMessage
	var why error
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) (err error) {
		if user, err = tx.User(ctx, actor.User); err == nil {
			m, why, err = keep(tx, user, c)
		}
		return err
	})
	switch {
	case err != nil:
		return unexpected("sending a code", err)
	case why != nil:
		return why
	}
	return s.handOver(ctx, user, c, m, from)
}

// FinishPhone has codes sent to the number from now on whose code this is. A wrong one
// counts like a refused sign-in: ErrFactor.
func (s *Service) FinishPhone(ctx context.Context, actor *Actor, code string, from Origin) error {
	if err := s.fresh(ctx, evidence.EventFactorAdded, actor, from); err != nil {
		return err
	}
	if err := s.sources.admit(from.Address); err != nil {
		return err
	}
	if !s.SendsCodes(ctx) {
		return ErrNoPhones
	}
	refused := false
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		user, err := tx.User(ctx, actor.User)
		if err != nil {
			return err
		}
		reason, err := s.judge(ctx, tx, user.Login, user, true, from)
		if err != nil {
			return err
		}
		var c *catalog.PhoneCode
		if reason == "" {
			c, reason, err = s.rightCode(ctx, tx, user, actor.Session, phoneEnrol, bareCode(code))
		}
		if manages, err := s.managesAny(ctx, &tx.Reader, user); err != nil {
			return err
		} else if manages && reason == "" {
			reason = ErrPhonePowers.Error()
		}
		if err != nil {
			return err
		}
		if refused = reason != ""; refused {
			return s.refuse(ctx, tx, user.Login, user, refusal{evidence.EventFactorAdded, reason}, from)
		}
		number, err := s.openText("phone", user.ID, c.Number)
		if err != nil {
			return err
		}
		if err := tx.SetPhone(ctx, &catalog.Phone{User: user.ID, Number: c.Number, NumberKey: c.NumberKey, Channel: c.Channel, CreatedAt: s.clock()}); err != nil {
			return err
		}
		return s.added(ctx, tx, actor, from, "phone", maskedNumber(number))
	})
	switch {
	case err != nil:
		return unexpected("setting up a phone", err)
	case refused:
		return ErrFactor
	}
	return nil
}

// rightCode takes a code that was sent, once, or says for the record why not.
func (s *Service) rightCode(ctx context.Context, tx *sqldb.Tx, user *catalog.User, boundTo evidence.Digest, purpose, code string) (c *catalog.PhoneCode, reason string, err error) {
	c, err = tx.PhoneCode(ctx, boundTo, purpose)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return nil, "a code by phone, and none is awaited here", nil
	case err != nil:
		return nil, "", err
	case c.User != user.ID:
		return nil, "a code by phone of somebody else", nil
	case !s.clock().Before(c.ExpiresAt):
		return nil, "a code by phone that has expired", nil
	}
	hash, err := s.phoneHash(c, code)
	if err != nil {
		return nil, "", err
	}
	if !hmac.Equal(hash[:], c.Hash[:]) {
		return nil, "wrong code by phone", nil
	}
	return c, "", tx.TakePhoneCode(ctx, boundTo, purpose, c.Hash)
}

// takePhone is takeCode for codes that were sent.
func (s *Service) takePhone(ctx context.Context, tx *sqldb.Tx, user *catalog.User, boundTo evidence.Digest, purpose, code string, from Origin) (factor, reason string, err error) {
	p, err := s.phone(ctx, &tx.Reader, user.ID)
	if err != nil {
		return "", "", err
	}
	if p == nil {
		return "", "a code by phone, and there is no phone", nil
	}
	c, reason, err := s.rightCode(ctx, tx, user, boundTo, purpose, code)
	if err != nil || reason != "" {
		return "", reason, err
	}
	if c.NumberKey != p.NumberKey {
		return "", "a code by phone, sent to a former number", nil
	}
	if err := tx.UsePhone(ctx, user.ID, s.clock()); err != nil {
		return "", "", err
	}
	e := s.event(evidence.EventPhoneCodeUsed, evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Details = map[string]string{"for": purpose, "channel": p.Channel, "after_seconds": strconv.Itoa(int(s.clock().Sub(c.SentAt).Seconds()))}
	_, err = tx.AppendEvent(ctx, e)
	return PasswordPhone, "", err
}
