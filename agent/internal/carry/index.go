package carry

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealdock/sealdock/internal/drive"
	"github.com/sealdock/sealdock/proto/evidence"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

// index writes pages, sums and, last, the signed index.
func (e *export) index(statements []evidence.CarriedStatement) error {
	e.result.Recordings, e.result.Statements = uint64(len(e.done)), uint64(len(statements))
	c := evidence.Carriage{
		Version: 1, Agency: e.Agency, Station: e.Station, Dock: e.Dock, MadeAt: e.Now().UTC().Truncate(time.Microsecond), Agent: protocol.CleanText(e.Version, 64),
		Recordings: e.result.Recordings, Statements: e.result.Statements, Left: e.result.Left,
	}
	pages := map[string]bool{}
	for _, page := range paged(e.done, statements) {
		raw, err := evidence.Encode(&page)
		if err != nil {
			return fmt.Errorf("making the index: %w", err)
		}
		part := evidence.CarriagePart{SHA256: evidence.SHA256(raw), Bytes: uint64(len(raw))}
		if err := e.put(drive.Page(part.SHA256), raw); err != nil {
			return err
		}
		pages[filepath.Base(drive.Page(part.SHA256))] = true
		c.Pages = append(c.Pages, part)
	}
	if err := e.put(drive.Sums, e.sumText()); err != nil {
		return err
	}
	payload, err := evidence.Encode(&c)
	if err != nil {
		return fmt.Errorf("making the index: %w", err)
	}
	envelope, err := e.Signer.Sign(evidence.TypeCarriage, payload)
	if err != nil {
		return fmt.Errorf("signing the index: %w", err)
	}
	if err := e.put(drive.Index, envelope.Marshal()); err != nil {
		return err
	}
	e.result.Index = evidence.SHA256(payload)
	return e.dropPages(pages)
}

// dropPages removes pages of a former index.
func (e *export) dropPages(now map[string]bool) error {
	names, err := e.folder.Names(drive.Pages)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !now[name] {
			if err := e.folder.Remove(drive.Pages + "/" + name); err != nil {
				return err
			}
		}
	}
	return nil
}

// paged spreads what is on the drive over pages that are within their bounds.
func paged(done []carried, statements []evidence.CarriedStatement) (pages []evidence.CarriagePage) {
	const roomy = evidence.MaxCarriagePage / 2
	page := evidence.CarriagePage{Version: 1}
	size := 0
	turn := func() {
		pages = append(pages, page)
		page, size = evidence.CarriagePage{Version: 1}, 0
	}
	for _, c := range done {
		n := 256 + 80*len(c.entry.Files)
		if len(page.Recordings) == evidence.MaxCarriedOnPage || size+n > roomy {
			turn()
		}
		page.Recordings = append(page.Recordings, c.entry)
		size += n
	}
	for _, s := range statements {
		if len(page.Statements) == evidence.MaxCarriedOnPage {
			turn()
		}
		page.Statements = append(page.Statements, s)
	}
	turn()
	return pages
}

// sumText is what sha256sum -c reads.
func (e *export) sumText() []byte {
	var text bytes.Buffer
	names := make([]string, 0, len(e.sums))
	for name := range e.sums {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&text, "%s  %s\n", e.sums[name], name)
	}
	return text.Bytes()
}

// tidy takes recordings off the drive for which the dock has verified the
// server's receipt. Anything else that is not in the index stays.
func (e *export) tidy(ctx context.Context) error {
	indexed := map[evidence.EvidenceID]uint32{}
	for _, c := range e.done {
		indexed[c.entry.Evidence] = c.entry.Attempt
	}
	removed := map[string]bool{}
	for _, folder := range []string{drive.Recordings, drive.Receipts} {
		names, err := e.folder.Names(folder)
		if err != nil {
			return err
		}
		for _, name := range names {
			id, attempt, ok := drive.ParseName(name)
			if !ok || indexed[id] == attempt {
				continue
			}
			r, err := e.Spool.Get(ctx, id)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			if !r.State.HasReceipt() || r.Attempt != attempt {
				continue
			}
			if err := e.folder.Remove(folder + "/" + name); err != nil {
				return err
			}
			removed[fmt.Sprint(id, attempt)] = true
		}
	}
	e.result.Removed = uint64(len(removed))
	return nil
}
