package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/internal/durable"
	"github.com/sealdock/sealdock/proto/evidence"
)

// maxTokens is how many tokens one call makes: their numbers have five digits.
const maxTokens = 99_999

type tokensCommand struct {
	configured
	Station string        `required:"" placeholder:"NAME" help:"Building that the docks are in: a-z, 0-9 and '-'. A new name makes a new station."`
	Prefix  string        `default:"load-" placeholder:"TEXT" help:"What the docks' names begin with; five digits follow (${default})."`
	Count   int           `required:"" placeholder:"N" help:"How many tokens."`
	From    int           `default:"1" placeholder:"N" help:"Number of the first dock (${default})."`
	Out     string        `required:"" type:"path" placeholder:"FILE" help:"New file for the tokens, one dock a line, mode 0600: sealdock-agent simulate reads it."`
	Valid   time.Duration `default:"24h" help:"How long the tokens may be used (${default})."`
}

// Run makes the file of tokens.
func (t *tokensCommand) Run(ctx context.Context, to streams) error {
	config, err := t.existing()
	if err != nil {
		return err
	}
	if t.Count < 1 || t.From < 1 || t.Count > maxTokens-t.From+1 {
		return fmt.Errorf("--count %d --from %d: docks have numbers from 1 to %d", t.Count, t.From, maxTokens)
	}
	if err := checkValid(t.Valid); err != nil {
		return err
	}
	if _, err := os.Lstat(t.Out); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--out %s: it is there already, and may hold tokens that are still good: name a new file", t.Out)
	}
	docks := make([]evidence.DockID, t.Count)
	for i := range docks {
		docks[i] = evidence.DockID(fmt.Sprintf("%s%05d", t.Prefix, t.From+i))
	}
	tokens, err := server.DockTokens(ctx, config, evidence.StationID(t.Station), docks, t.Valid, time.Now)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for i, token := range tokens {
		fmt.Fprintf(&text, "%s %s\n", docks[i], token)
	}
	if err := durable.WriteFile(t.Out, text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("keeping the tokens: %w", err)
	}
	fmt.Fprintf(to.log, "%s has the tokens of %d docks, %s to %s, at station %s; each works once, within %v. Whoever reads it can enrol in their place.\n",
		t.Out, t.Count, docks[0], docks[len(docks)-1], t.Station, t.Valid)
	return nil
}
