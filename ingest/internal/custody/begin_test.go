package custody_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
)

// A camera that was used elsewhere: after the decision about it only what it
// lost here is told of.
func TestNumbersBelowABeginningMakeNoAlert(t *testing.T) {
	s := newStation(t)
	s.camera.next = 128
	s.camera.record(2)
	s.docked()
	s.decide(catalog.StandingApproved)
	s.docked()
	s.stand("before the decision", catalog.AlertGap)
	if m := s.alerts()[catalog.AlertGap].Message; !strings.Contains(m, "127 of them") {
		t.Errorf("message %q", m)
	}
	s.check(s.db.Update(t.Context(), func(tx *sqldb.Tx) error {
		return tx.InsertBeginning(t.Context(), &catalog.Beginning{Agency: "springfield", Camera: s.camera.serial, Number: 128, Reason: "used before", By: "local", At: time.Now()})
	}))
	s.docked()
	s.stand("after it")
	s.camera.record(2)
	s.camera.lose(130)
	s.docked()
	s.stand("when one is lost here", catalog.AlertGap)
	if m := s.alerts()[catalog.AlertGap].Message; !strings.Contains(m, "counted 4 recordings, and 1 of them") || !strings.HasSuffix(m, "number 130") {
		t.Errorf("message %q", m)
	}
	s.camera.holds = nil
	s.camera.next = 5
	s.camera.record(1) // number 5: it is another count, and the decision hides nothing of it
	s.docked()
	if m := s.alerts()[catalog.AlertGap].Message; !strings.Contains(m, "numbers 6 to 127") {
		t.Errorf("after a lower number came: %q", m)
	}
}
