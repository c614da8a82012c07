package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const trustColumns = "agency, number, issued_at, envelope"

// CameraTrust returns the newest trust statement. catalog.ErrNotFound.
func (r *Reader) CameraTrust(ctx context.Context, agency evidence.AgencyID) (*catalog.CameraTrust, error) {
	return get(ctx, r, "the cameras' trust", func(s scanner, t *catalog.CameraTrust) error {
		return s.Scan(&t.Agency, &t.Number, timeInto{&t.IssuedAt}, &t.Envelope)
	}, "SELECT "+trustColumns+" FROM camera_trusts WHERE agency = $1 ORDER BY number DESC LIMIT 1", agency)
}

// InsertCameraTrust keeps a trust statement. catalog.ErrConflict when its number
// is not above all others of its agency.
func (tx *Tx) InsertCameraTrust(ctx context.Context, t *catalog.CameraTrust) error {
	what := fmt.Sprintf("keeping the cameras' trust %d", t.Number)
	if err := tx.above(ctx, what, t.Number, "SELECT coalesce(max(number), 0) FROM camera_trusts WHERE agency = $1", t.Agency); err != nil {
		return err
	}
	_, err := tx.change(ctx, what, "INSERT INTO camera_trusts ("+trustColumns+") VALUES ($1, $2, $3, $4)", t.Agency, t.Number, micros(t.IssuedAt), some(t.Envelope))
	return err
}

// above refuses a number that is not above the one that query finds.
func (tx *Tx) above(ctx context.Context, what string, number uint64, query string, args ...any) error {
	var highest uint64
	if err := tx.one(ctx, "the highest number", func(s scanner) error { return s.Scan(&highest) }, query, args...); err != nil {
		return err
	}
	if number <= highest {
		return fmt.Errorf("%s: %w: number %d is not above %d", what, catalog.ErrConflict, number, highest)
	}
	return nil
}

const settingsColumns = "agency, number, model, published_at, published_by, envelope"

func scanSettings(s scanner, v *catalog.CameraSettings) error {
	return s.Scan(&v.Agency, &v.Number, &v.Model, timeInto{&v.PublishedAt}, &v.PublishedBy, &v.Envelope)
}

// CameraSettings returns the newest settings profile of each model, by model.
func (r *Reader) CameraSettings(ctx context.Context, agency evidence.AgencyID) ([]catalog.CameraSettings, error) {
	return list(ctx, r, "settings profiles", scanSettings, "SELECT "+settingsColumns+` FROM camera_settings AS this WHERE agency = $1
		AND number = (SELECT max(number) FROM camera_settings AS other WHERE other.agency = this.agency AND other.model = this.model) ORDER BY model`, agency)
}

// InsertCameraSettings keeps a settings profile. catalog.ErrConflict when its
// number is not above all others of its agency, whatever their model.
func (tx *Tx) InsertCameraSettings(ctx context.Context, v *catalog.CameraSettings) error {
	what := fmt.Sprintf("keeping settings profile %d", v.Number)
	if err := tx.above(ctx, what, v.Number, "SELECT coalesce(max(number), 0) FROM camera_settings WHERE agency = $1", v.Agency); err != nil {
		return err
	}
	_, err := tx.change(ctx, what, "INSERT INTO camera_settings ("+settingsColumns+") VALUES ($1, $2, $3, $4, $5, $6)",
		v.Agency, v.Number, clean(v.Model), micros(v.PublishedAt), clean(v.PublishedBy), some(v.Envelope))
	return err
}

const makerColumns = "agency, name, public_key, trusted_at, trusted_by"

// FirmwareMakers returns the makers whose firmware is taken, by name.
func (r *Reader) FirmwareMakers(ctx context.Context, agency evidence.AgencyID) ([]catalog.FirmwareMaker, error) {
	return list(ctx, r, "firmware makers", func(s scanner, m *catalog.FirmwareMaker) error {
		return s.Scan(&m.Agency, &m.Name, &m.PublicKey, timeInto{&m.TrustedAt}, &m.TrustedBy)
	}, "SELECT "+makerColumns+" FROM firmware_makers WHERE agency = $1 ORDER BY name", agency)
}

// InsertFirmwareMaker adds a maker. catalog.ErrExists when the name or the key
// is there already.
func (tx *Tx) InsertFirmwareMaker(ctx context.Context, m *catalog.FirmwareMaker) error {
	_, err := tx.change(ctx, fmt.Sprintf("trusting firmware maker %q", clean(m.Name)), "INSERT INTO firmware_makers ("+makerColumns+") VALUES ($1, $2, $3, $4, $5)",
		m.Agency, clean(m.Name), some(m.PublicKey), micros(m.TrustedAt), clean(m.TrustedBy))
	return err
}

const firmwareColumns = `agency, model, counter, release, length, sha256, maker, maker_key, window_from, window_to,
	published_at, published_by, withdrawn_at, withdrawn_by, envelope`

func scanFirmware(s scanner, f *catalog.Firmware) error {
	return s.Scan(&f.Agency, &f.Model, &f.Counter, &f.Release, &f.Length, hexInto(f.SHA256[:]), &f.Maker, &f.MakerKey, &f.WindowFrom, &f.WindowTo,
		timeInto{&f.PublishedAt}, &f.PublishedBy, timeInto{&f.WithdrawnAt}, &f.WithdrawnBy, &f.Envelope)
}

// Firmware returns all images that are or were published, by model, the newest
// of each first.
func (r *Reader) Firmware(ctx context.Context, agency evidence.AgencyID) ([]catalog.Firmware, error) {
	return list(ctx, r, "firmware", scanFirmware, "SELECT "+firmwareColumns+" FROM firmware WHERE agency = $1 ORDER BY model, counter DESC", agency)
}

// FirmwareImage returns a published row with this image. catalog.ErrNotFound,
// also when it was withdrawn.
func (r *Reader) FirmwareImage(ctx context.Context, agency evidence.AgencyID, sum evidence.Digest) (*catalog.Firmware, error) {
	return get(ctx, r, fmt.Sprintf("firmware image %v", sum), scanFirmware,
		"SELECT "+firmwareColumns+" FROM firmware WHERE agency = $1 AND sha256 = $2 AND withdrawn_at = 0 ORDER BY model, counter DESC LIMIT 1", agency, sum.String())
}

// PublishFirmware publishes an image. One that is there already gets the new
// window and is no longer withdrawn, when it is the same image.
// catalog.ErrConflict when it is another, or when its counter is not above all
// others of its model.
func (tx *Tx) PublishFirmware(ctx context.Context, f *catalog.Firmware) error {
	what := fmt.Sprintf("publishing firmware %q %d", clean(f.Model), f.Counter)
	changed, err := tx.change(ctx, what, `UPDATE firmware SET window_from = $5, window_to = $6, published_at = $7, published_by = $8, withdrawn_at = 0, withdrawn_by = ''
		WHERE agency = $1 AND model = $2 AND counter = $3 AND sha256 = $4`,
		f.Agency, clean(f.Model), f.Counter, f.SHA256.String(), f.WindowFrom, f.WindowTo, micros(f.PublishedAt), clean(f.PublishedBy))
	if err != nil || changed == 1 {
		return err
	}
	if err := tx.above(ctx, what, f.Counter, "SELECT coalesce(max(counter), 0) FROM firmware WHERE agency = $1 AND model = $2", f.Agency, clean(f.Model)); err != nil {
		return err
	}
	_, err = tx.change(ctx, what, "INSERT INTO firmware ("+firmwareColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, '', $13)",
		f.Agency, clean(f.Model), f.Counter, clean(f.Release), f.Length, f.SHA256.String(), clean(f.Maker), some(f.MakerKey), f.WindowFrom, f.WindowTo,
		micros(f.PublishedAt), clean(f.PublishedBy), some(f.Envelope))
	return err
}

// WithdrawFirmware takes an image back. catalog.ErrNotFound when it is not
// published.
func (tx *Tx) WithdrawFirmware(ctx context.Context, agency evidence.AgencyID, model string, counter uint64, at time.Time, by string) error {
	return tx.exec(ctx, fmt.Sprintf("withdrawing firmware %q %d", clean(model), counter), catalog.ErrNotFound,
		"UPDATE firmware SET withdrawn_at = $4, withdrawn_by = $5 WHERE agency = $1 AND model = $2 AND counter = $3 AND withdrawn_at = 0",
		agency, clean(model), counter, micros(at), clean(by))
}
