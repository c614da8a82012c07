package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// RecoveryCodes is how many recovery codes are made at once.
const RecoveryCodes = 10

// recoverySize is the length of a recovery code in bytes: 80 random bits, 16
// letters and digits.
const recoverySize = 10

// ErrNoFactor: recovery codes stand in for a factor, and there is none.
var ErrNoFactor = errors.New("recovery codes stand in for a second factor: set up a passkey or an authenticator app first")

func base32Secret(text string) ([]byte, error) {
	return base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
}

// recoveryHash is what is kept of a recovery code: an HMAC under a key that is
// not in the database.
func (s *Service) recoveryHash(user string, code []byte) (hash evidence.Digest, err error) {
	key, err := s.subkey("recovery")
	if err != nil {
		return hash, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(string(s.agency) + "\n" + user + "\n"))
	mac.Write(code)
	return evidence.Digest(mac.Sum(nil)), nil
}

// MakeRecoveryCodes makes new recovery codes in place of all former ones. They
// are returned this once, as people are to write them down.
// ErrFreshFactor, ErrNoFactor.
func (s *Service) MakeRecoveryCodes(ctx context.Context, actor *Actor, from Origin) ([]string, error) {
	if err := s.fresh(ctx, evidence.EventRecoveryMade, actor, from); err != nil {
		return nil, err
	}
	var codes []string
	var hashes []evidence.Digest
	for range RecoveryCodes {
		code := make([]byte, recoverySize)
		rand.Read(code)
		hash, err := s.recoveryHash(actor.User, code)
		if err != nil {
			return nil, unexpected("making recovery codes", err)
		}
		codes, hashes = append(codes, recoveryText(code)), append(hashes, hash)
	}
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		f, err := s.factors(ctx, &tx.Reader, actor.User)
		if err != nil {
			return err
		}
		if !f.Any() {
			return ErrNoFactor
		}
		if err := tx.ReplaceRecoveryCodes(ctx, actor.User, hashes, s.clock()); err != nil {
			return err
		}
		return s.record(ctx, tx, evidence.EventRecoveryMade, actor, from, map[string]string{"codes": strconv.Itoa(RecoveryCodes)})
	})
	if errors.Is(err, ErrNoFactor) {
		return nil, s.recordRefused(ctx, evidence.EventRecoveryMade, actor, from, ErrNoFactor, nil)
	} else if err != nil {
		return nil, unexpected("making recovery codes", err)
	}
	return codes, nil
}

// recoveryText writes a code in four groups of four.
func recoveryText(code []byte) string {
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(code)
	var groups []string
	for ; len(text) > 4; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(append(groups, text), "-")
}

// IsRecoveryCode reports whether text is written as recovery codes are.
func IsRecoveryCode(text string) bool {
	b, err := base32Secret(bareCode(text))
	return err == nil && len(b) == recoverySize && recoveryText(b) == text
}

// takeRecovery is takeCode for recovery codes.
func (s *Service) takeRecovery(ctx context.Context, tx *sqldb.Tx, user *catalog.User, code string, from Origin) (factor, reason string, err error) {
	b, err := base32Secret(code)
	if err != nil || len(b) != recoverySize {
		return "", "wrong code", nil
	}
	hash, err := s.recoveryHash(user.ID, b)
	if err != nil {
		return "", "", err
	}
	err = tx.UseRecoveryCode(ctx, user.ID, hash, s.clock())
	if errors.Is(err, catalog.ErrConflict) {
		return "", "a recovery code that is wrong or was used already", nil
	} else if err != nil {
		return "", "", err
	}
	left, err := tx.CountRecoveryCodes(ctx, user.ID)
	if err != nil {
		return "", "", err
	}
	e := s.event(evidence.EventRecoveryUsed, evidence.Actor{Kind: "user", ID: user.ID, Name: user.Name}, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Details = map[string]string{"left": strconv.FormatInt(left, 10)}
	_, err = tx.AppendEvent(ctx, e)
	return PasswordRecovery, "", err
}
