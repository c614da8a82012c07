package edge

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/alarm"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// replacement is the About of an alert of a certificate that cannot be taken.
const replacement = "replacement"

// object is what alerts are about.
const object = "server:ingest"

// news are the alerts that should stand, by About.
func (s *Service) news(now time.Time) map[string]*catalog.Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*catalog.Alert{}
	if s.fault != "" {
		a := s.alert(replacement, catalog.SeverityWarning, "The certificate for browsers cannot be taken: "+s.fault+". ")
		if len(s.shown) == 0 {
			a.Severity = catalog.SeverityUrgent
			a.Message += "Browsers are shown that of the server’s own authority and warn of it."
		} else {
			a.Message += "The former one is shown on, until " + day(s.shown[0].Leaf.NotAfter) + "."
		}
		all[replacement] = a
	}
	for _, c := range s.shown {
		at := stageOf(c.Leaf, now)
		if at == nil {
			continue
		}
		within := "less than " + at.name + " are left"
		if at.before == 0 {
			within = "browsers let nobody in who does not know to go past their warning"
		}
		all[at.name] = s.alert(at.name, at.severity, fmt.Sprintf("The certificate for browsers (%s) ends at %s: %s. %s", named(c.Leaf), day(c.Leaf.NotAfter), within, s.cure()))
	}
	return all
}

// cure is what to do about an end that comes.
func (s *Service) cure() string {
	if s.acme != nil {
		return "It should have been renewed by ACME: see the server’s log for why it was not."
	}
	return "Put its successor and the key in place of the files that the configuration names."
}

func (s *Service) alert(about string, severity catalog.Severity, message string) *catalog.Alert {
	return &catalog.Alert{Agency: s.Agency, Code: catalog.AlertCertificate, Severity: severity, Object: object, About: about, Message: message}
}

// tell raises and clears alerts, and records certificates that are shown for the first
// time. What stands is told again only when it differs, or with again.
func (s *Service) tell(ctx context.Context, again bool) error {
	now := s.Now()
	news := s.news(now)
	for about, a := range news {
		if !again && s.told[about] == a.Message {
			delete(news, about)
		}
	}
	var over []string
	for _, about := range append([]string{replacement}, abouts()...) {
		if _, stands := s.told[about]; (stands || again) && news[about] == nil && !s.stands(about, now) {
			over = append(over, about)
		}
	}
	why := "browsers are shown a certificate that holds"
	if len(s.news(now)) > 0 {
		why = "another alert tells of the certificate for browsers by now"
	}
	fresh := s.unrecorded()
	if len(news) == 0 && len(over) == 0 && len(fresh) == 0 {
		return nil
	}
	err := s.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		for about, a := range news {
			message := a.Message
			a.LastAt = now
			if err := alarm.Raise(ctx, tx, a, nil); err != nil {
				return err
			}
			s.told[about] = message
		}
		for _, about := range over {
			a := s.alert(about, "", "")
			a.LastAt = now
			if err := alarm.Clear(ctx, tx, a, why, nil); err != nil {
				return err
			}
			delete(s.told, about)
		}
		for _, leaf := range fresh {
			if err := s.record(ctx, tx, leaf, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		clear(s.told) // of which nothing may stand
		return err
	}
	s.recorded(fresh)
	return nil
}

func abouts() (all []string) {
	for _, s := range stages {
		all = append(all, s.name)
	}
	return all
}

// stands says whether an alert is to stand on.
func (s *Service) stands(about string, now time.Time) bool { return s.news(now)[about] != nil }

// unrecorded are certificates in force that the custody log was not told of by this run.
func (s *Service) unrecorded() (fresh []*x509.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.shown {
		if !s.known[evidence.SHA256(c.Leaf.Raw)] {
			fresh = append(fresh, c.Leaf)
		}
	}
	return fresh
}

func (s *Service) recorded(fresh []*x509.Certificate) {
	for _, leaf := range fresh {
		s.known[evidence.SHA256(leaf.Raw)] = true
	}
}

// record enters that a certificate is shown, unless one of the last events says so.
func (s *Service) record(ctx context.Context, tx *sqldb.Tx, leaf *x509.Certificate, now time.Time) error {
	sum := evidence.SHA256(leaf.Raw).String()
	rows, err := tx.Events(ctx, catalog.EventFilter{Agency: s.Agency, Type: evidence.EventCertificateTaken}, max(10, 2*len(s.Names)))
	if err != nil {
		return err
	}
	for _, row := range rows {
		var e evidence.Event
		if err := json.Unmarshal(row.JSON, &e); err == nil && e.Details["certificate_sha256"] == sum {
			return nil
		}
	}
	source := s.File
	if s.acme != nil {
		source = s.ACME.Directory
	}
	_, err = tx.AppendEvent(ctx, evidence.Event{
		Version: 1, Agency: s.Agency, Type: evidence.EventCertificateTaken, At: now.UTC().Truncate(time.Microsecond), Actor: evidence.Actor{Kind: "server", ID: "ingest"},
		Source: "local", Outcome: evidence.OutcomeDone, Details: map[string]string{
			"names": named(leaf), "issuer": clip(leaf.Issuer.String()), "certificate_sha256": sum, "not_after": leaf.NotAfter.UTC().Format(time.RFC3339), "source": clip(source),
		},
	})
	return err
}

// clip bounds what a certificate or a path brings into the custody log.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "")
	}
	return s
}
