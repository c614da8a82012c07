package reading

import (
	"context"
	"sync"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

// A browser asks for many ranges while one person watches once. Ranges without
// playPause between them are one playing, of playLimit at most.
const (
	playPause = 10 * time.Minute
	playLimit = 2 * time.Hour
	maxPlays  = 10_000
)

type playKey struct {
	session evidence.Digest
	item    evidence.EvidenceID
}

// play is one playing that was recorded. Its lock is held while its event is
// being written, so that ranges asked for side by side make one event.
type play struct {
	mu          sync.Mutex
	begun, last time.Time
}

// plays are the playings of the moment.
type plays struct {
	now  func() time.Time
	mu   sync.Mutex // guards open, not what it points to
	open map[playKey]*play
}

// once calls record when the range that is asked for begins a playing.
func (p *plays) once(ctx context.Context, key playKey, record func() error) error {
	now := p.now()
	one := p.entry(key)
	one.mu.Lock()
	defer one.mu.Unlock()
	if now.Sub(one.last) > playPause || now.Sub(one.begun) > playLimit {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := record(); err != nil {
			return err
		}
		one.begun = now
	}
	one.last = now
	return nil
}

func (p *plays) entry(key playKey) *play {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.open[key]; one != nil {
		return one
	}
	if len(p.open) >= maxPlays {
		clear(p.open) // each playing of the moment is recorded once more
	}
	one := &play{}
	p.open[key] = one
	return one
}
