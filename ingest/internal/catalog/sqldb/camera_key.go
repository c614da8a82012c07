package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const keyColumns = "agency, camera, public_key, first_seen_at, last_seen_at, standing, decided_by, decided_at, reason, certificate"

func scanKey(s scanner, k *catalog.CameraKey) error {
	return s.Scan(&k.Agency, &k.Camera, &k.Key, timeInto{&k.FirstSeenAt}, timeInto{&k.LastSeenAt}, &k.Standing, &k.DecidedBy, timeInto{&k.DecidedAt}, &k.Reason, &k.Certificate)
}

// CameraKeys returns all keys that a camera has proven to hold, last seen first.
func (r *Reader) CameraKeys(ctx context.Context, agency evidence.AgencyID, serial string) ([]catalog.CameraKey, error) {
	return list(ctx, r, "the keys of a camera", scanKey, "SELECT "+keyColumns+` FROM camera_keys
		WHERE agency = $1 AND camera = $2 ORDER BY last_seen_at DESC, public_key LIMIT 1000`, agency, clean(serial))
}

// CameraKeysIn returns an agency's keys of one standing, or of any with "", last
// seen first.
func (r *Reader) CameraKeysIn(ctx context.Context, agency evidence.AgencyID, standing catalog.Standing) ([]catalog.CameraKey, error) {
	var w where
	w.and("agency = ?", agency)
	w.andIf("standing", string(standing))
	return list(ctx, r, "camera keys", scanKey, "SELECT "+keyColumns+" FROM camera_keys"+w.String()+" ORDER BY last_seen_at DESC, camera, public_key LIMIT 10000", w.args...)
}

// CameraKeySeen adds a key as it is given, or notes that it was seen again at
// LastSeenAt: what was decided about it stays. It returns the row as it is now.
func (tx *Tx) CameraKeySeen(ctx context.Context, k *catalog.CameraKey) (*catalog.CameraKey, error) {
	const what = "noting the key of a camera"
	_, err := tx.change(ctx, what, "INSERT INTO camera_keys ("+keyColumns+`) VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (agency, camera, public_key) DO UPDATE SET last_seen_at = excluded.last_seen_at`,
		k.Agency, clean(k.Camera), k.Key, micros(k.LastSeenAt), k.Standing, clean(k.DecidedBy), micros(k.DecidedAt), clean(k.Reason), k.Certificate)
	if err != nil {
		return nil, err
	}
	return get(ctx, &tx.Reader, "the key of a camera", scanKey, "SELECT "+keyColumns+" FROM camera_keys WHERE agency = $1 AND camera = $2 AND public_key = $3",
		k.Agency, clean(k.Camera), k.Key)
}

// DecideCameraKey approves or blocks a key that is known. The certificate may be
// nil. catalog.ErrNotFound.
func (tx *Tx) DecideCameraKey(ctx context.Context, agency evidence.AgencyID, serial string, key []byte, standing catalog.Standing, by, reason string, at time.Time, certificate []byte) error {
	return tx.exec(ctx, fmt.Sprintf("deciding on a key of camera %s", clean(serial)), catalog.ErrNotFound,
		`UPDATE camera_keys SET standing = $4, decided_by = $5, reason = $6, decided_at = $7, certificate = $8
		WHERE agency = $1 AND camera = $2 AND public_key = $3`, agency, clean(serial), key, standing, clean(by), clean(reason), micros(at), certificate)
}
