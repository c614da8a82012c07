package settings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// The errors that callers tell apart, beside ErrValue and auth.ErrForbidden.
var (
	ErrUnknown  = errors.New("there is no such setting")
	ErrReason   = errors.New("this is weaker than the default: say why, for the record")
	ErrLockout  = errors.New("this would shut you out")
	ErrConflict = errors.New("somebody else has changed this setting meanwhile; look at it again")
)

// fresh is how long values that were read are believed.
const fresh = 500 * time.Millisecond

// Config is what a Service stands on.
type Config struct {
	Catalog *sqldb.DB
	Agency  evidence.AgencyID
	// Facts are what the server can measure of itself, for the posture; nil: none.
	Facts func(context.Context) []Fact
	Now   func() time.Time
	Log   *slog.Logger
}

// Service knows the settings of one agency. Safe for concurrent use.
type Service struct {
	Config

	mu   sync.Mutex // guards everything below
	read time.Time
	set  map[string]catalog.Setting // that are not at their default
}

// New returns a Service that has read the settings once.
func New(ctx context.Context, c Config) (*Service, error) {
	s := &Service{Config: c}
	set, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.set, s.read = set, c.Now()
	return s, nil
}

// load reads what is stored. What is no good any more counts as not set.
func (s *Service) load(ctx context.Context) (map[string]catalog.Setting, error) {
	rows, err := s.Catalog.Settings(ctx, s.Agency)
	if err != nil {
		return nil, fmt.Errorf("reading the agency's settings: %w", err)
	}
	set := map[string]catalog.Setting{}
	for _, row := range rows {
		d, known := Find(row.Name)
		if !known {
			continue // of another part of the server
		}
		value, err := d.Canonical(row.Value)
		if err != nil {
			s.Log.ErrorContext(ctx, "a stored setting is no good: its default counts", "setting", row.Name, "error", err)
			continue
		}
		row.Value = value
		set[row.Name] = row
	}
	return set, nil
}

// values returns what holds now. While the catalog does not answer, it is what
// held before.
func (s *Service) values(ctx context.Context) map[string]catalog.Setting {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	if age := now.Sub(s.read); age >= 0 && age < fresh {
		return s.set
	}
	set, err := s.load(ctx)
	if err != nil {
		s.Log.ErrorContext(ctx, "settings cannot be read: the former ones hold", "error", err)
		return s.set
	}
	s.set, s.read = set, now
	return s.set
}

// Value returns the canonical value of a setting that there is.
func (s *Service) Value(ctx context.Context, name string) string {
	return valueOf(s.values(ctx), name)
}

func valueOf(set map[string]catalog.Setting, name string) string {
	if row, ok := set[name]; ok {
		return row.Value
	}
	d, _ := Find(name)
	return d.Default
}

// Number returns the value of a number.
func (s *Service) Number(ctx context.Context, name string) int64 {
	n, _ := strconv.ParseInt(s.Value(ctx, name), 10, 64) // canonical
	return n
}

// Lines returns the lines of a value.
func (s *Service) Lines(ctx context.Context, name string) []string {
	return strings.FieldsFunc(s.Value(ctx, name), func(r rune) bool { return r == '\n' })
}

// Policy is what auth follows.
func (s *Service) Policy(ctx context.Context) auth.Policy { return policyOf(s.values(ctx)) }

func policyOf(set map[string]catalog.Setting) auth.Policy {
	number := func(name string) int {
		n, _ := strconv.Atoi(valueOf(set, name)) // canonical
		return n
	}
	return auth.Policy{
		MinPassword: number(PasswordLength), Classes: number(PasswordClasses), BlockList: valueOf(set, PasswordList) == "on",
		OwnWords: strings.FieldsFunc(valueOf(set, PasswordOwnWords), func(r rune) bool { return r == '\n' }), History: number(PasswordHistory),
		Failures: number(SignInFailures), Window: time.Duration(number(SignInWindow)) * time.Minute, Lock: time.Duration(number(SignInLock)) * time.Minute,
		Idle: time.Duration(number(SessionIdle)) * time.Minute, Absolute: time.Duration(number(SessionAbsolute)) * time.Hour,
		Dormant:   time.Duration(number(DormantDays)) * 24 * time.Hour,
		Networks:  networks(valueOf(set, Networks), valueOf(set, RoleNetworks)),
		TokenLife: time.Duration(number(TokenDays)) * 24 * time.Hour, Clients: clientLimits(valueOf(set, RoleClients)),
		TwoPeople: twoPeople(valueOf(set, TwoPeople)), RequestLife: time.Duration(number(RequestHours)) * time.Hour, ExportFactor: valueOf(set, ExportFactor),
		Phone: auth.PhonePolicy{Gateway: valueOf(set, CodeGateway), Life: time.Duration(number(CodeMinutes)) * time.Minute, PerHour: number(CodesPerHour)},
	}
}

// Desk is the Service as one person may use it.
type Desk struct {
	*Service
	actor  *auth.Actor // nil for the command line
	by     evidence.Actor
	source string
	local  bool
}

// For returns the Desk of a signed-in person, who may do what auth.May allows.
func (s *Service) For(actor *auth.Actor) *Desk {
	d := &Desk{Service: s, actor: actor}
	if actor != nil {
		d.by, d.source = actor.Custody(), actor.Origin.Address
	}
	return d
}

// CommandLine returns the Desk of whoever may run the server's commands.
func (s *Service) CommandLine() *Desk {
	return &Desk{Service: s, by: evidence.Actor{Kind: "server", ID: "local"}, source: "local", local: true}
}

func (d *Desk) may(do auth.Action) bool {
	return d.local || auth.May(d.actor, do, auth.Object{Agency: d.Agency})
}

// Setting is a setting with its value.
type Setting struct {
	Definition
	Value     string
	Standing  Standing
	ChangedAt time.Time // zero: never, or back at its default
	ChangedBy string    // user id, or "local"
}

// List returns all settings in order. auth.ErrForbidden.
func (d *Desk) List(ctx context.Context) ([]Setting, error) {
	if !d.may(auth.ManageAgency) && !d.may(auth.SeePosture) {
		return nil, auth.ErrForbidden
	}
	set := d.values(ctx)
	var all []Setting
	for _, def := range registry {
		value, row := valueOf(set, def.Name), set[def.Name]
		all = append(all, Setting{def, value, def.Compare(value), row.UpdatedAt, row.UpdatedBy})
	}
	return all, nil
}

// twoPeople makes the acts of a canonical value.
func twoPeople(value string) map[auth.Action]bool {
	all := map[auth.Action]bool{}
	for line := range strings.Lines(value) {
		all[auth.Action(strings.TrimSpace(line))] = true
	}
	return all
}
