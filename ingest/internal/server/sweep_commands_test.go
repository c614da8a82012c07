package server

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

// TestSweepCommands kills administrative commands at each step. Each has been carried
// out and is on record, or is neither, and can be given again.
func TestSweepCommands(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		kind evidence.EventType
		done func(s *sweep, db *sqldb.DB) (bool, error)
	}{
		"reset-factors": {[]string{"reset-factors", oona.Login}, evidence.EventFactorRemoved, func(s *sweep, db *sqldb.DB) (bool, error) {
			user, err := db.UserByLogin(s.ctx, oona.Login)
			if err != nil {
				return false, err
			}
			codes, err := db.CountRecoveryCodes(s.ctx, user.ID)
			return codes == 0, err
		}},
		"freeze": {[]string{"freeze", "agency", "--reason", "sweep"}, evidence.EventFrozen, func(s *sweep, db *sqldb.DB) (bool, error) {
			all, err := db.Freezes(s.ctx, "springfield")
			return len(all) > 0, err
		}},
		"disable-dock": {[]string{"disable-dock", "front-desk"}, evidence.EventDockDisabled, func(s *sweep, db *sqldb.DB) (bool, error) {
			dock, err := db.Dock(s.ctx, "springfield", "front-desk")
			return err == nil && !dock.Enabled, err
		}},
		"settings": {[]string{"settings", "set", "session.idle_minutes", "7"}, evidence.EventSettingChanged, func(s *sweep, db *sqldb.DB) (bool, error) {
			all, err := db.Settings(s.ctx, "springfield")
			for _, v := range all {
				if v.Name == "session.idle_minutes" && v.Value == "7" {
					return true, err
				}
			}
			return false, err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSweep(t)
			s.employ()
			s.inCatalog(func(db *sqldb.DB) error {
				return db.Update(s.ctx, func(tx *sqldb.Tx) error {
					user, err := tx.UserByLogin(s.ctx, oona.Login)
					if err != nil {
						return err
					}
					return tx.ReplaceRecoveryCodes(s.ctx, user.ID, []evidence.Digest{evidence.SHA256([]byte("code"))}, time.Now())
				})
			})
			s.args = func(data, _ string) []string {
				return append(append([]string{}, c.args...), "--config", filepath.Join(data, ConfigName))
			}
			look := func(data string) (done bool, events int) {
				s.config = s.load(data)
				defer func() { s.config.DataDir = s.template }()
				s.inCatalog(func(db *sqldb.DB) (err error) {
					if done, err = c.done(s, db); err != nil {
						return err
					}
					rows, err := db.Events(s.ctx, catalog.EventFilter{Agency: "springfield", Type: c.kind}, 0)
					events = len(rows)
					return err
				})
				return done, events
			}
			s.check = func(data, _ string) {
				done, events := look(data)
				if done != (events == 1) || events > 1 {
					t.Errorf("carried out: %t, %d events", done, events)
				}
				s.three(s.load(data))
				if !done {
					s.command(s.args(data, "")...)
					if done, events := look(data); !done || events != 1 {
						t.Errorf("given again: carried out %t, %d events", done, events)
					}
				}
			}
			s.run()
		})
	}
}
