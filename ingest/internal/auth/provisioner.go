package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	provisionerPrefix = "sdp1."
	// MaxProvisioner is how long the token of a provisioner holds at most.
	MaxProvisioner = 366 * 24 * time.Hour
)

// The errors of provisioning that callers tell apart; catalog.ErrNotFound is for what a
// provisioner did not provision, whether it exists or not.
var (
	// ErrProvisioner: no token, or one that does not hold, or not from there.
	ErrProvisioner = errors.New("this token does not let anybody provision people: it has ended, is not allowed from this network, or never existed; sealdock-ingest scim list tells")
	// ErrTaken: a name that somebody or something else has.
	ErrTaken = errors.New("the name is taken")
	// ErrStale: it was changed since.
	ErrStale = errors.New("it was changed since: read it again")
	// ErrNotProvisioned: a provisioner wants what is not its to do.
	ErrNotProvisioned = errors.New("provisioning does not go so far")
)

// NewProvisioner is a program that is to provision people.
type NewProvisioner struct {
	Name     string
	Networks []string // CIDR, from where it may come; none: from anywhere
	Life     time.Duration
}

// MakeProvisioner makes a provisioner and its token, which is told this once. by is
// who does it: {Kind: "server", ID: "local"} for the command line. *PersonError.
func (s *Service) MakeProvisioner(ctx context.Context, n NewProvisioner, by evidence.Actor, from Origin) (token string, err error) {
	n.Name = strings.TrimSpace(n.Name)
	if err := checkWords("name", "the name", n.Name, 1, 60); err != nil {
		return "", err
	}
	if n.Life <= 0 || n.Life > MaxProvisioner {
		return "", &PersonError{"life", fmt.Sprintf("a token holds for more than 0s and at most %s", MaxProvisioner)}
	}
	for _, text := range n.Networks {
		if p, err := netip.ParsePrefix(text); err != nil || p != p.Masked() {
			return "", &PersonError{"networks", fmt.Sprintf("%q is no network: write it as 192.0.2.0/24 or 2001:db8::/32", clip(text, 60))}
		}
	}
	token, hash := newToken(provisionerPrefix)
	now := s.clock()
	row := &catalog.Provisioner{ID: newUserID(), Agency: s.agency, Name: n.Name, TokenHash: hash, Networks: n.Networks, MadeAt: now, MadeBy: by.ID, ExpiresAt: now.Add(n.Life)}
	err = s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		if err := tx.InsertProvisioner(ctx, row); err != nil {
			return err
		}
		e := s.event(evidence.EventProvisionerMade, by, from, evidence.ProvisionerObject(row.ID), evidence.OutcomeDone)
		e.Details = map[string]string{"name": row.Name, "expires_at": row.ExpiresAt.Format(time.RFC3339), "networks": strings.Join(row.Networks, " ")}
		_, err := tx.AppendEvent(ctx, e)
		return err
	})
	if errors.Is(err, catalog.ErrExists) {
		return "", &PersonError{"name", "there is one of this name: revoke it first. The new one then goes on with its people"}
	}
	if err != nil {
		return "", unexpected("making a token for provisioning", err)
	}
	return token, nil
}

// Provisioners lists them, also those that have ended.
func (s *Service) Provisioners(ctx context.Context) ([]catalog.Provisioner, error) {
	all, err := s.catalog.Provisioners(ctx, s.agency)
	return all, unexpected("looking up who provisions people", err)
}

// EndProvisioner makes the token of a name hold no more, with effect on its next
// request. Whom it provisioned stay as they are. catalog.ErrNotFound.
func (s *Service) EndProvisioner(ctx context.Context, name string, by evidence.Actor, from Origin) error {
	err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		all, err := tx.Provisioners(ctx, s.agency)
		if err != nil {
			return err
		}
		for _, p := range all {
			if p.Name != name || !p.EndedAt.IsZero() {
				continue
			}
			if err := tx.EndProvisioner(ctx, p.ID, s.clock()); err != nil {
				return err
			}
			e := s.event(evidence.EventProvisionerEnded, by, from, evidence.ProvisionerObject(p.ID), evidence.OutcomeDone)
			e.Details = map[string]string{"name": p.Name}
			_, err := tx.AppendEvent(ctx, e)
			return err
		}
		return fmt.Errorf("a provisioner that stands: %w", catalog.ErrNotFound)
	})
	return unexpected("ending a provisioner", err)
}

// Provisioner is a program of the directory that has shown its token: it makes,
// changes and cuts off the people that it provisioned, and nobody else. Each change,
// and each refused one, is a custody event with its name. Safe for concurrent use.
type Provisioner struct {
	s      *Service
	row    *catalog.Provisioner
	origin Origin
}

// Provisioner returns who comes with a token. ErrProvisioner, which is an event at the
// first time from a network within ten minutes.
func (s *Service) Provisioner(ctx context.Context, token string, from Origin) (*Provisioner, error) {
	row, why := &catalog.Provisioner{ID: "unknown"}, "no token that is known"
	if hash, ok := hashToken(provisionerPrefix, token); ok {
		found, err := s.catalog.Provisioner(ctx, hash)
		switch {
		case err == nil && found.Agency == s.agency:
			row, why = found, ""
		case err != nil && !errors.Is(err, catalog.ErrNotFound):
			return nil, unexpected("looking up a token", err)
		}
	}
	now := s.clock()
	switch {
	case why != "":
	case !row.EndedAt.IsZero():
		why = "the token was revoked"
	case !now.Before(row.ExpiresAt):
		why = "the token has expired"
	case len(row.Networks) > 0 && !inside(from.Address, row.Networks):
		why = "the network is not allowed"
	}
	p := &Provisioner{s, row, from}
	if why != "" {
		if s.noted.first("provisioner "+row.ID+" "+why+" "+network(from.Address).String(), s.now()) {
			if err := p.refused(ctx, "", why); err != nil {
				return nil, err
			}
		}
		return nil, ErrProvisioner
	}
	if now.Sub(row.LastUsedAt) >= touchEvery {
		if err := s.catalog.Update(ctx, func(tx *sqldb.Tx) error { return tx.TouchProvisioner(ctx, row.ID, now) }); err != nil {
			return nil, unexpected("noting the use of a token", err)
		}
	}
	return p, nil
}

// ID names the provisioner to who counts requests.
func (p *Provisioner) ID() string { return p.row.ID }

// custody is how the provisioner is named in custody events.
func (p *Provisioner) custody() evidence.Actor {
	return evidence.Actor{Kind: "provisioner", ID: p.row.ID, Name: p.row.Name}
}

func (p *Provisioner) record(ctx context.Context, tx *acting, kind evidence.EventType, object, reason string, details map[string]string) error {
	e := p.s.event(kind, p.custody(), p.origin, object, evidence.OutcomeDone)
	e.Reason, e.Details = clip(reason, 2000), details
	_, err := tx.AppendEvent(ctx, e)
	return err
}

// Refused records a request that was not understood or may not be.
func (p *Provisioner) Refused(ctx context.Context, object string, why error) error {
	return p.refused(ctx, object, why.Error())
}

func (p *Provisioner) refused(ctx context.Context, object, why string) error {
	e := p.s.event(evidence.EventProvisionRefused, p.custody(), p.origin, object, evidence.OutcomeRefused)
	e.Reason = clip(why, 2000)
	err := p.s.catalog.Update(ctx, func(tx *sqldb.Tx) error { _, err := tx.AppendEvent(ctx, e); return err })
	return unexpected("recording a refused act", err)
}

// acting is a change under way.
type acting struct {
	*sqldb.Tx
	book *book // provisioning changes none of it
}

// manages reports whether somebody can manage people, at any time and from anywhere.
func (a *acting) manages(u *catalog.User) bool {
	return a.book.canManage(u)
}

// act does something with its events, both or neither, and records where it was refused.
func (p *Provisioner) act(ctx context.Context, object string, do func(*acting) error) error {
	err := p.s.catalog.Update(ctx, func(tx *sqldb.Tx) error {
		now, err := tx.Provisioner(ctx, p.row.TokenHash) // it may have ended since the request began
		if err != nil {
			return err
		}
		if !now.EndedAt.IsZero() {
			return ErrProvisioner
		}
		powers, err := tx.Powers(ctx, p.s.agency)
		if err != nil {
			return err
		}
		return do(&acting{tx, newBook(merged(powers, p.s.agency))})
	})
	var wrong *PersonError
	if errors.Is(err, ErrTaken) || errors.Is(err, ErrNotProvisioned) || errors.Is(err, ErrLastManager) || errors.Is(err, ErrProvisioner) || errors.As(err, &wrong) {
		return errors.Join(err, p.refused(ctx, object, err.Error()))
	}
	if errors.Is(err, catalog.ErrNotFound) || errors.Is(err, ErrStale) {
		return err
	}
	return unexpected("provisioning", err)
}

// checkProvisioned refuses text that cannot be kept.
func checkProvisioned(field, text string, most int) error {
	if !utf8.ValidString(text) {
		return &PersonError{field, field + " holds bytes that are not text"}
	}
	return checkWords(field, field, text, 0, most)
}
