package auth

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// Rounds is the PBKDF2-HMAC-SHA-512 iteration count for new passwords: the
// floor of OWASP ASVS 5.0.0 appendix B for this function.
const Rounds = 210_000

// PepperSize is the length in bytes of a pepper.
const PepperSize = 32

const (
	saltSize  = 16
	hashSize  = sha512.Size
	maxRounds = 10_000_000
	scheme    = "pbkdf2-sha512-hmac"
	waiting   = 32 // sign-ins that may queue for a hashing place
)

// ErrBusy is returned when too many sign-ins are being worked on. Trying again
// in a few seconds is the answer to it.
var ErrBusy = errors.New("too many sign-ins at once; try again in a few seconds")

// ErrPepper is returned for a password that was hashed under another pepper.
var ErrPepper = errors.New("the password was stored under another pepper file; put the former file back or set a new password")

// Hasher turns passwords into the text that is stored and checks them. Few
// hashes run at once, so that a flood of sign-ins cannot take the processor
// from uploads.
type Hasher struct {
	pepper []byte
	keyID  string
	rounds int
	places chan struct{} // one per hash that may run
	queue  chan struct{} // one per caller, running or waiting
}

// NewHasher returns a Hasher that runs at most parallel hashes at once (at
// least 1). The pepper is PepperSize secret random bytes from a file outside
// the database (NIST SP 800-63B-4 section 3.1.1.2).
func NewHasher(pepper []byte, parallel int) (*Hasher, error) {
	if len(pepper) != PepperSize {
		return nil, fmt.Errorf("reading the password pepper: want %d bytes, have %d", PepperSize, len(pepper))
	}
	parallel = max(parallel, 1)
	sum := sha256.Sum256(append([]byte("sealdock/pepper-id/v1\n"), pepper...))
	return &Hasher{
		pepper: append([]byte(nil), pepper...),
		keyID:  hex.EncodeToString(sum[:4]),
		rounds: Rounds,
		places: make(chan struct{}, parallel),
		queue:  make(chan struct{}, parallel+waiting),
	}, nil
}

// Hash returns the text to store for password, with a new random salt:
// $pbkdf2-sha512-hmac$i=210000,k=PEPPER$SALT$HASH, base64 without padding. It
// returns ErrBusy when too many callers wait already.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	sum, err := h.derive(ctx, password, salt, h.rounds)
	if err != nil {
		return "", err
	}
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$%s$i=%d,k=%s$%s$%s", scheme, h.rounds, h.keyID, enc.EncodeToString(salt), enc.EncodeToString(sum)), nil
}

// Verify reports whether password is the one that stored was made from. An
// empty stored text (an unknown name) takes the same work and answers false.
// The errors are ErrBusy, ErrPepper, a broken stored text, or ctx's.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (bool, error) {
	if stored == "" {
		_, err := h.derive(ctx, password, make([]byte, saltSize), h.rounds)
		return false, err
	}
	p, err := parseStored(stored)
	if err != nil {
		return false, err
	}
	sum, err := h.derive(ctx, password, p.salt, p.rounds)
	switch {
	case err != nil:
		return false, err
	case p.keyID != h.keyID:
		return false, ErrPepper
	}
	return subtle.ConstantTimeCompare(sum, p.sum) == 1, nil
}

// derive does the slow work in one of the few places.
func (h *Hasher) derive(ctx context.Context, password string, salt []byte, rounds int) ([]byte, error) {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to check a password: %w", ctx.Err())
	}
	// HMAC fills a short key up with zero bytes (RFC 2104 section 2), so that a
	// password and the same with zero bytes behind it would be one: an end that
	// is not zero tells them apart.
	stretched, err := pbkdf2.Key(sha512.New, password+"\x01", salt, rounds, hashSize)
	if err != nil {
		return nil, fmt.Errorf("hashing a password: %w", err)
	}
	mac := hmac.New(sha512.New, h.pepper)
	mac.Write([]byte("sealdock/password/v1\n"))
	mac.Write(stretched)
	return mac.Sum(nil), nil
}

type storedPassword struct {
	rounds    int
	keyID     string
	salt, sum []byte
}

// parseStored reads the text that Hash wrote. It never repeats the text in an
// error.
func parseStored(s string) (storedPassword, error) {
	var p storedPassword
	broken := errors.New("reading a stored password: the text is damaged; set a new password")
	parts := strings.Split(s, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != scheme {
		return p, broken
	}
	rounds, key, ok := strings.Cut(parts[2], ",k=")
	rounds, ok2 := strings.CutPrefix(rounds, "i=")
	n, err := strconv.Atoi(rounds)
	if !ok || !ok2 || err != nil || n < 1 || n > maxRounds || len(key) != 8 {
		return p, broken
	}
	p.rounds, p.keyID = n, key
	var err1, err2 error
	p.salt, err1 = base64.RawStdEncoding.DecodeString(parts[3])
	p.sum, err2 = base64.RawStdEncoding.DecodeString(parts[4])
	if err1 != nil || err2 != nil || len(p.salt) != saltSize || len(p.sum) != hashSize {
		return p, broken
	}
	return p, nil
}

// ErrReused: the password is one that the person has had lately.
var ErrReused = errors.New("you have had this password before; choose one that you have not had")

// maxHistory is how many passwords are remembered at most.
const maxHistory = 24

// reused returns ErrReused when the user has had the password lately, as the
// policy wants to know it. It takes the work of a sign-in for each that is kept.
func (s *Service) reused(ctx context.Context, user, password string) error {
	former, err := s.catalog.PasswordHistory(ctx, user, min(s.policy(ctx).History, maxHistory))
	if err != nil {
		return unexpected("looking up former passwords", err)
	}
	for _, stored := range former {
		same, err := s.hasher.Verify(ctx, stored, password)
		if errors.Is(err, ErrPepper) {
			continue // nobody can tell any more
		}
		if err != nil {
			return err
		}
		if same {
			return ErrReused
		}
	}
	return nil
}

// keepPassword remembers the user's password, in the transaction that sets it.
func (s *Service) keepPassword(ctx context.Context, tx *sqldb.Tx, user *catalog.User) error {
	return tx.KeepPassword(ctx, user.ID, user.Password, user.PasswordChangedAt, maxHistory)
}

// SetPassword gives a person another password, in words for whoever chose it
// where it must not be used (*PersonError), and ends their sessions and tokens. by is who
// does it: a person whose role was checked, or the command line.
func (s *Service) SetPassword(ctx context.Context, login, password string, by evidence.Actor, from Origin) error {
	user, err := s.catalog.UserByLogin(ctx, canonicalLogin(login))
	if err == nil && user.Agency != s.agency {
		err = catalog.ErrNotFound
	}
	if err != nil {
		return unexpected("setting a password", err)
	}
	words := append(strings.Fields(user.Name), user.Login, user.Name, string(s.agency))
	if err := s.policy(ctx).CheckPassword(password, words...); err != nil {
		return &PersonError{"password", err.Error()}
	}
	if err := s.reused(ctx, user.ID, password); errors.Is(err, ErrReused) {
		return &PersonError{"password", err.Error()}
	} else if err != nil {
		return err
	}
	stored, err := s.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		fresh, err := tx.User(ctx, user.ID)
		if err != nil {
			return err
		}
		fresh.Password, fresh.PasswordChangedAt = stored, s.clock()
		if err := tx.UpdateUser(ctx, fresh); err != nil {
			return err
		}
		if _, err := tx.DeleteUserSessions(ctx, user.ID, evidence.Digest{}); err != nil {
			return err
		}
		if err := s.revokeTokens(ctx, tx, user.ID, by, from, "the password was set by somebody else"); err != nil {
			return err
		}
		if err := s.keepPassword(ctx, tx, fresh); err != nil {
			return err
		}
		_, err = tx.AppendEvent(ctx, s.event(evidence.EventPasswordChanged, by, from, "user:"+user.ID, evidence.OutcomeDone))
		return err
	})
	return unexpected("setting a password", err)
}
