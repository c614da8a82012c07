package upload

import (
	"context"
	"crypto/ed25519"
	"maps"
	"strings"

	"github.com/sealdock/sealdock/internal/proof"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

func (s *ingest) sign(r *evidence.Receipt, key ed25519.PrivateKey) (*evidence.Envelope, error) {
	payload, err := evidence.Encode(r)
	if err != nil {
		return nil, err
	}
	return evidence.Sign(evidence.TypeReceipt, payload, "receipt", key), nil
}

// log appends the receipt's event and fills in its proof. s.mu is held.
func (s *ingest) log(r *evidence.Receipt) error {
	event := evidence.Event{Version: 1, Agency: r.Agency, Type: evidence.EventEvidenceStored, At: r.StoredAt, Actor: evidence.Actor{Kind: "server", ID: "ingest"},
		Object: evidence.ItemObject(r.Evidence), Outcome: evidence.OutcomeDone, Details: proof.StoredDetails(r)}
	text, err := event.Encode()
	if err != nil {
		return err
	}
	salt := []byte(strings.Repeat("s", 32))
	index := s.size
	size, root, err := tlog.Append(context.Background(), s.tiles, s.size, [][]byte{tlog.Entry(salt, text)})
	if err != nil {
		return err
	}
	s.size = size
	checkpoint, err := s.checkpoint(root)
	if err != nil {
		return err
	}
	path, err := tlog.ProveInclusion(context.Background(), s.tiles, size, index)
	if err != nil {
		return err
	}
	r.Proof = evidence.LogProof{Origin: s.origin(), Index: index, Salt: salt, Event: text, Checkpoint: string(checkpoint)}
	for _, h := range path {
		r.Proof.Path = append(r.Proof.Path, evidence.Digest(h))
	}
	return nil
}

// origin is the log's name by now.
func (s *ingest) origin() string { return tlog.Continued(origin, len(s.restored)) }

func (s *ingest) checkpoint(root tlog.Hash) ([]byte, error) {
	signer, err := tlog.NewSigner(s.origin(), s.logKey)
	if err != nil {
		return nil, err
	}
	return tlog.SignCheckpoint(tlog.Checkpoint{Origin: s.origin(), Size: s.size, Root: root}, signer)
}

// history says how the log stands to a checkpoint that the dock has, as far as it can:
// what it has lost it cannot prove.
func (s *ingest) history(w *protocol.Welcome, shown []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.LogOrigin, w.Restored = s.origin(), s.restored
	if s.size == 0 {
		return nil
	}
	root, err := tlog.Root(context.Background(), s.tiles, s.size)
	if err != nil {
		return err
	}
	if w.Checkpoint, err = s.checkpoint(root); err != nil || len(shown) == 0 {
		return err
	}
	then, err := tlog.OpenEarlier(shown, s.origin(), s.trust.LogPublicKey)
	if err != nil || then.Size > s.size {
		return err
	}
	path, err := tlog.ProveConsistency(context.Background(), s.tiles, s.size, then.Size)
	for _, h := range path {
		w.Consistency = append(w.Consistency, h[:]...)
	}
	return err
}

// backUp returns what sets the server back to now.
func (s *ingest) backUp() (setBack func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size, tiles, receipts := s.size, s.tiles.Clone(), maps.Clone(s.receipts)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.size, s.tiles, s.receipts, s.partial = size, tiles, receipts, map[string]*partial{}
		s.hangUp()
	}
}

// hangUp ends all connections. s.mu is held.
func (s *ingest) hangUp() {
	for _, session := range s.live {
		session.Close(protocol.EndGoingAway, "set back")
	}
	s.live = nil
}
