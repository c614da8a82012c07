package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// PasswordPhone is a password and a code that was sent to a phone. It is the weakest
// of the factors, and none for who manages anything (decision 0029).
const PasswordPhone = "password+phone"

// The ways to a phone.
const (
	SMS  = "sms"
	Call = "call"
)

// PhoneDigits is the length of the codes that are sent: other than those of apps, so
// that none is taken for the other.
const PhoneDigits = 8

// At most so many codes are sent within an hour to one person, and to one number,
// whoever's it is.
const (
	phoneHour     = time.Hour
	phoneOfPerson = 5
	phoneOfNumber = 5
)

// For what a code was sent.
const (
	phoneSignIn  = "sign-in"
	phoneConfirm = "confirm"
	phoneEnrol   = "enrol"
)

// The refusals of this file; their texts are for the person at the browser.
var (
	// ErrNoPhones: the agency sends no codes.
	ErrNoPhones = errors.New("codes by SMS or call are not offered here: the agency has not switched them on")
	// ErrPhonePowers: of who manages people, settings or keys codes are not taken.
	ErrPhonePowers = errors.New("you manage people, settings or keys: codes by SMS or call are not safe enough for that. Set up a passkey or an authenticator app")
	// ErrPhoneNumber: what was typed is no number.
	ErrPhoneNumber = errors.New("this is no telephone number: write it with + and the country, as +1 201 555 0123")
	// ErrPhoneChannel: neither sms nor call.
	ErrPhoneChannel = errors.New("a code is sent by sms or by call: choose one of them")
	// ErrPhoneMany: enough were sent.
	ErrPhoneMany = errors.New("too many codes were sent within an hour: wait, or use another factor")
	// ErrPhoneGateway: the agency's gateway did not take the code.
	ErrPhoneGateway = errors.New("the agency’s gateway for codes did not take the message: try again in a minute, or tell whoever runs the server")
)

// PhoneMessage is a code on its way to a phone.
type PhoneMessage struct {
	To      string // E.164
	Channel string
	Code    string
	Expires time.Time
}

// PhonePolicy is what an agency has decided about codes by phone.
type PhonePolicy struct {
	Gateway string        // address that sends them; "": there are none
	Life    time.Duration // of a code
	PerHour int           // codes of the whole agency within an hour
}

// PhoneFactor is where codes are sent.
type PhoneFactor struct {
	Number                string // all but the last digits hidden
	Channel               string
	CreatedAt, LastUsedAt time.Time
}

// SendsCodes reports whether the agency has codes sent at all.
func (s *Service) SendsCodes(ctx context.Context) bool {
	return s.gateway != nil && s.policy(ctx).Phone.Gateway != ""
}

// OffersPhone reports whether a person may have codes sent to a phone.
func (s *Service) OffersPhone(ctx context.Context, actor *Actor) (bool, error) {
	if !s.SendsCodes(ctx) {
		return false, nil
	}
	user, err := s.catalog.User(ctx, actor.User)
	if err != nil {
		return false, unexpected("looking up an account", err)
	}
	manages, err := s.managesAny(ctx, &s.catalog.Reader, user)
	return !manages, unexpected("looking up what a person may do", err)
}

// phone returns where codes are sent to a user; nil where that is nowhere, where the
// agency sends none, and for who manages anything.
func (s *Service) phone(ctx context.Context, r *sqldb.Reader, user string) (*catalog.Phone, error) {
	if s.policy(ctx).Phone.Gateway == "" {
		return nil, nil
	}
	p, err := r.Phone(ctx, user)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	u, err := r.User(ctx, user)
	if err != nil {
		return nil, err
	}
	if manages, err := s.managesAny(ctx, r, u); err != nil || manages {
		return nil, err
	}
	return p, nil
}

// managesAny reports whether a user is an administrator to the rule about factors.
func (s *Service) managesAny(ctx context.Context, r *sqldb.Reader, user *catalog.User) (bool, error) {
	p, err := r.Powers(ctx, s.agency)
	if err != nil {
		return false, err
	}
	return newBook(merged(p, s.agency)).manages(user), nil
}

// dropPhone takes the phone of somebody away who has become an administrator: it has
// counted for nothing since.
func (s *Service) dropPhone(ctx context.Context, tx *sqldb.Tx, user *catalog.User, from Origin) error {
	if _, err := tx.Phone(ctx, user.ID); errors.Is(err, catalog.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if manages, err := s.managesAny(ctx, &tx.Reader, user); err != nil || !manages {
		return err
	}
	if err := tx.DeletePhone(ctx, user.ID); err != nil {
		return err
	}
	e := s.event(evidence.EventFactorRemoved, evidence.Actor{Kind: "server", ID: "server"}, from, "user:"+user.ID, evidence.OutcomeDone)
	e.Details = map[string]string{"factor": "phone", "why": "they manage people, settings or keys"}
	_, err := tx.AppendEvent(ctx, e)
	return err
}

// phoneNumber puts what was typed into the form of E.164.
func phoneNumber(text string) (string, error) {
	if len(text) > 40 {
		return "", ErrPhoneNumber
	}
	bare := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -.()/\u00a0", r) {
			return -1
		}
		return r
	}, text)
	digits, plus := strings.CutPrefix(bare, "+")
	if !plus || len(digits) < 8 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", ErrPhoneNumber
	}
	return bare, nil
}

// maskedNumber shows enough of a number to know one's own by.
func maskedNumber(number string) string {
	return number[:2] + strings.Repeat("•", len(number)-4) + number[len(number)-2:]
}

func (s *Service) phoneFactor(p *catalog.Phone) (*PhoneFactor, error) {
	number, err := s.openText("phone", p.User, p.Number)
	if err != nil {
		return nil, err
	}
	return &PhoneFactor{maskedNumber(number), p.Channel, p.CreatedAt, p.LastUsedAt}, nil
}
