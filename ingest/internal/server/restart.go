package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/audit"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/internal/tlog"
)

// RestartLog lets the custody log go on under its next name, after the catalog was
// restored from a backup that does not have its newest entries. known is the most
// entries that it is known to have had, from a witness or a dock; 0: nobody knows. The
// server must not run. It returns the new name.
func RestartLog(ctx context.Context, c Config, reason string, known int64, log *slog.Logger, now func() time.Time) (name string, r *catalog.LogRestore, err error) {
	if reason, err = reasonFor("the log goes on from a backup", reason); err != nil {
		return "", nil, err
	}
	if err := c.refuseBackup(); err != nil {
		return "", nil, err
	}
	secrets, err := loadOwnSecrets(&c)
	if err != nil {
		return "", nil, err
	}
	unlock, err := durable.LockDir(c.DataDir)
	if errors.Is(err, durable.ErrLocked) {
		return "", nil, errors.New("the server runs: stop it first")
	}
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	c.locked = true
	db, err := c.openCatalog(ctx, now)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	config, err := c.logConfig(secrets, db, log, now)
	if err != nil {
		return "", nil, err
	}
	by, _ := local()
	if r, err = audit.Restart(ctx, config, audit.Why{Agency: c.agency(), By: by, Reason: reason, Known: known}); err != nil {
		return "", nil, err
	}
	return tlog.Continued(c.LogOrigin, r.Number), r, nil
}
