package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/cameras"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

type alertCommands struct {
	List        listAlertsCommand  `cmd:"" default:"withargs" help:"List the alerts that wait for people."`
	Acknowledge acknowledgeCommand `cmd:"" help:"Note that an alert has been looked at."`
}

type listAlertsCommand struct {
	configured
	All    bool   `help:"Also those that were acknowledged or are over, the newest 500."`
	Camera string `placeholder:"SERIAL" help:"Only about this camera."`
	JSON   bool   `name:"json" help:"One JSON object a line."`
}

// alertLine is an alert as --json prints it.
type alertLine struct {
	ID             string            `json:"id"`
	Code           catalog.AlertCode `json:"code"`
	Severity       catalog.Severity  `json:"severity"`
	Object         string            `json:"object"`
	Message        string            `json:"message"`
	RaisedAt       time.Time         `json:"raised_at"`
	LastAt         time.Time         `json:"last_at"`
	Count          int64             `json:"count"`
	AcknowledgedBy string            `json:"acknowledged_by,omitempty"`
	AcknowledgedAt time.Time         `json:"acknowledged_at,omitzero"`
	ClearedAt      time.Time         `json:"cleared_at,omitzero"`
}

// Run lists alerts.
func (l *listAlertsCommand) Run(ctx context.Context, to streams) error {
	filter := catalog.AlertFilter{Open: !l.All}
	if l.Camera != "" {
		filter.Object = evidence.CameraObject(l.Camera)
	}
	var all []catalog.Alert
	err := l.desk(ctx, to, 0, func(d *cameras.Desk) (err error) {
		all, err = d.Alerts(ctx, filter, 0)
		return err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		lines := json.NewEncoder(to.out)
		for _, a := range all {
			if err := lines.Encode(alertLine{a.ID, a.Code, a.Severity, a.Object, a.Message, a.RaisedAt, a.LastAt, a.Count, a.AcknowledgedBy, a.AcknowledgedAt, a.ClearedAt}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(to.log, "No alert waits.")
	}
	for _, a := range all {
		state := ""
		switch {
		case !a.ClearedAt.IsZero():
			state = ", over since " + a.ClearedAt.UTC().Format(time.DateTime)
		case !a.AcknowledgedAt.IsZero():
			state = ", acknowledged by " + a.AcknowledgedBy
		}
		if _, err := fmt.Fprintf(to.out, "%s  %s  %s  since %s UTC, seen %d times%s\n  %s\n", a.ID, a.Severity, a.Code, a.RaisedAt.UTC().Format(time.DateTime), a.Count, state, a.Message); err != nil {
			return err
		}
	}
	return nil
}

type acknowledgeCommand struct {
	configured
	Alert string `arg:"" help:"Id of the alert."`
	Note  string `placeholder:"TEXT" help:"What was done about it, for the record."`
}

// Run acknowledges an alert.
func (a *acknowledgeCommand) Run(ctx context.Context, to streams) error {
	if err := a.desk(ctx, to, 0, func(d *cameras.Desk) error { return d.Acknowledge(ctx, a.Alert, a.Note) }); err != nil {
		return err
	}
	fmt.Fprintln(to.out, "The alert is acknowledged. "+recorded)
	return nil
}
