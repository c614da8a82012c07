package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Codes are those of RFC 6238 with its default values, which every authenticator
// app knows: six digits, 30 seconds, HMAC-SHA-1. A code of the step before or
// after is taken too, for clocks that are not right.
const (
	codeDigits  = 6
	codePeriod  = 30
	codeSteps   = 1
	secretBytes = 20
)

// ErrAppExists: there is an authenticator app already.
var ErrAppExists = errors.New("an authenticator app is set up already: remove it first, then set up the new one")

// codeAt is the code of a time step. HMAC-SHA-1 is no weakness here, but the
// enforcing FIPS mode knows no exception for it: it is left out around this one
// computation (decision 0017).
func codeAt(secret string, step int64) (code string, err error) {
	fips140.WithoutEnforcement(func() {
		code, err = hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	})
	return code, err
}

// stepNow is the present time step.
func (s *Service) stepNow() int64 { return s.clock().Unix() / codePeriod }

// stepOf returns of which step near the present one the code is, or false.
func (s *Service) stepOf(secret, code string) (step int64, ok bool, err error) {
	now := s.stepNow()
	for n := now - codeSteps; n <= now+codeSteps; n++ {
		want, err := codeAt(secret, n)
		if err != nil {
			return 0, false, fmt.Errorf("computing a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = n, true
		}
	}
	return step, ok, nil
}

func (s *Service) sealSecret(user, secret string) (string, error) {
	return s.sealText("totp", user, secret)
}

func (s *Service) openSecret(user, sealed string) (string, error) {
	return s.openText("totp", user, sealed)
}

// sealText encrypts something of a user with AES-256-GCM under a key that is not
// in the database, for this user and purpose alone.
func (s *Service) sealText(purpose, user, text string) (string, error) {
	aead, err := s.sealingKey(purpose)
	if err != nil {
		return "", err
	}
	return base64.RawStdEncoding.EncodeToString(aead.Seal(nil, nil, []byte(text), s.sealedFor(purpose, user))), nil
}

func (s *Service) openText(purpose, user, sealed string) (string, error) {
	aead, err := s.sealingKey(purpose)
	if err != nil {
		return "", err
	}
	b, err := base64.RawStdEncoding.DecodeString(sealed)
	if err == nil {
		b, err = aead.Open(nil, nil, b, s.sealedFor(purpose, user))
	}
	if err != nil {
		return "", fmt.Errorf("opening what was sealed for a user's %s: it was stored under another pepper file, or is damaged: %w", purpose, err)
	}
	return string(b), nil
}

func (s *Service) sealedFor(purpose, user string) []byte {
	return []byte("sealdock/" + purpose + "/v1\n" + string(s.agency) + "\n" + user)
}

func (s *Service) sealingKey(purpose string) (cipher.AEAD, error) {
	key, err := s.subkey(purpose)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// AppOffer is an authenticator app that is being set up.
type AppOffer struct {
	Ceremony string // names it in FinishApp
	Secret   string // base32, to type
	URL      string // otpauth://, as a QR code shows it
}

// BeginApp offers to set up an authenticator app, for 5 minutes.
// ErrFreshFactor, ErrAppExists.
func (s *Service) BeginApp(ctx context.Context, actor *Actor, from Origin) (*AppOffer, error) {
	if err := s.fresh(ctx, evidence.EventFactorAdded, actor, from); err != nil {
		return nil, err
	}
	if _, err := s.catalog.Authenticator(ctx, actor.User); err == nil {
		return nil, ErrAppExists
	} else if !errors.Is(err, catalog.ErrNotFound) {
		return nil, unexpected("looking up an authenticator app", err)
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: s.issuer(), AccountName: actor.Login, Period: codePeriod, SecretSize: secretBytes, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return nil, unexpected("drawing a secret", err)
	}
	sealed, err := s.sealSecret(actor.User, key.Secret())
	if err != nil {
		return nil, unexpected("sealing a secret", err)
	}
	token, err := s.begin(ctx, ceremonyApp, actor, sealed)
	if err != nil {
		return nil, err
	}
	return &AppOffer{Ceremony: token, Secret: key.Secret(), URL: key.URL()}, nil
}

func (s *Service) issuer() string { return "Sealdock " + string(s.agency) }

// OfferedApp returns the offer again that BeginApp made. ErrPending when it no
// longer holds.
func (s *Service) OfferedApp(ctx context.Context, actor *Actor, ceremony string) (*AppOffer, error) {
	row, err := s.ceremony(ctx, &s.catalog.Reader, ceremonyApp, ceremony)
	if err != nil {
		return nil, err
	}
	if row.User != actor.User || row.Session != actor.Session {
		return nil, ErrPending
	}
	secret, err := s.openSecret(actor.User, row.Data)
	if err != nil {
		return nil, err
	}
	b, err := base32Secret(secret)
	if err != nil {
		return nil, unexpected("reading a secret", err)
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: s.issuer(), AccountName: actor.Login, Period: codePeriod, Secret: b, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return nil, unexpected("showing a secret", err)
	}
	return &AppOffer{Ceremony: ceremony, Secret: key.Secret(), URL: key.URL()}, nil
}

// FinishApp sets the app up when the code is one that it shows now. ErrFactor
// for another code: the offer still holds. ErrPending, ErrAppExists.
func (s *Service) FinishApp(ctx context.Context, actor *Actor, ceremony, code string, from Origin) error {
	offer, err := s.OfferedApp(ctx, actor, ceremony)
	if err != nil {
		return err
	}
	step, ok, err := s.stepOf(offer.Secret, bareCode(code))
	if err != nil {
		return err
	}
	if !ok {
		return s.recordRefused(ctx, evidence.EventFactorAdded, actor, from, ErrAppCode, map[string]string{"factor": "app"})
	}
	sealed, err := s.sealSecret(actor.User, offer.Secret)
	if err != nil {
		return unexpected("sealing a secret", err)
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		row, err := s.ceremony(ctx, &tx.Reader, ceremonyApp, ceremony)
		if err != nil {
			return err
		}
		if err := tx.EndCeremony(ctx, row.TokenHash); err != nil {
			return err
		}
		if err := tx.InsertAuthenticator(ctx, &catalog.Authenticator{User: actor.User, Secret: sealed, LastStep: step, CreatedAt: s.clock()}); err != nil {
			return err
		}
		return s.added(ctx, tx, actor, from, "app", "")
	})
	if errors.Is(err, catalog.ErrExists) {
		return ErrAppExists
	}
	return unexpected("setting up an authenticator app", err)
}

// ErrAppCode: an app that is being set up shows another code.
var ErrAppCode = errors.New("the app shows another code at this moment: wait for its next one and type that, and see that the clocks of phone and server are right")

// takeCode takes a code of the app, one that was sent to a phone for what it is bound
// to, or a recovery code, once, and returns what was shown, or why it was refused, for
// the record.
func (s *Service) takeCode(ctx context.Context, tx *sqldb.Tx, user *catalog.User, boundTo evidence.Digest, purpose, code string, from Origin) (factor, reason string, err error) {
	code = bareCode(code)
	if len(code) == PhoneDigits {
		return s.takePhone(ctx, tx, user, boundTo, purpose, code, from)
	}
	if len(code) != codeDigits {
		return s.takeRecovery(ctx, tx, user, code, from)
	}
	app, err := tx.Authenticator(ctx, user.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		return "", "a code, and there is no authenticator app", nil
	} else if err != nil {
		return "", "", err
	}
	secret, err := s.openSecret(user.ID, app.Secret)
	if err != nil {
		return "", "", err
	}
	step, ok, err := s.stepOf(secret, code)
	if err != nil {
		return "", "", err
	}
	if !ok {
		return "", "wrong code", nil
	}
	if step <= app.LastStep {
		return "", "a code that was used already", nil
	}
	return PasswordCode, "", tx.UseAuthenticator(ctx, user.ID, step, s.clock())
}

// bareCode is a code without the spaces and hyphens that people type.
func bareCode(code string) string {
	if len(code) > 64 {
		return ""
	}
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\t' || r == '\u00a0' {
			return -1
		}
		return r
	}, code))
}
