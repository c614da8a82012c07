package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/transit"
)

const (
	renewAtMost  = 24 * time.Hour // between two renewals of a token
	renewAtLeast = time.Minute
	renewAgain   = time.Hour // after one that failed
)

func (c *Config) transit() transit.Service {
	return transit.Service{URL: c.TransitURL, Mount: c.TransitMount, Namespace: c.TransitSpace, Authority: c.TransitRoots}
}

// underTransit says whether the root key opens by a token.
func (c *Config) underTransit() bool {
	have, err := keys.ProtectionOf(c.keyDir())
	return err == nil && have == keys.Transit && c.TransitURL != ""
}

// keepToken renews the token of the transit service until ctx ends, so that it has not
// expired at the next start. One that was typed is kept nowhere, and not renewed.
func (c *Config) keepToken(ctx context.Context, log *slog.Logger) error {
	for {
		timer := time.NewTimer(c.renewToken(ctx, log))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// renewToken returns how long the token can wait for the next time.
func (c *Config) renewToken(ctx context.Context, log *slog.Logger) time.Duration {
	if !c.underTransit() { // moved since the start: what is in passphrase_file may be no token any more
		return renewAtMost
	}
	token, err := c.GivenPassphrase()
	if err == nil && token == nil {
		return renewAtMost
	}
	defer clear(token)
	var life time.Duration
	if err == nil {
		life, err = c.transit().Renew(token)
	}
	if err != nil {
		log.WarnContext(ctx, "the token of the transit service was not renewed: once it has expired, the server does not start again", "error", err, "next_try_in", renewAgain)
		return renewAgain
	}
	log.InfoContext(ctx, "the token of the transit service was renewed", "for", life)
	if life == 0 {
		return renewAtMost
	}
	return min(max(life/3, renewAtLeast), renewAtMost)
}
