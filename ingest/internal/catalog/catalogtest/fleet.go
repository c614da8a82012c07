package catalogtest

import (
	"context"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
)

func cameraTrusts(s suite) {
	_, err := s.db.CameraTrust(s.Context(), Agency)
	s.isError(err, catalog.ErrNotFound)
	keep := func(agency evidence.AgencyID, number uint64) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertCameraTrust(ctx, &catalog.CameraTrust{Agency: agency, Number: number, IssuedAt: s.clock.Now(), Envelope: []byte{byte(number)}})
		}
	}
	s.update(keep(Agency, 3))
	s.refused(catalog.ErrConflict, keep(Agency, 3))
	s.refused(catalog.ErrConflict, keep(Agency, 2))
	s.update(keep(Agency, 9))
	s.update(keep("county", 1))
	got, err := s.db.CameraTrust(s.Context(), Agency)
	s.must(err)
	is(s, "number", got.Number, 9)
	is(s, "issued", got.IssuedAt, s.clock.Now())
	is(s, "envelope", string(got.Envelope), "\x09")
	other, err := s.db.CameraTrust(s.Context(), "county")
	s.must(err)
	is(s, "another agency's number", other.Number, 1)
}

func cameraSettings(s suite) {
	publish := func(number uint64, model string) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertCameraSettings(ctx, &catalog.CameraSettings{Agency: Agency, Number: number, Model: model, PublishedAt: s.clock.Now(), PublishedBy: "local", Envelope: []byte{byte(number)}})
		}
	}
	s.update(publish(1, "X3"))
	s.update(publish(2, ""))
	s.update(publish(5, "X3"))
	s.refused(catalog.ErrConflict, publish(4, "A1")) // of another model, but a camera takes no lower one
	s.refused(catalog.ErrConflict, publish(5, ""))
	all, err := s.db.CameraSettings(s.Context(), Agency)
	s.must(err)
	is(s, "profiles", len(all), 2)
	is(s, "for every model", all[0].Number, 2)
	is(s, "for the model", all[1].Number, 5)
	is(s, "model", all[1].Model, "X3")
	is(s, "by", all[1].PublishedBy, "local")
	is(s, "envelope", string(all[1].Envelope), "\x05")
	none, err := s.db.CameraSettings(s.Context(), "county")
	s.must(err)
	is(s, "another agency's profiles", len(none), 0)
}

func firmwareMakers(s suite) {
	trust := func(agency evidence.AgencyID, name string, key byte) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.InsertFirmwareMaker(ctx, &catalog.FirmwareMaker{Agency: agency, Name: name, PublicKey: []byte{key}, TrustedAt: s.clock.Now(), TrustedBy: "local"})
		}
	}
	s.update(trust(Agency, "zeta", 1))
	s.update(trust(Agency, "acme", 2))
	s.refused(catalog.ErrExists, trust(Agency, "acme", 3))
	s.refused(catalog.ErrExists, trust(Agency, "other", 2))
	s.update(trust("county", "acme", 2))
	all, err := s.db.FirmwareMakers(s.Context(), Agency)
	s.must(err)
	is(s, "makers", len(all), 2)
	is(s, "the first by name", all[0].Name, "acme")
	is(s, "its key", string(all[0].PublicKey), "\x02")
	is(s, "since", all[0].TrustedAt, s.clock.Now())
}

func newFirmware(model string, counter uint64) *catalog.Firmware {
	return &catalog.Firmware{
		Agency: Agency, Model: model, Counter: counter, Release: "2.4.1", Length: 4096, SHA256: evidence.Digest{byte(counter), model[0]},
		Maker: "acme", MakerKey: make([]byte, 32), WindowFrom: 120, WindowTo: 300, PublishedBy: "local", Envelope: []byte("{}"),
	}
}

func firmware(s suite) {
	publish := func(f *catalog.Firmware) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			f.PublishedAt = s.clock.Now()
			return tx.PublishFirmware(ctx, f)
		}
	}
	first := newFirmware("X3", 7)
	s.update(publish(first))
	s.refused(catalog.ErrConflict, publish(newFirmware("X3", 6)))
	replaced := newFirmware("X3", 7)
	replaced.SHA256 = evidence.Digest{99}
	s.refused(catalog.ErrConflict, publish(replaced))
	s.update(publish(newFirmware("X3", 1<<63-1)))
	s.update(publish(newFirmware("A1", 1)))

	all, err := s.db.Firmware(s.Context(), Agency)
	s.must(err)
	is(s, "images", len(all), 3)
	is(s, "by model", all[0].Model, "A1")
	is(s, "the newest first", all[1].Counter, 1<<63-1)
	got := all[2]
	is(s, "release", got.Release, first.Release)
	is(s, "length", got.Length, first.Length)
	is(s, "hash", got.SHA256, first.SHA256)
	is(s, "window", got.WindowTo-got.WindowFrom, 180)
	is(s, "published", got.PublishedAt, first.PublishedAt)
	is(s, "withdrawn", got.WithdrawnAt, time.Time{})

	withdraw := func(counter uint64) func(context.Context, *sqldb.Tx) error {
		return func(ctx context.Context, tx *sqldb.Tx) error {
			return tx.WithdrawFirmware(ctx, Agency, "X3", counter, s.clock.Now(), "u1")
		}
	}
	found, err := s.db.FirmwareImage(s.Context(), Agency, first.SHA256)
	s.must(err)
	is(s, "found", found.Counter, 7)
	_, err = s.db.FirmwareImage(s.Context(), "county", first.SHA256)
	s.isError(err, catalog.ErrNotFound)
	s.update(withdraw(7))
	s.refused(catalog.ErrNotFound, withdraw(7))
	s.refused(catalog.ErrNotFound, withdraw(8))
	_, err = s.db.FirmwareImage(s.Context(), Agency, first.SHA256)
	s.isError(err, catalog.ErrNotFound)

	s.clock.Advance(time.Hour)
	first.WindowFrom, first.WindowTo = 0, 0
	s.update(publish(first)) // the same image again, although there is a higher one
	found, err = s.db.FirmwareImage(s.Context(), Agency, first.SHA256)
	s.must(err)
	is(s, "window", found.WindowTo, 0)
	is(s, "withdrawn by", found.WithdrawnBy, "")
	is(s, "published", found.PublishedAt, s.clock.Now())
}
