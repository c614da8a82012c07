package sqldb

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS // read only

// migrate applies what is missing. On PostgreSQL an advisory lock makes several
// nodes do it one after the other. SQLite has none: when another process was
// faster, nothing is missing any more and its work is good.
func (db *DB) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/"+db.engine.name())
	if err != nil {
		return err
	}
	var options []goose.ProviderOption
	if db.engine.name() == "postgres" {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(db.engine.goose(), db.writes, files, options...)
	if err != nil {
		return err
	}
	if _, err = provider.Up(ctx); err != nil {
		if pending, again := provider.HasPending(ctx); again == nil && !pending {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	return db.checkVersion(ctx, provider)
}

// checkVersion refuses a catalog that a later program has changed.
func (db *DB) checkVersion(ctx context.Context, provider *goose.Provider) error {
	sources := provider.ListSources()
	want := sources[len(sources)-1].Version
	have, err := provider.GetDBVersion(ctx)
	if err == nil && have > want {
		err = fmt.Errorf("its tables are of version %d, this program knows version %d: use the newer program", have, want)
	}
	return err
}
