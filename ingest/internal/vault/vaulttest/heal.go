package vaulttest

import (
	"io/fs"

	"github.com/sealdock/sealdock/ingest/internal/vault"
)

// heal commits a blob in the place of one that was committed before.
func (s suite) heal(segments uint64, short int) {
	s.Helper()
	u, err := s.store.Heal(s.Context(), Key(1), Header())
	s.must(err)
	defer u.Close()
	for i := range segments {
		s.must(u.WriteSegment(i, whole(i)))
	}
	s.must(u.WriteSegment(segments, Segment(segments, short)))
	s.must(u.Sync())
	s.must(u.Commit(s.Context()))
}

func healed(s suite) {
	s.commit(Key(1), 1, 20)
	_, err := s.store.Heal(s.Context(), Key(1), Header())
	s.isError(err, vault.ErrConflict)
	for n := range vault.MaxAside { // each life of the blob has a length of its own
		s.must(s.store.Quarantine(s.Context(), Key(1)))
		_, err := s.store.Create(s.Context(), Key(1), Header())
		s.isError(err, vault.ErrConflict)
		_, err = s.store.Open(s.Context(), Key(1))
		s.isError(err, fs.ErrNotExist)
		s.heal(1, 21+n)
		s = s.restart()
		b, err := s.store.Open(s.Context(), Key(1))
		s.holds(b, err, content(1, 21+n))
		b, err = s.store.OpenQuarantined(s.Context(), Key(1))
		s.holds(b, err, content(1, 20+n))
	}
	s.isError(s.store.Quarantine(s.Context(), Key(1)), vault.ErrConflict)
	aside := 0
	s.must(s.store.List(s.Context(), func(i vault.Info) error {
		if i.Place == vault.Quarantined && i.Key == Key(1) {
			aside++
		}
		return nil
	}))
	if aside != vault.MaxAside {
		s.Errorf("%d blobs are listed as in quarantine, want %d", aside, vault.MaxAside)
	}
}
