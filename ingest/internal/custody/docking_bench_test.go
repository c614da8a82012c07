package custody_test

import (
	"fmt"
	"testing"
)

// A camera of five thousand recordings is entered into the ledger, when it is new
// and when it is known.
func BenchmarkInventoryOfFiveThousand(b *testing.B) {
	s := newStation(b)
	s.camera.record(5000)
	for n := range s.camera.holds {
		s.camera.holds[n].CapturedRaw = fmt.Sprintf("20261101T%06d", n)
	}
	inventory := func(b *testing.B) {
		v := s.inventory(s.dock)
		b.StartTimer()
		s.send(s.dock, s.peer, v)
	}
	b.Run("new", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			s.camera.serial += "x"
			inventory(b)
		}
	})
	b.Run("known", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			inventory(b)
		}
	})
}
