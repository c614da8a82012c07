package server

import (
	"context"
	"crypto/fips140"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/settings"
	"github.com/sealdock/sealdock/proto/evidence"
)

// How old the last of these may be before the posture calls it weak.
const (
	backupAge = 2 * 24 * time.Hour
	drillAge  = 366 * 24 * time.Hour
)

// facts are what the server measures of itself for the posture page.
func (p *parts) facts(ctx context.Context) []settings.Fact {
	c := p.config
	return []settings.Fact{
		p.rootFact(), p.catalogFact(), p.certificateFact(),
		p.lastFact(ctx, "backup", "Last backup", evidence.EventBackupMade, backupAge, "Make one with sealdock-ingest backup, daily and on another machine."),
		p.lastFact(ctx, "keys.drill", "Last drill of lost keys", evidence.EventKeyDrill, drillAge, "Play the loss of the keys once with sealdock-ingest keys drill."),
		present("witnesses", "Witnesses of the custody log", len(c.Witnesses) > 0, fmt.Sprintf("%d, of which %d must confirm", len(c.Witnesses), c.WitnessQuorum), "Let outsiders confirm that the log only grows: witnesses in the configuration."),
		present("time_stamps", "Time-stamp authority", c.StampURL != "", c.StampURL, "Have the log dated by an authority: timestamp_url in the configuration."),
		present("mirror", "Mirror of the store", c.MirrorDir != "", c.MirrorDir, "Keep a copy on another disk: mirror_dir in the configuration."),
		present("fips", "FIPS 140-3 mode", fips140.Enabled(), "on", "Where your rules want a validated module, run a build with GOFIPS140 (docs/server.md)."),
		clockFact(),
	}
}

func present(name, title string, there bool, value, todo string) settings.Fact {
	if there {
		return settings.Fact{Name: name, Title: title, Value: value, Standing: settings.Stronger}
	}
	return settings.Fact{Name: name, Title: title, Value: "none", Standing: settings.AsDefault, Todo: todo}
}

func (p *parts) rootFact() settings.Fact {
	f := settings.Fact{Name: "keys.root", Title: "Root key, which opens all evidence", Standing: settings.Stronger}
	switch have, err := keys.ProtectionOf(p.config.keyDir()); {
	case err != nil:
		f.Value, f.Standing, f.Todo = "could not be looked at", settings.Weaker, "The key folder cannot be read: see the server's log."
		p.log.Error("looking at what guards the root key", "error", err)
	case have == keys.None:
		f.Value, f.Standing, f.Todo = "in clear", settings.Weaker, "Put it under a passphrase, an HSM or a transit service: sealdock-ingest keys passphrase."
	default:
		f.Value = "guarded by " + string(have)
	}
	return f
}

// catalogFact tells whether the names in the catalog can be read from its disk.
func (p *parts) catalogFact() settings.Fact {
	f := settings.Fact{Name: "catalog.at_rest", Title: "Catalog, which names people, on its disk", Value: "encrypted under the root key", Standing: settings.Stronger}
	if !p.config.inFile() {
		f.Value, f.Standing, f.Todo = "PostgreSQL: not encrypted by Sealdock", settings.Weaker, "Keep PostgreSQL's data, its log and its backups on an encrypted volume (docs/server.md)."
	}
	return f
}

// lastFact tells how long ago something was done.
func (p *parts) lastFact(ctx context.Context, name, title string, kind evidence.EventType, good time.Duration, todo string) settings.Fact {
	f := settings.Fact{Name: name, Title: title, Value: "never", Standing: settings.Weaker, Todo: todo}
	rows, err := p.catalog.Events(ctx, catalog.EventFilter{Agency: p.config.agency(), Type: kind}, 1)
	if err != nil {
		p.log.ErrorContext(ctx, "looking up when something was last done", "event", string(kind), "error", err)
		f.Value = "not known: the catalog does not answer"
		return f
	}
	if len(rows) > 0 {
		f.Value = rows[0].At.UTC().Format("2006-01-02 15:04 UTC")
		if p.now().Sub(rows[0].At) < good {
			f.Standing, f.Todo = settings.AsDefault, ""
		}
	}
	return f
}
