package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The errors that callers tell apart. Their texts are for the person at the
// browser.
var (
	// ErrSignIn is the one answer to every refused sign-in, whatever the cause.
	ErrSignIn = errors.New("name and password do not fit, or the account is locked after too many failures; whoever runs the server can release it")
	// ErrNoSession: nobody is signed in with this token, or no longer.
	ErrNoSession = errors.New("not signed in")
	// ErrSetup: a set-up link that does not hold.
	ErrSetup = errors.New("this set-up link was used, has expired, or never existed")
	// ErrAccounts: no ordinary set-up link is made beside accounts.
	ErrAccounts = errors.New("there are accounts already")
	// ErrForbidden: May said no.
	ErrForbidden = errors.New("your role does not allow this")
)

// Config is what a Service stands on.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID // the agency whose people sign in here
	// Pepper is the content of the pepper file: PepperSize secret random bytes
	// that are not in the database.
	Pepper []byte
	// HashesAtOnce bounds the processor time that sign-ins can take; 0 is 1.
	HashesAtOnce int
	// Hosts are the names under which browsers reach the server. Passkeys belong
	// to the first that is a name and no address; without one there are none.
	Hosts     []string
	Directory *Directory // nil: all accounts are of this server alone
	// Policy returns what the agency has decided, as of now; nil: nothing.
	Policy func(context.Context) Policy
	// Gateway hands a code to the agency's gateway for SMS and calls, at an address;
	// nil: no codes are sent.
	Gateway func(ctx context.Context, address string, m PhoneMessage) error
	Now     func() time.Time
}

// Service signs people in and out. Safe for concurrent use.
type Service struct {
	catalog *sqldb.DB
	agency  evidence.AgencyID
	hasher  *Hasher
	pepper  []byte
	now     func() time.Time
	sources *sources
	party   *party // nil: no passkeys
	shelf   shelf
	decided func(context.Context) Policy // nil: nothing
	noted   seldom                       // refused places that are on record
	gateway func(context.Context, string, PhoneMessage) error
	sending sync.WaitGroup // codes on their way to the gateway

	doors map[string]http.Handler // who answers what is asked

	directory  Directory
	rechecking sync.Mutex // one at a time asks the directory again
}

// New returns a Service.
func New(c Config) (*Service, error) {
	hasher, err := NewHasher(c.Pepper, c.HashesAtOnce)
	if err != nil {
		return nil, err
	}
	if err := evidence.CheckName("agency", string(c.Agency)); err != nil {
		return nil, fmt.Errorf("starting sign-in: %w", err)
	}
	var agencys Directory
	if c.Directory != nil {
		agencys = *c.Directory
		if err := agencys.Check(); err != nil {
			return nil, fmt.Errorf("starting sign-in: %w", err)
		}
	}
	return &Service{
		directory: agencys,
		catalog:   c.Catalog, agency: c.Agency, hasher: hasher, pepper: append([]byte(nil), c.Pepper...),
		now: c.Now, sources: newSources(c.Now), party: newParty(c.Hosts, string(c.Agency)), decided: c.Policy,
		gateway: c.Gateway,
	}, nil
}

// Agency returns the agency whose people sign in here.
func (s *Service) Agency() evidence.AgencyID { return s.agency }

// clock returns the present time as it is stored.
func (s *Service) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// event fills in what all events of this package have in common.
func (s *Service) event(kind evidence.EventType, by evidence.Actor, from Origin, object string, outcome evidence.Outcome) evidence.Event {
	if by.Client == "" { // a token names itself
		by.Client = from.Browser
	}
	return evidence.Event{Version: 1, Agency: s.agency, Type: kind, At: s.clock(), Actor: by, Source: from.Address, Object: object, Outcome: outcome}
}

// loginKey is under what name failures and locks of a sign-in name are kept:
// people type passwords into the wrong field, and the database must not learn
// them.
func (s *Service) loginKey(login string) string {
	mac := hmac.New(sha256.New, s.pepper)
	mac.Write([]byte("sealdock/login-key/v1\n"))
	mac.Write([]byte(string(s.agency) + "\n" + canonicalLogin(login)))
	return hex.EncodeToString(mac.Sum(nil))
}

func canonicalLogin(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// CheckLogin says why login cannot be a sign-in name, or returns nil.
func CheckLogin(login string) error {
	if len(login) < 2 || len(login) > 64 {
		return fmt.Errorf("a sign-in name has 2 to 64 characters, this one has %d", len(login))
	}
	for i, r := range login {
		letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune(".-_@", r)) {
			return fmt.Errorf("a sign-in name is made of a–z, 0–9 and, after the first, . - _ @")
		}
	}
	return nil
}

func checkPersonName(name string) error {
	if n := len(name); n == 0 || n > 200 {
		return fmt.Errorf("the name is needed, of up to 200 bytes")
	}
	for _, r := range name {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return fmt.Errorf("the name holds a control character")
		}
	}
	return nil
}

// newToken draws 256 random bits and returns them as text, with the hash that
// is stored in their place.
func newToken(prefix string) (text string, hash evidence.Digest) {
	var b [32]byte
	rand.Read(b[:])
	return prefix + base64.RawURLEncoding.EncodeToString(b[:]), evidence.SHA256(b[:])
}

// hashToken reads what newToken made. Another form of the same bits is no
// token.
func hashToken(prefix, text string) (evidence.Digest, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(rest) != 43 {
		return evidence.Digest{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) != 32 {
		return evidence.Digest{}, false
	}
	return evidence.SHA256(b), true
}

func newUserID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// unexpected wraps an error that is nobody's fault at the browser.
func unexpected(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
