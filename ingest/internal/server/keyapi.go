package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealdock/sealdock/ingest/internal/api"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/drill"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/rotation"
	"github.com/sealdock/sealdock/internal/telemetry"
	"github.com/sealdock/sealdock/proto/evidence"
)

// keyDesk is the key work that can be done from afar. It takes one person or two, as
// at the command line; the first one is signed in, and shows a factor once more.
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
func (k *keyDesk) Rotate(ctx context.Context, actor *auth.Actor, proof auth.Proof) (*api.Rotation, error) {
	if err := k.may(actor); err != nil {
		return nil, err
	}
	if err := k.again(ctx, actor, proof); err != nil {
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

// again wants a fresh factor: of the session, or the proof.
func (k *keyDesk) again(ctx context.Context, actor *auth.Actor, proof auth.Proof) error {
	if proof == (auth.Proof{}) {
		return k.people.FreshNow(actor)
	}
	return k.people.Confirm(ctx, actor, proof, actor.Origin)
}

// acts are what two people do, from where the first one is.
func (k *keyDesk) acts(actor *auth.Actor, both *api.Both) (*keyActs, pair, error) {
	acts := &keyActs{config: k.config, catalog: k.catalog, people: k.people, from: actor.Origin, now: k.now}
	requester := func(ctx context.Context) (*auth.Actor, error) { return actor, k.again(ctx, actor, both.Proof()) }
	second := both.Approver
	return acts, pair{actor.Login, requester, Credentials{Login: second.Login, Password: second.Password, Code: second.Code}}, k.may(actor)
}

// Retire implements api.KeyWork.
func (k *keyDesk) Retire(ctx context.Context, actor *auth.Actor, key string, both *api.Both) error {
	acts, people, err := k.acts(actor, both)
	if err != nil {
		return err
	}
	return acts.retire(ctx, k.secrets.ring, keys.ID(key), people)
}

// Escrow implements api.KeyWork. The file is on no disk of the server.
func (k *keyDesk) Escrow(ctx context.Context, actor *auth.Actor, both *api.Both) (file []byte, err error) {
	acts, people, err := k.acts(actor, both)
	if err != nil {
		return nil, err
	}
	ask := func(holder string) ([]byte, error) {
		if holder == actor.Login {
			return []byte(both.Passphrase), nil
		}
		return []byte(both.Approver.Passphrase), nil
	}
	_, err = acts.escrow(ctx, k.secrets.ring, people, ask, func(made []byte) error {
		file = made
		return nil
	})
	return file, err
}

// TakeBack implements api.KeyWork.
func (k *keyDesk) TakeBack(ctx context.Context, actor *auth.Actor, both *api.Both, from *api.OpenEscrow) ([]string, error) {
	acts, people, err := k.acts(actor, both)
	if err != nil {
		return nil, err
	}
	back, err := acts.takeBack(ctx, k.secrets.ring, from.File, passphrases(from), people)
	ids := make([]string, len(back))
	for i, g := range back {
		ids[i] = string(g.ID)
	}
	return ids, err
}

func passphrases(from *api.OpenEscrow) AskHolder {
	return func(holder string) ([]byte, error) {
		if text, ok := from.Passphrases[holder]; ok {
			return []byte(text), nil
		}
		return nil, refuse("the escrow is under the passphrase of %.80q, which was not given", holder)
	}
}

// Drill implements api.KeyWork. What fails in it is part of the answer.
func (k *keyDesk) Drill(ctx context.Context, actor *auth.Actor, proof auth.Proof, from *api.OpenEscrow, sample int) (*api.Drill, error) {
	if err := k.may(actor); err != nil {
		return nil, err
	}
	if err := k.again(ctx, actor, proof); err != nil {
		return nil, err
	}
	played := &api.Drill{}
	with := drill.Config{Catalog: k.catalog, Vault: k.vault, Agency: k.config.agency(), File: from.File, Sample: sample, Now: k.now, Ask: passphrases(from)}
	report, err := k.config.drill(ctx, actor.Custody(), actor.Origin, with, func(s drill.Step) {
		step := api.DrillStep{What: s.What, TookUS: s.Took.Microseconds()}
		if s.Err != nil {
			step.Error = s.Err.Error()
		}
		played.Steps = append(played.Steps, step)
	})
	if ctx.Err() != nil || err != nil && len(played.Steps) == 0 {
		return nil, err // the drill itself could not be played
	}
	played.Passed, played.KeyPairs, played.Missing = err == nil, report.Pairs, report.Missing
	played.Stored, played.Drawn, played.Opened, played.Segments = report.Stored, report.Drawn, report.Opened, report.Segments
	return played, nil
}

// Destroy implements api.KeyWork.
func (k *keyDesk) Destroy(ctx context.Context, actor *auth.Actor, id evidence.EvidenceID, both *api.Both, reason string) (*api.Destruction, error) {
	acts, people, err := k.acts(actor, both)
	if err != nil {
		return nil, err
	}
	if reason, err = reasonFor("it is destroyed", reason); err != nil {
		return nil, refuse("%w", err)
	}
	done, err := acts.destroy(ctx, id, reason, people)
	if err != nil {
		return nil, err
	}
	return &api.Destruction{Path: done.Path, OriginalErased: done.Original, Forgotten: done.Forgotten}, nil
}
