package uplink

import (
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// standing are the alerts of a code that wait for people, as "about severity".
func (g *rig) alerts(code catalog.AlertCode) (all []catalog.Alert) {
	g.Helper()
	all, err := g.db.Alerts(g.Context(), catalog.AlertFilter{Agency: agency, Code: code, Open: true}, 0)
	g.must(err)
	return all
}

func TestASpoolThatFillsIsAnAlertAtEachLevel(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		full := time.Date(2000, 1, 3, 14, 20, 0, 0, time.UTC)
		fill := func(percent uint64, want string) {
			t.Helper()
			g.live.set("front", func(d *Dock) {
				d.Status = &upload.Status{SpoolBytes: percent << 30, SpoolQuota: 100 << 30, SpoolFullAtUs: full.UnixMicro()}
			})
			pass(2 * look)
			var got []string
			for _, a := range g.alerts(catalog.AlertSpoolFilling) {
				got = append(got, a.About+" "+string(a.Severity))
				if a.Object != "dock:front" || !strings.Contains(a.Message, "dock front") || !strings.Contains(a.Message, "full on Monday, 3 January, 14:20 UTC") {
					t.Errorf("alert %+v", a)
				}
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("at %d %%: %q, want %q", percent, strings.Join(got, ", "), want)
			}
		}
		g.run(func() {
			fill(69, "")
			fill(70, "70 notice")
			fill(84, "70 notice")
			fill(69, "70 notice") // no flutter
			fill(71, "70 notice")
			fill(86, "85 warning")
			fill(99, "95 urgent")
			fill(91, "95 urgent")
			fill(89, "85 warning")
			g.stopAndStart()
		})
		g.run(func() {
			fill(81, "85 warning") // what stood before the restart is known
			fill(66, "70 notice")
			fill(64, "")
		})
		if raised, cleared := len(g.events(evidence.EventAlertRaised)), len(g.events(evidence.EventAlertCleared)); raised != 5 || cleared != 5 {
			t.Errorf("%d raised and %d cleared on record, want 5 and 5", raised, cleared)
		}
	})
}

// stopAndStart replaces the Service by a new one; run's goes on to its end.
func (g *rig) stopAndStart() { g.Service = g.service() }

func TestAFullStoreIsAnAlertUntilItHasRoom(t *testing.T) {
	virtual(t, func(t *testing.T, g *rig) {
		g.run(func() {
			for _, c := range []struct {
				free uint64
				want int
			}{{1 << 40, 0}, {100 << 20, 1}, {50 << 20, 1}, {500 << 20, 1}, {2 << 30, 0}, {500 << 20, 0}} {
				g.setSpace(c.free)
				pass(2 * look)
				got := g.alerts(catalog.AlertStoreFull)
				if len(got) != c.want {
					t.Errorf("with %d bytes free: %d alerts, want %d", c.free, len(got), c.want)
				}
				for _, a := range got {
					if a.Severity != catalog.SeverityUrgent || a.Count != 1 {
						t.Errorf("alert %+v", a)
					}
				}
			}
		})
	})
}
