package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/ingest/internal/keys"
	"github.com/sealdock/sealdock/ingest/internal/vault"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/proto/evidence"
)

// segmentsOfOne is how many segments of one recording are opened at most.
const segmentsOfOne = 4

// Config is what a drill works with.
type Config struct {
	Catalog *sqldb.DB
	Vault   vault.Store
	Agency  evidence.AgencyID
	File    []byte // the escrow

	CatalogKey []byte // that the catalog is sealed under; nil: it is not
	Sample     int    // recordings that are opened, at least 1
	Now        func() time.Time

	// Ask gives the passphrase of a holder.
	Ask func(holder string) ([]byte, error)
}

// Step is one step with the time that it took.
type Step struct {
	What string
	Took time.Duration
	Err  error // nil: it went well
}

// Report tells how a drill went.
type Report struct {
	Holders  [2]string
	MadeAt   time.Time // when the escrow was made
	Pairs    int       // key pairs that it holds
	Missing  []string  // key pairs that the catalog needs and the escrow lacks
	Stored   int64     // recordings in the store
	Opened   int       // of those drawn, that opened
	Drawn    int
	Segments int // that were opened and compared
}

// Run plays it. Each step is told when it ended; the first one that fails ends the
// drill, but every drawn recording is tried. The time that people take to type is
// in the step of their passphrase.
func Run(ctx context.Context, c Config, tell func(Step)) (Report, error) {
	r := &run{Config: c, tell: tell}
	err := r.run(ctx)
	return r.report, err
}

type run struct {
	Config
	tell   func(Step)
	report Report
	ring   *keys.Ring
}

func (r *run) step(what string, do func() error) error {
	began := r.Now()
	err := do()
	r.tell(Step{what, r.Now().Sub(began), err})
	return err
}

func (r *run) run(ctx context.Context) error {
	var escrow *keys.Escrow
	err := r.step("the escrow opens with both passphrases", func() (err error) {
		escrow, r.report.Holders, err = keys.OpenEscrow(r.File, r.Ask)
		return err
	})
	if err != nil {
		return err
	}
	r.report.MadeAt, r.report.Pairs, r.ring = escrow.MadeAt, len(escrow.Generations()), escrow.Ring()
	if err := r.step("it is of this agency and holds every key that the catalog needs", func() error { return r.covers(ctx, escrow) }); err != nil {
		return err
	}
	var drawn []catalog.Item
	err = r.step("recordings are drawn by chance", func() (err error) {
		drawn, err = r.draw(ctx)
		return err
	})
	if err != nil {
		return err
	}
	r.report.Drawn = len(drawn)
	var failed error
	for i := range drawn {
		item := &drawn[i]
		err := r.step(fmt.Sprintf("item %s (%s, %d bytes) opens", item.ID, item.Path, item.Length), func() error { return r.open(ctx, item) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = fmt.Errorf("item %s: %w", item.ID, err)
			continue
		}
		r.report.Opened++
	}
	return failed
}

func (r *run) covers(ctx context.Context, escrow *keys.Escrow) error {
	if escrow.Agency != r.Agency {
		return fmt.Errorf("the escrow is of agency %s, this server is of agency %s", escrow.Agency, r.Agency)
	}
	if r.CatalogKey != nil && !bytes.Equal(r.CatalogKey, escrow.CatalogKey()) {
		return fmt.Errorf("the escrow was made on %s and lacks the key that the catalog is sealed under. Make a new one", escrow.MadeAt.Format(time.DateOnly))
	}
	uses, err := r.Catalog.KeyUses(ctx, r.Agency)
	if err != nil {
		return err
	}
	for _, use := range uses {
		if use.Wrapped+use.Docks == 0 {
			continue
		}
		if _, err := r.ring.Told(r.Agency, keys.ID(use.AgencyKey)); err != nil {
			r.report.Missing = append(r.report.Missing, use.AgencyKey)
		}
	}
	if len(r.report.Missing) > 0 {
		return fmt.Errorf("the escrow was made on %s and lacks key pairs that are in use: %q. Make a new one", escrow.MadeAt.Format(time.DateOnly), r.report.Missing)
	}
	return nil
}

// draw picks stored items, each as likely as any other.
func (r *run) draw(ctx context.Context) ([]catalog.Item, error) {
	var drawn []catalog.Item
	err := r.Catalog.EachItem(ctx, func(item *catalog.Item) error {
		if item.Agency != r.Agency || item.State != catalog.StateStored {
			return nil
		}
		r.report.Stored++
		if len(drawn) < r.Sample {
			drawn = append(drawn, *item)
		} else if at := rand.Int64N(r.report.Stored); at < int64(r.Sample) {
			drawn[at] = *item
		}
		return nil
	})
	return drawn, err
}

// open opens some segments of a recording and compares them.
func (r *run) open(ctx context.Context, listed *catalog.Item) error {
	item, err := r.Catalog.Item(ctx, listed.Agency, listed.ID)
	if err != nil {
		return err
	}
	leaves, err := r.leaves(item)
	if err != nil {
		return err
	}
	key, err := r.ring.Unwrap(item.Agency, item.ID, item.Attempt, item.WrappedKey)
	if err != nil {
		return err
	}
	defer key.Zero()
	opener, err := seal.NewOpener(key, seal.AAD(item.Agency, item.ID, item.Attempt), item.Header)
	if err != nil {
		return err
	}
	blob, err := r.Vault.Open(ctx, vault.Key{Agency: item.Agency, ID: item.ID, Attempt: item.Attempt})
	if err != nil {
		return err
	}
	defer blob.Close()
	sealed, plain := make([]byte, seal.SegmentSize+seal.Overhead), make([]byte, 0, seal.SegmentSize)
	last := uint64(len(leaves)) - 1
	for _, index := range chosen(last) {
		if err := ctx.Err(); err != nil {
			return err
		}
		length := seal.SegmentLen(item.SealedLength(), index)
		part := sealed[:length+seal.Overhead]
		if n, err := blob.ReadAt(part, seal.HeaderSize+int64(index)*int64(len(sealed))); n < len(part) {
			return fmt.Errorf("segment %d cannot be read: %w", index, errors.Join(err, io.ErrUnexpectedEOF))
		}
		opened, err := opener.Open(plain[:0], part, index, index == last)
		if err != nil {
			return err
		}
		if uint64(len(opened)) != length || evidence.LeafHash(opened) != leaves[index] {
			return fmt.Errorf("segment %d opens, but is not what the dock signed", index)
		}
		r.report.Segments++
	}
	return nil
}

// leaves returns the leaf list of an item, held against the roots that are known.
func (r *run) leaves(item *catalog.Item) ([]evidence.Digest, error) {
	envelope, err := evidence.ParseEnvelope(item.Manifest)
	if err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	var manifest evidence.Manifest
	if err := evidence.Decode(envelope.Payload, &manifest); err != nil {
		return nil, fmt.Errorf("the manifest: %w", err)
	}
	leaves, err := evidence.DecodeLeaves(item.Leaves)
	if err != nil {
		return nil, fmt.Errorf("the leaf list: %w", err)
	}
	if manifest.SHA256 != item.SHA256 || manifest.MerkleRoot != item.MerkleRoot || manifest.Sealed().Length != item.SealedLength() ||
		uint64(len(leaves)) != evidence.LeafCount(item.SealedLength()) || evidence.MerkleRoot(leaves) != manifest.Sealed().MerkleRoot {
		return nil, errors.New("row, manifest and leaf list do not fit together: run fsck")
	}
	return leaves, nil
}

// chosen are the segments that are opened: the first, the last, and some by chance.
func chosen(last uint64) []uint64 {
	indices := []uint64{0, last}
	for range segmentsOfOne - len(indices) {
		indices = append(indices, rand.Uint64N(last+1))
	}
	slices.Sort(indices)
	return slices.Compact(indices)
}
