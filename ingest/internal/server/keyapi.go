package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/rotation"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// keyDesk is the key work that can be done from afar: it opens nothing and destroys
// nothing. Escrow and destruction wait for a second factor; retirement and restoring
// want a stopped server.
type keyDesk struct {
	*parts
	people *auth.Service
	turn   chan struct{} // holds a token while keys are rotated
}

func (p *parts) keyDesk(people *auth.Service) *keyDesk {
	return &keyDesk{parts: p, people: people, turn: make(chan struct{}, 1)}
}

func (k *keyDesk) may(actor *auth.Actor) error {
	if !auth.May(actor, auth.ManageKeys, auth.Object{Agency: k.config.agency()}) {
		return auth.ErrForbidden
	}
	return nil
}

// Keys implements api.KeyWork.
func (k *keyDesk) Keys(ctx context.Context, actor *auth.Actor) ([]api.KeyPair, error) {
	if err := k.may(actor); err != nil {
		return nil, err
	}
	states, err := k.config.keyStates(ctx, k.catalog, k.secrets.ring)
	if err != nil {
		return nil, err
	}
	pairs := []api.KeyPair{}
	for _, s := range states {
		pair := api.KeyPair{ID: string(s.ID), Number: s.Number, Newest: s.Newest, Gone: s.Gone, Wrapped: s.Wrapped, Docks: s.Docks}
		if !s.MadeAt.IsZero() {
			pair.MadeAt = &s.MadeAt
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}

// Rotate implements api.KeyWork.
func (k *keyDesk) Rotate(ctx context.Context, actor *auth.Actor, password string) (*api.Rotation, error) {
	if err := k.may(actor); err != nil {
		return nil, err
	}
	token, err := k.people.SignIn(ctx, actor.Login, password, "", actor.Origin)
	if err != nil {
		return nil, err
	}
	if err := k.people.SignOut(ctx, token, actor.Origin); err != nil {
		return nil, err
	}
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	default:
		return nil, api.ErrRotating
	}
	done, err := rotation.Run(ctx, rotation.Config{
		Catalog: k.catalog, Keys: k.secrets.ring, Agency: k.config.agency(), Actor: actor.Custody(), Source: actor.Origin.Address, Now: k.now, Log: telemetry.Component(k.log, "rotation"),
	}, false, nil)
	if err != nil && !errors.Is(err, rotation.ErrUnopened) {
		return nil, fmt.Errorf("rotating the agency's keys: %w", err)
	}
	return &api.Rotation{Key: string(done.To.ID), Made: done.Made, Rewrapped: done.Rewrapped, Unopened: done.Unopened}, nil
}
