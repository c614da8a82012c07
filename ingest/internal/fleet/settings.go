package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/catalog/sqldb"
	"github.com/sealdock/sealdock/proto/evidence"
	"github.com/sealdock/sealdock/proto/upload"
)

// Profile is a settings profile that is in force.
type Profile struct {
	Model       string // "": every model that has none of its own
	Number      uint64
	Values      map[string]string
	PublishedAt time.Time
	PublishedBy string
}

// PublishSettings makes values the settings of the agency's cameras of a model,
// or of every model that has none of its own, and returns the profile's number.
// The former profile of that model is replaced as a whole.
func (s *Service) PublishSettings(ctx context.Context, by By, model string, values map[string]string) (uint64, error) {
	number := uint64(0)
	err := s.update(ctx, func(tx *sqldb.Tx) error {
		profiles, err := tx.CameraSettings(ctx, s.Agency)
		if err != nil {
			return err
		}
		last, known := uint64(0), false
		for i := range profiles {
			last, known = max(last, profiles[i].Number), known || profiles[i].Model == model
		}
		if !known && len(profiles) >= upload.MaxPolicies {
			return fmt.Errorf("there are profiles for %d models already, which is the most", len(profiles))
		}
		number = s.next(last)
		statement := &evidence.CameraSettings{Version: 1, Agency: s.Agency, Number: number, Model: model, Values: values, IssuedAt: s.instant()}
		envelope, err := s.sign(evidence.TypeCameraSettings, statement)
		if err != nil {
			return err
		}
		if len(envelope) > upload.MaxPolicy {
			return fmt.Errorf("the profile has %d bytes with its signature, at most %d are sent to cameras", len(envelope), upload.MaxPolicy)
		}
		row := &catalog.CameraSettings{Agency: s.Agency, Number: number, Model: model, PublishedAt: statement.IssuedAt, PublishedBy: by.Actor.ID, Envelope: envelope}
		if err := tx.InsertCameraSettings(ctx, row); err != nil {
			return err
		}
		text := strconv.FormatUint(number, 10)
		_, err = tx.AppendEvent(ctx, s.event(evidence.EventSettingsPublished, by, "camera-settings:"+text, map[string]string{
			"model": model, "number": text, "values": strconv.Itoa(len(values)), "statement_sha256": evidence.SHA256(envelope).String(),
		}))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("publishing settings: %w", err)
	}
	return number, nil
}

// Settings returns the profiles that are in force, by model.
func (s *Service) Settings(ctx context.Context) ([]Profile, error) {
	rows, err := s.Catalog.CameraSettings(ctx, s.Agency)
	if err != nil {
		return nil, err
	}
	var all []Profile
	for _, row := range rows {
		envelope, err := evidence.ParseEnvelope(row.Envelope)
		var statement evidence.CameraSettings
		if err == nil {
			err = evidence.Decode(envelope.Payload, &statement)
		}
		if err == nil && (statement.Number != row.Number || statement.Model != row.Model) {
			err = errors.New("it is not the one that its row names")
		}
		if err != nil {
			return nil, fmt.Errorf("reading settings profile %d: %w", row.Number, err)
		}
		all = append(all, Profile{Model: row.Model, Number: row.Number, Values: statement.Values, PublishedAt: row.PublishedAt, PublishedBy: row.PublishedBy})
	}
	return all, nil
}
