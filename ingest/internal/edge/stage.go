package edge

import (
	"crypto/x509"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
)

// stage is how near a certificate's end is.
type stage struct {
	name     string // in the alert's About
	before   time.Duration
	part     time.Duration // of the whole life: no alert before, so that short lives are not one alert
	severity catalog.Severity
}

// stages, the last one first. A certificate of a year has 30, 14 and 3 days. One of 90
// days, which is replaced at 30 days by custom, has 22, 14 and 3: at 30 nothing is late.
var stages = []stage{
	{"ended", 0, 1, catalog.SeverityUrgent},
	{"3 days", 3 * 24 * time.Hour, 30, catalog.SeverityUrgent},
	{"14 days", 14 * 24 * time.Hour, 6, catalog.SeverityWarning},
	{"30 days", 30 * 24 * time.Hour, 4, catalog.SeverityNotice},
}

// stageOf returns where a certificate stands, nil for far from its end.
func stageOf(leaf *x509.Certificate, now time.Time) *stage {
	left, life := leaf.NotAfter.Sub(now), leaf.NotAfter.Sub(leaf.NotBefore)
	for i := range stages {
		if left <= min(stages[i].before, life/stages[i].part) {
			return &stages[i]
		}
	}
	return nil
}
