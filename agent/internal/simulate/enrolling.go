package simulate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/internal/backoff"
	"github.com/sealdock/sealdock/internal/identity"
)

// Token is one line of a file of tokens.
type Token struct{ Dock, Text string }

// ReadTokens reads a file that sealdock-ingest dock-tokens made.
func ReadTokens(path string) ([]Token, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w: make the file with sealdock-ingest dock-tokens", err)
	}
	defer file.Close()
	var tokens []Token
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("reading tokens: line %d of %s is not a dock and its token: make the file with sealdock-ingest dock-tokens", len(tokens)+1, path)
		}
		if _, _, err := identity.ParseEnrolmentToken(fields[1]); err != nil {
			return nil, fmt.Errorf("reading tokens: dock %s in %s: %w", fields[0], path, err)
		}
		tokens = append(tokens, Token{fields[0], fields[1]})
	}
	return tokens, lines.Err()
}

// atOnce is how many docks are enrolled at the same time.
const atOnce = 16

// Enrol enrols docks until the folder has want of them, as fast as the server
// takes them: those of the tokens that it has not yet. told hears how many there
// are.
func (f *Folder) Enrol(ctx context.Context, server string, tokens []Token, want int, told func(have int)) error {
	have := map[string]bool{}
	for _, d := range f.Docks {
		have[string(d.Dock)] = true
	}
	tasks := make(chan Token)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(tasks)
		missing := want - len(have)
		for _, t := range tokens {
			if missing == 0 {
				break
			}
			if have[t.Dock] {
				continue
			}
			missing--
			select {
			case tasks <- t:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if missing > 0 {
			return fmt.Errorf("there are tokens for %d docks fewer than are wanted: make more with sealdock-ingest dock-tokens --from, into another file", missing)
		}
		return nil
	})
	for range atOnce {
		group.Go(func() error {
			for t := range tasks {
				if err := f.enrol(ctx, server, t); err != nil {
					return fmt.Errorf("dock %s: %w", t.Dock, err)
				}
				f.mu.Lock()
				n := len(f.Docks)
				f.mu.Unlock()
				told(n)
			}
			return nil
		})
	}
	return group.Wait()
}

// enrol enrols one dock, at the server's pace.
func (f *Folder) enrol(ctx context.Context, server string, t Token) error {
	key, err := identity.NewTLSKey()
	if err != nil {
		return err
	}
	statement, err := identity.NewStatementKey(identity.PurposeDock)
	if err != nil {
		return err
	}
	pauses := backoff.New(time.Second, 10*time.Second)
	for {
		e, err := enrol.Ask(ctx, enrol.Request{Server: server, Token: t.Text, Dock: t.Dock, Now: time.Now}, key, statement)
		if err == nil {
			return f.add(e, key)
		}
		if !errors.Is(err, enrol.ErrTooMany) {
			return err
		}
		if err := pauses.Wait(ctx, 0); err != nil {
			return err
		}
	}
}
