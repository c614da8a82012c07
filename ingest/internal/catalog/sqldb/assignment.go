package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

const assignmentColumns = "agency, camera, from_at, until_at, officer, officer_id, made_by, made_at"

func scanAssignment(s scanner, a *catalog.Assignment) error {
	return s.Scan(&a.Agency, &a.Camera, timeInto{&a.From}, timeInto{&a.Until}, &a.Officer, &a.OfficerID, &a.By, timeInto{&a.At})
}

// Assignments returns to whom a camera was and is assigned, newest first.
func (r *Reader) Assignments(ctx context.Context, agency evidence.AgencyID, camera string) ([]catalog.Assignment, error) {
	return list(ctx, r, "the assignments of a camera", scanAssignment, "SELECT "+assignmentColumns+` FROM assignments
		WHERE agency = $1 AND camera = $2 ORDER BY from_at DESC LIMIT 10000`, agency, clean(camera))
}

// AssignmentAt returns to whom a camera was assigned at a moment.
// catalog.ErrNotFound.
func (r *Reader) AssignmentAt(ctx context.Context, agency evidence.AgencyID, camera string, at time.Time) (*catalog.Assignment, error) {
	return get(ctx, r, "the assignment of a camera", scanAssignment, "SELECT "+assignmentColumns+` FROM assignments
		WHERE agency = $1 AND camera = $2 AND from_at <= $3 AND (until_at = 0 OR until_at > $3) ORDER BY from_at DESC LIMIT 1`, agency, clean(camera), micros(at))
}

// InsertAssignment adds an assignment and makes its officer the wearer of what
// the camera recorded in its time. catalog.ErrConflict when another one of the
// camera overlaps it.
func (tx *Tx) InsertAssignment(ctx context.Context, a *catalog.Assignment) error {
	what := "assigning camera " + clean(a.Camera)
	var overlapping int
	err := tx.one(ctx, "other assignments of the camera", func(s scanner) error { return s.Scan(&overlapping) },
		`SELECT count(*) FROM assignments WHERE agency = $1 AND camera = $2 AND (until_at = 0 OR until_at > $3) AND (CAST($4 AS BIGINT) = 0 OR from_at < $4)`,
		a.Agency, clean(a.Camera), micros(a.From), micros(a.Until))
	if err == nil && overlapping > 0 {
		err = fmt.Errorf("%s: another assignment covers a part of that time, which %w", what, catalog.ErrConflict)
	}
	if err != nil {
		return err
	}
	if _, err := tx.change(ctx, what, "INSERT INTO assignments ("+assignmentColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		a.Agency, clean(a.Camera), micros(a.From), micros(a.Until), clean(a.Officer), clean(a.OfficerID), clean(a.By), micros(a.At)); err != nil {
		return err
	}
	return tx.setWearer(ctx, a.Agency, a.Camera, a.From, a.Until, a.Officer, a.OfficerID)
}

// EndAssignment ends the assignment of a camera that is in force at a moment,
// at that moment, and returns it as it was. What the camera recorded later has
// no wearer then. catalog.ErrNotFound when it is not assigned.
func (tx *Tx) EndAssignment(ctx context.Context, agency evidence.AgencyID, camera string, at time.Time) (*catalog.Assignment, error) {
	a, err := tx.AssignmentAt(ctx, agency, camera, at)
	if err != nil {
		return nil, err
	}
	query, args := "UPDATE assignments SET until_at = $4 WHERE agency = $1 AND camera = $2 AND from_at = $3", []any{agency, clean(camera), micros(a.From), micros(at)}
	if a.From.Equal(at) {
		query, args = "DELETE FROM assignments WHERE agency = $1 AND camera = $2 AND from_at = $3", args[:3] // it never was in force
	}
	if err := tx.exec(ctx, "ending an assignment of camera "+clean(camera), catalog.ErrNotFound, query, args...); err != nil {
		return nil, err
	}
	return a, tx.setWearer(ctx, agency, camera, at, a.Until, "", "")
}

// setWearer names who wore a camera at the items that it recorded from one
// moment until another, as far as it is known when they were recorded.
func (tx *Tx) setWearer(ctx context.Context, agency evidence.AgencyID, camera string, from, until time.Time, officer, id string) error {
	_, err := tx.change(ctx, "naming the wearer of a camera's items", `UPDATE items SET wearer = $5, wearer_id = $6, wearer_search = $7
		WHERE agency = $1 AND camera = $2 AND (corrected_at > 0 OR started_at > 0) AND recorded_at >= $3 AND (CAST($4 AS BIGINT) = 0 OR recorded_at < $4)`,
		agency, clean(camera), micros(from), micros(until), clean(officer), clean(id), wordText(wearerWords(officer, id)))
	return err
}
