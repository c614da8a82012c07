package firmware

import (
	"fmt"
	"time"

	"github.com/sealdock/sealdock/proto/camera"
)

// dateUncertainty is of a clock that was set by a date of whole seconds.
const dateUncertainty = 1_000_000 // microseconds

// The times that a clock can be set to (SPEC.md 7.2).
const (
	firstYear = 1970
	lastYear  = 2199
)

// adjust sets the clock for the host, and keeps how far ahead it was. The uncertainty is
// in microseconds.
func (c *Camera) adjust(to time.Time, uncertainty int64) answer {
	if year := to.UTC().Year(); year < firstYear || year > lastYear {
		return refuse(camera.RespInvalidParameter)
	}
	before := c.Clock()
	at := c.now()
	ahead := before.Sub(to)
	err := c.change(func(m *Memory) {
		m.Clock = camera.Time{Uncertainty: uncertainty, Set: to.UnixMicro(), SetAhead: ahead.Microseconds()}
		m.Ahead, m.SetAt = to.Sub(at), at
	})
	if err != nil {
		return changed(err)
	}
	c.setClock(to)
	c.log.Info("clock set by the host", "was", before, "is", to, "ahead", ahead)
	c.journal.Note(c.settings.Serial, NoteClock, fmt.Sprintf("set to %s, was %v ahead", to.UTC().Format(time.RFC3339Nano), ahead))
	return accept()
}

func (c *Camera) getTime() answer {
	now := c.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.extension.memory.Clock
	t.Clock = now.UnixMicro()
	return document(&t)
}

func (c *Camera) setTime(data []byte) answer {
	var t camera.Time
	if err := camera.DecodeDocument(data, camera.MaxDocument, &t); err != nil {
		return refuse(camera.RespBroken)
	}
	return c.adjust(time.UnixMicro(t.Clock), t.Uncertainty)
}
