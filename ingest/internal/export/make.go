package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/internal/mhl"
	"github.com/sealdock/sealdock/internal/pack"
	"github.com/sealdock/sealdock/internal/tlog"
	"github.com/sealdock/sealdock/proto/evidence"
)

// making is one package in the making.
type making struct {
	*Service
	by       By
	progress *Progress
	items    []*subject
	docks    []pack.Dock
	head     *catalog.LogState
	stamps   []*catalog.Stamp // by size
	seen     seen
	enrols   []pack.Event // registrations of docks
	entered  []pack.Event // that this package was made
	index    pack.Index
	files    []pack.File
	buffers  buffers
	closed   bool
	derived  bool // the package speaks of derivatives
}

// subject is one item of it.
type subject struct {
	row         *catalog.Item
	sums        *sums
	manifest    evidence.Manifest
	envelope    *evidence.Envelope // of the manifest
	receipt     *evidence.Receipt
	proof       []evidence.Digest // of the part that is wanted
	inventories [][]byte
	releases    []catalog.Release
	derivatives [][]byte       // envelopes of what was made of it
	stamp       *catalog.Stamp // nil: none yet
	events      []pack.Event   // by index
	listed      pack.Item
	listName    string // ASC MHL
	list, chain []byte
}

func (m *making) make(ctx context.Context, wanted []Wanted) (*Package, error) {
	for i, item := range wanted {
		if slices.ContainsFunc(wanted[:i], func(w Wanted) bool { return w.ID == item.ID }) {
			return nil, fmt.Errorf("item %s is named twice", item.ID)
		}
		s, err := m.prove(ctx, item)
		if err != nil {
			return nil, err
		}
		m.items = append(m.items, s)
	}
	if err := m.gather(ctx); err != nil {
		return nil, err
	}
	if err := m.write(ctx); err != nil {
		return nil, err
	}
	size, err := pack.Size(m.files)
	if err != nil {
		return nil, err
	}
	return &Package{Size: size, making: m}, nil
}

// gather reads all custody events of the items that are in the log by now, and the
// registrations of the docks that signed.
func (m *making) gather(ctx context.Context) error {
	last := int64(0)
	for _, s := range m.items {
		rows, err := m.rows(ctx, catalog.EventFilter{Agency: m.Agency, Object: evidence.ItemObject(s.row.ID)})
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			last = max(last, rows[0].ID)
		}
	}
	if err := m.await(ctx, last); err != nil {
		return err
	}
	for _, s := range m.items {
		var err error
		if s.events, err = m.logged(ctx, catalog.EventFilter{Agency: m.Agency, Object: evidence.ItemObject(s.row.ID)}); err != nil {
			return err
		}
		s.listed.Events = len(s.events)
	}
	var told []evidence.DockID
	for _, d := range m.docks {
		if slices.Contains(told, d.Dock) {
			continue
		}
		told = append(told, d.Dock)
		enrols, err := m.logged(ctx, catalog.EventFilter{Agency: m.Agency, Object: evidence.DockObject(d.Dock), Type: evidence.EventDockEnrolled})
		if err != nil {
			return err
		}
		m.enrols = append(m.enrols, enrols...)
	}
	slices.SortFunc(m.enrols, byIndex)
	if err := m.witnessed(ctx); err != nil {
		return err
	}
	return m.stamped(ctx)
}

// stamped reads the time stamp that first covered the storing of each item, where
// there is one.
func (m *making) stamped(ctx context.Context) error {
	for _, s := range m.items {
		stamp, err := m.Catalog.StampOver(ctx, s.receipt.Proof.Index)
		if errors.Is(err, catalog.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		s.stamp = stamp
		m.stamps = append(m.stamps, stamp)
	}
	bySize := func(a, b *catalog.Stamp) int { return cmp.Compare(a.Size, b.Size) }
	slices.SortFunc(m.stamps, bySize)
	m.stamps = slices.CompactFunc(m.stamps, func(a, b *catalog.Stamp) bool { return a.Size == b.Size })
	return nil
}

func byIndex(a, b pack.Event) int { return cmp.Compare(a.Index, b.Index) }

func (m *making) await(ctx context.Context, event int64) error {
	if err := m.Log.Await(ctx, event); err != nil {
		return fmt.Errorf("%w (%w)", ErrUnlogged, err)
	}
	return nil
}

// rows reads all events that fit, newest first.
func (m *making) rows(ctx context.Context, f catalog.EventFilter) (all []catalog.EventRow, err error) {
	for {
		rows, err := m.Catalog.Events(ctx, f, 0)
		if err != nil || len(rows) == 0 {
			return all, err
		}
		all = append(all, rows...)
		if len(all) > pack.MaxEvents {
			return nil, fmt.Errorf("%s has more than %d custody events", f.Object, pack.MaxEvents)
		}
		f.Before = rows[len(rows)-1].ID
	}
}

// logged reads all events that fit and are in the log, in the log's order.
func (m *making) logged(ctx context.Context, f catalog.EventFilter) ([]pack.Event, error) {
	rows, err := m.rows(ctx, f)
	if err != nil {
		return nil, err
	}
	state, err := m.Catalog.LogState(ctx)
	if err != nil {
		return nil, err
	}
	var all []pack.Event
	for _, row := range rows {
		if row.LogIndex != nil && *row.LogIndex < state.Size {
			all = append(all, eventOf(&row))
		}
	}
	slices.SortFunc(all, byIndex)
	return all, nil
}

func eventOf(row *catalog.EventRow) pack.Event {
	return pack.Event{Index: *row.LogIndex, Salt: row.Salt, Event: string(row.JSON)}
}

// write makes every file, and enters the package into the log.
func (m *making) write(ctx context.Context) error {
	made := m.event(m.by, evidence.EvidenceID{}, evidence.OutcomeDone)
	m.index = pack.Index{
		Version: 1, Agency: m.Agency, MadeAt: made.At, MadeBy: made.Actor, Program: m.Program, Page: m.Page != nil,
		LogOrigin: m.LogOrigin, LogKey: m.LogKey, ReceiptKey: m.ReceiptKey, Restored: m.Restored, Docks: m.docks, Stamps: len(m.stamps), Witnesses: m.seen.by,
	}
	if m.derived {
		m.index.DerivativeKey = m.DerivativeKey
	}
	for _, s := range m.items {
		s.listName, s.list, s.chain = mhl.Write("original", mhl.Origin{At: made.At, Host: m.Host, Tool: "sealdock-ingest", Version: m.Program},
			[]mhl.Listed{{Path: s.listed.Original, Size: s.listed.Packed(), C4: mhl.C4Text(s.sums.sha512)}})
		s.listed.List = s.listName
		m.index.Items = append(m.index.Items, s.listed)
	}
	small, err := m.texts()
	if err != nil {
		return err
	}
	var list strings.Builder
	names := m.index.Names()
	for _, name := range names[:len(names)-2] {
		file, sum := small.file(name)
		if s := m.original(name); s != nil {
			file, sum = pack.File{Name: name, Size: s.listed.Packed(), CRC32: s.sums.crc, Content: func(ctx context.Context, w io.Writer) error { return m.send(ctx, s, w) }}, s.sums.sha256
		}
		m.files = append(m.files, file)
		fmt.Fprintf(&list, "%s  %s\n", sum, name)
	}
	sums := []byte(list.String())
	if err := m.enter(ctx, &made, evidence.SHA256(sums)); err != nil {
		return err
	}
	proofs, err := m.proofs(ctx)
	if err != nil {
		return err
	}
	small[pack.SumsFile], small[pack.ProofFile] = sums, proofs
	m.files = append(m.files, pack.Bytes(pack.SumsFile, sums), pack.Bytes(pack.ProofFile, proofs))
	return m.verify(ctx, small)
}

// original returns the item whose recording has this name in the package.
func (m *making) original(name string) *subject {
	for i := range m.index.Items {
		if m.index.Items[i].OriginalFile() == name {
			return m.items[i]
		}
	}
	return nil
}

// enter writes into the log that the package was made, one event for each item.
func (m *making) enter(ctx context.Context, made *evidence.Event, contents evidence.Digest) error {
	var rows []int64
	err := m.Catalog.Update(ctx, func(tx *sqldb.Tx) error {
		rows = nil
		for _, s := range m.items {
			e := *made
			e.Object = evidence.ItemObject(s.row.ID)
			e.Details = map[string]string{
				pack.DetailContents: contents.String(), pack.DetailItems: strconv.Itoa(len(m.items)), pack.DetailSHA256: s.row.SHA256.String(),
				"length": strconv.FormatUint(s.row.Length, 10), "path": clip(s.row.Path),
			}
			if p := s.listed.Part; p != nil {
				e.Details["part"] = fmt.Sprintf("%d-%d", p.From, p.To)
				if p.Span != nil {
					e.Details["span"] = p.Span.String()
				}
			}
			row, err := tx.AppendEvent(ctx, e)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrUnlogged, err)
	}
	if err := m.await(ctx, rows[len(rows)-1]); err != nil {
		return err
	}
	for _, id := range rows {
		row, err := m.Catalog.Event(ctx, m.Agency, id)
		if err != nil {
			return err
		}
		if row.LogIndex == nil {
			return fmt.Errorf("event %d is not in the log: %w", id, ErrUnlogged)
		}
		m.entered = append(m.entered, eventOf(row))
	}
	m.head, err = m.Catalog.LogState(ctx)
	return err
}

// clip bounds a path in an event.
func clip(s string) string {
	if len(s) > 512 {
		return strings.ToValidUTF8(s[:512], "") + "…"
	}
	return s
}

// proofs writes the checkpoint and every proof under it.
func (m *making) proofs(ctx context.Context) ([]byte, error) {
	out := pack.JSON(pack.Proof{Checkpoint: string(m.head.Checkpoint)})
	indexes := []int64{}
	for i := range m.entered {
		out = append(out, pack.JSON(pack.Proof{Packaged: &m.entered[i]})...)
		indexes = append(indexes, m.entered[i].Index)
	}
	for _, e := range m.enrols {
		indexes = append(indexes, e.Index)
	}
	for _, s := range m.items {
		for _, e := range s.events {
			indexes = append(indexes, e.Index)
		}
	}
	slices.Sort(indexes)
	for _, index := range slices.Compact(indexes) {
		path, err := tlog.ProveInclusion(ctx, m.Tiles, m.head.Size, index)
		if err != nil {
			return nil, err
		}
		out = append(out, pack.JSON(pack.Proof{Inclusion: &pack.Inclusion{Index: index, Path: digests(path)}})...)
	}
	sizes := []int64{}
	for _, s := range m.items {
		then, err := tlog.OpenEarlier([]byte(s.receipt.Proof.Checkpoint), m.LogOrigin, m.LogKey)
		if err != nil {
			return nil, fmt.Errorf("item %s: %w: %w", s.row.ID, ErrUnproven, err)
		}
		sizes = append(sizes, then.Size)
	}
	for _, s := range m.stamps {
		sizes = append(sizes, s.Size)
	}
	if m.seen.text != nil {
		sizes = append(sizes, m.seen.size)
	}
	slices.Sort(sizes)
	for _, size := range slices.Compact(sizes) {
		path, err := tlog.ProveConsistency(ctx, m.Tiles, m.head.Size, size)
		if err != nil {
			return nil, err
		}
		out = append(out, pack.JSON(pack.Proof{Growth: &pack.Growth{From: size, Path: digests(path)}})...)
	}
	return out, nil
}

func digests(path []tlog.Hash) []evidence.Digest {
	all := make([]evidence.Digest, len(path))
	for i, h := range path {
		all[i] = evidence.Digest(h)
	}
	return all
}

// close lets the next package be made.
func (m *making) close() {
	if !m.closed {
		m.closed = true
		<-m.turns
	}
}

// Package is a package that was made and is ready to be sent. Close it: so many are made at once.
type Package struct {
	Size uint64 // bytes
	*making
}

// Name is a file name for it.
func (p *Package) Name() string {
	return fmt.Sprintf("custody-%s-%s.zip", p.index.Items[0].ID.String()[:12], p.index.MadeAt.UTC().Format("20060102-150405"))
}

// WriteTo writes the archive. Each segment of a recording is proven again before it
// goes out; the error of one that does not hold is ErrUnproven, and what was written
// is no package.
func (p *Package) WriteTo(ctx context.Context, w io.Writer) error {
	return pack.Write(ctx, w, p.files)
}

// Close lets the next package be made.
func (p *Package) Close() { p.close() }
