package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sealdock/sealdock/ingest/internal/witness"
	"github.com/sealdock/sealdock/internal/tlog"
)

// seen is the newest checkpoint that witnesses have cosigned; the zero value where
// there is none.
type seen struct {
	text []byte
	size int64
	by   []string // keys of the witnesses that the server trusts
}

// witnessed reads what witnesses have seen of the log. That the package's checkpoint
// is a continuation of it is among the proofs.
func (m *making) witnessed(ctx context.Context) error {
	if len(m.Witnesses) == 0 {
		return nil
	}
	text, err := m.Tiles.Get(ctx, witness.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading the witnessed checkpoint: %w", err)
	}
	then, err := tlog.OpenEarlier(text, m.LogOrigin, m.LogKey)
	if err != nil {
		return fmt.Errorf("the witnessed checkpoint beside the log's tiles: %w", err)
	}
	if then.Size > 0 && then.Origin == m.LogOrigin { // not from before a restore of the server
		m.seen = seen{text, then.Size, m.Witnesses}
	}
	return nil
}
