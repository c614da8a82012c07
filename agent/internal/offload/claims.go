package offload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/sealdock/sealdock/agent/internal/camera"
	"github.com/sealdock/sealdock/proto/evidence"
)

const (
	maxSidecar = 256 << 10 // bytes that are read of a sidecar for its claims
	maxMarks   = 200
)

// sidecar is what is understood of a camera's metadata beside a video. Fields
// that are not known here stay in the sidecar, which is an item of its own.
type sidecar struct {
	Officer   string    `json:"officer"`
	OfficerID string    `json:"officer_id"`
	Category  string    `json:"category"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Marks     []struct {
		AtSeconds float64 `json:"at_seconds"`
		Label     string  `json:"label"`
	} `json:"marks"`
}

// parseClaims reads a sidecar. Everything in it is hostile: the result is bounded
// text, numbers and times that a statement can carry.
func parseClaims(text []byte) (evidence.Claims, error) {
	var s sidecar
	if len(text) > maxSidecar {
		return evidence.Claims{}, fmt.Errorf("it is longer than %d bytes", maxSidecar)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return evidence.Claims{}, fmt.Errorf("it is not the JSON that was expected: %w", err)
	}
	c := evidence.Claims{
		Officer: clean(s.Officer, 256), OfficerID: clean(s.OfficerID, 256), Category: clean(s.Category, 256),
		StartedAt: plausible(s.StartedAt), EndedAt: plausible(s.EndedAt),
	}
	for _, m := range s.Marks[:min(len(s.Marks), maxMarks)] {
		c.Marks = append(c.Marks, evidence.Mark{AtSeconds: m.AtSeconds, Label: clean(m.Label, 256)})
	}
	return c, nil
}

// plausible drops times that a statement's JSON could not carry in UTC.
func plausible(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1970 || t.Year() > 9998 {
		return time.Time{}
	}
	return t
}

// stem is what a video and its sidecar have in common.
func stem(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, path.Ext(name)))
}

// readClaims reads the sidecars of the videos in the list. One that cannot be
// understood gives a warning and no claims. The error is the link's own.
func (d *Docking) readClaims(ctx context.Context, objects []camera.Object) (warnings []string, err error) {
	videos := map[string]bool{}
	for _, o := range objects {
		if _, known := d.claims[stem(o.Path)]; o.Kind == evidence.KindVideo && !known {
			videos[stem(o.Path)] = true
		}
	}
	for _, o := range objects {
		name := stem(o.Path)
		if o.Kind != evidence.KindMetadata || !videos[name] {
			continue
		}
		claims, err := d.readSidecar(ctx, o)
		if errors.Is(err, camera.ErrGone) || ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			d.log.Warn("a sidecar gives no claims", "path", o.Path, "error", err)
			warnings = append(warnings, fmt.Sprintf("%s: no claims are taken from this sidecar: %v", o.Path, err))
		}
		d.claims[name] = claims // also when empty: it is not asked again
	}
	return warnings, nil
}

func (d *Docking) readSidecar(ctx context.Context, o camera.Object) (evidence.Claims, error) {
	r := reader{link: d.link, object: o, timeout: d.desk.opt.ReadTimeout, progress: func(int) {}}
	text := make([]byte, maxSidecar+1)
	if o.SizeKnown && o.Size < maxSidecar {
		text = text[:o.Size+1] // one more, to see a camera that lists less than it delivers
	}
	n, err := r.window(ctx, 0, text)
	if err != nil && !errors.Is(err, io.EOF) {
		return evidence.Claims{}, err
	}
	if n == len(text) {
		return evidence.Claims{}, fmt.Errorf("it is longer than listed, or than %d bytes", maxSidecar)
	}
	return parseClaims(text[:n])
}
